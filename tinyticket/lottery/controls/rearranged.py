"""The ticket's own starting weights, disturbed, to tell which of their properties it needs.

Biases and buffers are the ticket's. The optimizer begins anew where the ticket's was rewound: what it remembers belongs to
weights at other places.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.start import Start


def reshuffle(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Permute the survivors' weights inside each layer (Zhou et al. 2019)."""
    return _changed(ticket, lambda name, survivors: rng.permutation(survivors), origin)


def reshuffle_signed(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Permute the positive ones among themselves, and the negative ones, so that every place keeps its sign."""

    def permuted(name: str, survivors: np.ndarray) -> np.ndarray:
        shuffled, negative = survivors.copy(), np.signbit(survivors)
        for group in (negative, ~negative):
            shuffled[group] = rng.permutation(survivors[group])
        return shuffled

    return _changed(ticket, permuted, origin)


def noise(size: float) -> Callable[[Ticket, np.random.Generator, dict[str, Any]], Start]:
    """Return a control that adds Gaussian noise of `size` standard deviations of the layer's theta_0 to the survivors.

    (Frankle and Carbin 2019, in their appendix.)
    """

    def noisy(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
        def moved(name: str, survivors: np.ndarray) -> np.ndarray:
            deviation = size * float(ticket.initial[name].std())
            return survivors + rng.normal(0, deviation, survivors.shape).astype(survivors.dtype)

        return _changed(ticket, moved, origin)

    return noisy


def _changed(ticket: Ticket, change: Callable[[str, np.ndarray], np.ndarray], origin: dict[str, Any]) -> Start:
    start, weights = ticket.start, {name: value.copy() for name, value in ticket.start.weights.items()}
    for name, mask in start.masks.items():
        weights[name][mask] = change(name, weights[name][mask])
    of_file = {**start.origin, "weights": {"of": start.origin["weights"], **origin}, "mask": "ticket"}
    return dataclasses.replace(start, weights=weights, origin=of_file, optimizer=None)
