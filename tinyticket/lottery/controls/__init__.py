"""Controls: networks that share everything with a ticket but one thing. If they do as well, that thing did not matter.

`redrawn` (new weights under the ticket's mask), `rearranged` (the ticket's own weights, permuted or with noise), `masks` (other
masks of the same counts) and `rewiring` (other connections of sparse layers) are the families; `checks` makes sure that each
differs from its ticket in what it claims alone.
A control of a mask shuffled inside each layer and one of a random mask of the layer's count are the same thing: both draw every
mask of that count with equal probability. It is called `random`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.lottery.controls import masks, rearranged, redrawn
from tinyticket.lottery.controls.checks import Claim, check
from tinyticket.lottery.controls.rewiring import rewired
from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.registry import Registry, takes
from tinyticket.lottery.start import Start
from tinyticket.nn import Module
from tinyticket.results.naming import kind_of

Origin = dict[str, Any]
Control = Callable[[Ticket, np.random.Generator, Origin], Start]


@dataclass(frozen=True)
class Kind:
    """A kind of control: what makes it, what it claims, and the claim in words."""

    make: Control
    claim: Claim
    words: str


MASK, WEIGHTS = Claim(other_mask=True), Claim(other_weights=True)
SIGNED, PERMUTED = Claim(other_weights=True, same_signs=True), Claim(other_weights=True, same_values=True)

_OWN = {
    "reinit": Kind(redrawn.reinit, WEIGHTS, "the ticket's mask, new initial weights"),
    "reinit-signed": Kind(redrawn.reinit_signed, SIGNED, "the same, with the signs of the ticket's weights"),
    "reinit-trained-signs": Kind(
        redrawn.reinit_trained_signs,
        Claim(other_weights=True, trained_signs=True),
        "the same, with the signs of the trained weights that the mask kept",
    ),
    "constant-signed": Kind(
        redrawn.constant_signed, SIGNED, "those signs times the deviation of the layer's initial weights"
    ),
    "reshuffle": Kind(rearranged.reshuffle, PERMUTED, "the ticket's starting weights, permuted in each layer"),
    "reshuffle-signed": Kind(
        rearranged.reshuffle_signed,
        Claim(other_weights=True, same_values=True, same_signs=True),
        "the same, positive and negative ones apart",
    ),
    **{
        f"noise-{size:g}": Kind(
            rearranged.noise(size),
            WEIGHTS,
            f"its weights with noise of {size:g} deviations of the layer's initial weights",
        )
        for size in (0.5, 1, 2, 3)
    },
    "rewired": Kind(
        rewired,
        Claim(other_mask=True, other_weights=True, other_connections=True),
        "of sparse layers: another random graph of as many connections at every input and output, new initial weights",
    ),
    "random": Kind(
        masks.random, MASK, "its weights under a random mask of each layer's count, which is the mask shuffled"
    ),
    "prune-at-0": Kind(masks.prune_at_0, MASK, "its weights where the initial ones are largest"),
    "inverted": Kind(masks.inverted, MASK, "its weights where the criterion's scores are smallest"),
}
KINDS = Registry(
    "control",
    _OWN,
    lambda control: isinstance(control, Kind) or takes(3)(control),
    "a function (ticket, rng, origin) -> Start",
)
"""By name; one of a user's own is a Kind, or the function alone, which may then differ from its ticket in mask and weights."""


BESIDE = {
    "static": "where --method moves a mask or connections: those that it starts with, kept",
    "rewound": "where a mask is found while training: theta_0 under it, from the start",
}
"""Controls of networks whose mask changes while they train. They draw nothing, so there is one of each."""


def beside(name: str, ticket: Ticket, begun: Start | None) -> Start | None:
    """Return where a control of BESIDE starts, None for others; `begun` is how the training began that found the ticket's mask."""
    if name not in BESIDE:
        return None
    assert begun is not None
    if name == "rewound":
        return ticket.start
    drawn = begun.origin["mask"]
    stays = {"stream": drawn["stream"]} if "stream" in drawn else "ticket"  # all weights
    return dataclasses.replace(begun, revision=None, origin={**begun.origin, "mask": stays})


def begin(name: str, ticket: Ticket, rng: np.random.Generator, origin: Origin) -> Start:
    """Return where a control of a ticket starts, such as "reinit-2", or raise InputError if it came out equal to its ticket.

    It draws from `rng`, of which `origin` says in JSON values where it came from.
    """
    kind = known(name)
    start = kind.make(ticket, rng, origin)
    return dataclasses.replace(start, origin={**start.origin, "differs": check(name, kind.claim, ticket, start)})


def known(name: str) -> Kind:
    """Return the kind of a control, such as "reinit-2"."""
    kind, claim = KINDS[kind_of(name)], Claim(other_mask=True, other_weights=True)
    return kind if isinstance(kind, Kind) else Kind(kind, claim, "a control of the user's own")


def parse_controls(names: str | Control | Iterable[str | Control]) -> tuple[str, ...]:
    """Return the names of controls, from "reinit,random" or a list; "none" is no control at all.

    A second control of a kind is called "reinit-2"; a name that is unknown or given twice raises InputError.
    """
    if callable(names):
        names = [names]
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()] or [names]
    several = names if isinstance(names, Iterable) else [names]
    names = tuple(name if isinstance(name, str) else KINDS.register(name) for name in several)
    if names in ((), ("none",)):
        return ()
    if "none" in names:
        raise InputError(f"'none' means no controls at all; it cannot stand beside others, as in {','.join(names)}")
    for name in names:
        if kind_of(name) not in KINDS and name not in BESIDE:
            raise InputError(f"no control is called {name!r}{near(name, [*KINDS, *BESIDE, 'none'])}")
        if names.count(name) > 1:
            raise InputError(f"the control {name!r} is given twice; call a second one {kind_of(name)}-2")
    return names


def check_controls(names: Iterable[str], model: Module) -> None:
    """Raise InputError where a control is of connections, and a model has none that could be others."""
    found = [name for name in names if kind_of(name) == "rewired"]
    if found and not model.structure():
        raise InputError(
            f"the control {found[0]} draws another graph for sparse layers (nn.SparseLinear), and the model has none: of dense "
            "layers the control random draws another mask"
        )


def starts_anew(name: str) -> bool:
    """Whether a control of this name always starts at iteration 0, however late its ticket does."""
    return kind_of(name) in ("reinit", "reinit-signed", "reinit-trained-signs", "constant-signed", "rewired")
