"""Networks by name: `create("lenet-300-100")`, `create("mlp-784-200-50-10")`, `create("resnet-20", (3, 32, 32))`.

To add one, write a function (name, input_shape, classes, rng) -> Module in a file of this folder and list its pattern below.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.nn.models.conv import conv, lenet_5
from tinyticket.nn.models.mlp import SparseLayer, layer_sizes, lenet_300_100, mlp, sparse_mlp
from tinyticket.nn.models.resnet import resnet
from tinyticket.nn.models.vgg import CONVOLUTIONS, vgg
from tinyticket.nn.module import Module

HIDDEN = r"(-norm)?(-dropout0?\.\d+)?(-srelu)?"
"""What the name of a fully-connected network may say of its hidden layers, behind their sizes."""

FANS = r"(-layerfans)?"
"""The end of a sparse network's name that chooses initial weights as small as a dense layer's."""

FAMILIES: dict[str, tuple[str, Callable[..., Module]]] = {
    # shown to people: (pattern of the names, maker)
    "lenet-300-100": (r"lenet-300-100", lenet_300_100),
    "mlp-IN-HIDDEN-...-OUT": (r"mlp(-\d+){2,}" + HIDDEN, mlp),
    "sparse-mlp-IN-HIDDEN-...-OUT@DENSITY": (
        r"sparse-mlp(-\d+){2,}@(e\d+(\.\d+)?|0?\.\d+)" + HIDDEN + FANS,
        sparse_mlp,
    ),
    "lenet-5": (r"lenet-5", lenet_5),
    **{name: (re.escape(name), conv) for depth in (2, 4, 6) for name in (f"conv-{depth}", f"conv-{depth}-dropout")},
    "resnet-20": (r"resnet-20", resnet),
    "resnet-N": (r"resnet-\d+", resnet),
    "resnet-N-identity": (r"resnet-\d+-identity", resnet),
    **{name: (re.escape(name), vgg) for name in CONVOLUTIONS},
}


def names() -> list[str]:
    """Return the names that `create` knows, families by their pattern."""
    return list(FAMILIES)


def layers_of(name: str) -> list[SparseLayer]:
    """Return inputs, outputs and connections of each layer of a network whose name says them, such as "sparse-mlp-64-30-10@0.1".

    Nothing is drawn. Of other networks, which begin with all their weights, the list is empty.
    """
    return layer_sizes(name) if re.fullmatch(FAMILIES["sparse-mlp-IN-HIDDEN-...-OUT@DENSITY"][0], name) else []


def create(name: str, input_shape: tuple[int, ...] = (1, 28, 28), classes: int = 10, rng: Any = None) -> Module:
    """Make a network by name, with fresh initial weights.

    Parameters
    ----------
    name
        "lenet-300-100", or any fully-connected network as "mlp-" and its layer sizes, such as "mlp-784-200-50-10", or with
        5% of the connections from the start "sparse-mlp-784-200-50-10@0.05", either with a dropout of 0.3 after hidden layers
        as "mlp-784-200-50-10-dropout0.3", and with SReLU for ReLU as "mlp-784-200-50-10-srelu", and with batch normalisation
        as "mlp-784-200-50-10-norm" (-norm-dropout0.3-srelu; of sparse ones with -layerfans at the end, for initial weights as
        small as a dense layer's); for images
        "lenet-5", "conv-2", "conv-4" and "conv-6" (with dropout as "conv-2-dropout"), "vgg-11", "vgg-16" and "vgg-19", and
        "resnet-20" or any other 6n + 2 layers, with projections in its shortcuts or, as "resnet-20-identity", without.
    input_shape
        Shape of one example, such as (1, 28, 28) or (64,); images as (channels, height, width).
    classes
        Number of outputs.
    rng : Generator, int or None
        Where the initial weights come from.

    Raises
    ------
    InputError
        If there is no such network, or its sizes do not fit the data.

    Examples
    --------
    >>> import tinyticket as tt
    >>> model = tt.models.create("lenet-300-100", input_shape=(1, 8, 8), classes=10, rng=0)
    >>> {name: weight.shape for name, weight in model.prunable().items()}
    {'fc1.weight': (300, 64), 'fc2.weight': (100, 300), 'output.weight': (10, 100)}
    """
    classes = operator.index(classes)
    if isinstance(input_shape, int):
        input_shape = (input_shape,)
    if not isinstance(name, str):
        raise InputError(f"the model has a name such as 'lenet-300-100', not {name!r:.60}")
    for pattern, make in FAMILIES.values():
        if re.fullmatch(pattern, name):
            return make(name, tuple(input_shape), classes, np.random.default_rng(rng))
    raise InputError(f"no model is called {name!r}{near(name, FAMILIES)}")
