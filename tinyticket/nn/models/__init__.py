"""Networks by name: `create("lenet-300-100")`, `create("mlp-784-200-50-10")`.

To add one, write a function (name, input_shape, classes, rng) -> Module in a file of this folder and list its pattern below.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.nn.models.mlp import lenet_300_100, mlp
from tinyticket.nn.module import Module

FAMILIES: dict[str, tuple[str, Callable[..., Module]]] = {
    # shown to people: (pattern of the names, maker)
    "lenet-300-100": (r"lenet-300-100", lenet_300_100),
    "mlp-IN-HIDDEN-...-OUT": (r"mlp(-\d+){2,}", mlp),
}


def names() -> list[str]:
    """Return the names that `create` knows, families by their pattern."""
    return list(FAMILIES)


def create(name: str, input_shape: tuple[int, ...] = (1, 28, 28), classes: int = 10, rng: Any = None) -> Module:
    """Make a network by name, with fresh initial weights.

    Parameters
    ----------
    name
        "lenet-300-100", or any fully-connected network as "mlp-" and its layer sizes, such as "mlp-784-200-50-10".
    input_shape
        Shape of one example, such as (1, 28, 28) or (64,).
    classes
        Number of outputs.
    rng : Generator, int or None
        Where the initial weights come from.

    Raises
    ------
    InputError
        If there is no such network, or its sizes do not fit the data.
    """
    if isinstance(input_shape, int):
        input_shape = (input_shape,)
    for pattern, make in FAMILIES.values():
        if re.fullmatch(pattern, name):
            return make(name, tuple(input_shape), classes, np.random.default_rng(rng))
    raise InputError(f"no model is called {name!r}{near(name, FAMILIES)}")
