"""Controls: networks that share everything with a ticket but one thing. If they do as well, that thing did not matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError, near
from tinyticket.lottery.algorithm import Masks, State, reset


@dataclass(frozen=True)
class Start:
    """Where a training starts: masks, masked weights, and in words of the file where they came from."""

    masks: Masks
    weights: State
    origin: dict[str, Any]


Draw = Callable[[np.random.Generator], State]


def reinit(masks: Masks, initial: State, draw: Draw, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Keep the ticket's mask and draw new initial weights, to tell the structure from the luck of the draw."""
    fresh = draw(rng)
    return Start(masks, reset(fresh, masks), {"weights": origin, "mask": "ticket"})


def random(masks: Masks, initial: State, draw: Draw, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Keep the ticket's initial weights and its count of every layer, and choose at random which weights survive."""
    drawn = prune.random(masks, rng)
    return Start(drawn, reset(initial, drawn), {"weights": "init", "mask": origin})


KINDS = {"reinit": reinit, "random": random}


def parse_controls(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of controls, from "reinit,random" or a list; "none" is no control at all.

    A second control of a kind is called "reinit-2", a third "reinit-3".

    Raises
    ------
    InputError
        If a name is unknown or given twice.
    """
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    names = tuple(names)
    if names in ((), ("none",)):
        return ()
    if "none" in names:
        raise InputError(f"'none' means no controls at all; it cannot stand beside others, as in {','.join(names)}")
    for name in names:
        if kind_of(name) not in KINDS:
            raise InputError(f"no control is called {name!r}{near(name, [*KINDS, 'none'])}")
        if names.count(name) > 1:
            raise InputError(f"the control {name!r} is given twice; call a second one {kind_of(name)}-2")
    return names


def kind_of(name: str) -> str:
    """Return the kind of a control: "reinit" for "reinit-2"."""
    return re.sub(r"-([2-9]|[1-9]\d+)$", "", name)
