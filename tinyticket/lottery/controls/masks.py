"""What the ticket's weights were chosen from, under another mask of the same counts, to tell whether the choice matters.

Where weights stay as trained (learning-rate rewinding, fine-tuning), what is gone is zero, so other masks choose from the
survivors of the network before, as the ticket's did.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tinyticket import prune
from tinyticket.lottery.algorithm import Masks, reset
from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.start import Start


def random(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Choose at random which weights survive."""
    if all(mask.all() for mask in ticket.among.values()):
        return _under(ticket, prune.random(ticket.start.masks, rng), origin)
    scores = {name: rng.random(mask.shape) for name, mask in ticket.among.items()}
    return _under(ticket, prune.keep_counts(scores, ticket.among, ticket.start.counts), origin)


def prune_at_0(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Keep the largest weights of theta_0, which have seen no training (Frankle and Carbin 2019, in their appendix)."""
    scores = {name: np.abs(ticket.initial[name]) for name in ticket.among}
    return _under(ticket, prune.keep_counts(scores, ticket.among, ticket.start.counts), "init")


def inverted(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Keep the weights with the smallest scores, those that the criterion would remove first (Frankle et al. 2021)."""
    return _under(ticket, ticket.inverted(), "inverted")


def _under(ticket: Ticket, masks: Masks, origin: Any) -> Start:
    start = ticket.start
    return dataclasses.replace(
        start, masks=masks, weights=reset(ticket.source, masks), origin={**start.origin, "mask": origin}
    )
