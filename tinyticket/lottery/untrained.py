"""Masks of weights that are never trained: which weights, with which settings, and what the masks are compared with.

What is trained are scores of the weights (`nn.sources`), by SGD with momentum 0.9 and otherwise as the papers' authors did:

* "supermask" (Zhou et al. 2019): learning rate 100, constant. Theirs ran for 2000 epochs of batches of 250.
* "edge-popup" (Ramanujan et al. 2020): learning rate 0.1, falling along half a cosine to 0, weight decay 1e-4. Theirs ran for 100
  epochs of batches of 128.

Length and batches are those of the experiment. A learned supermask is evaluated, while it is learned and at the end, by one mask
drawn from its probabilities; the authors draw too, and average the accuracy of ten draws at the end.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State, reset
from tinyticket.lottery.controls.ticket import Draw, Ticket
from tinyticket.lottery.start import Start
from tinyticket.nn.sources import CONSTANTS
from tinyticket.optim.schedules import Constant, Cosine

if TYPE_CHECKING:
    from tinyticket.lottery.plan import Plan
    from tinyticket.lottery.settings import Settings
    from tinyticket.store import Run

RATES = {"supermask": 100.0, "edge-popup": 0.1}
UNTRAINED = tuple(RATES)
ONLY_FOR = {"signed_constant": UNTRAINED, "score_lr": UNTRAINED, "rescale": ("supermask",)}


@dataclass(frozen=True)
class Untrained:
    """How a mask is learned.

    Attributes
    ----------
    method : {"supermask", "edge-popup"}
    counts : dict of int
        Weights of each layer that edge-popup keeps; for supermasks, those that there are.
    signed_constant : bool
        Whether of theta_0 only the signs are taken.
    rescale : bool
        For supermasks: whether weights are multiplied by size / sum of the mask.
    key : (seed, trial, round)
        Of the random streams.
    """

    method: str
    counts: dict[str, int]
    signed_constant: bool
    rescale: bool
    key: tuple[int, int, int]

    def weights(self, initial: State) -> State:
        """Return a copy of theta_0, or its signed constants, of the layers in `counts`."""
        constant = CONSTANTS[self.method] if self.signed_constant else np.copy
        return {name: (constant if name in self.counts else np.copy)(value) for name, value in initial.items()}

    def rescaled(self, weights: State, masks: Masks) -> State:
        """Return weights times size / sum of the mask, where that is done."""
        if not self.rescale:
            return weights
        factors = {name: mask.size / max(int(np.count_nonzero(mask)), 1) for name, mask in masks.items()}
        return {
            name: value * value.dtype.type(factors[name]) if name in factors else value
            for name, value in weights.items()
        }


def check_untrained(settings: Settings) -> None:
    """Raise InputError unless settings of untrained weights come with a method that leaves them untrained."""
    for name, methods in ONLY_FOR.items():
        if getattr(settings, name) and settings.method not in methods:
            raise InputError(
                f"{name.replace('_', '-')} is a setting of the method {' or '.join(methods)}, not of {settings.method}"
            )
    if settings.method in UNTRAINED and not 0 < settings.score_lr < math.inf:
        raise InputError(f"the learning rate of the scores is above 0; got {settings.score_lr}")


def score_settings(settings: Settings) -> Settings:
    """Return the settings by which scores are trained."""
    cosine = settings.method == "edge-popup"
    return dataclasses.replace(
        settings,
        lr=settings.score_lr,
        optimizer="momentum",
        schedule=Cosine(settings.iterations) if cosine else Constant(),
        weight_decay=1e-4 if cosine else 0.0,
    )


def untrained_start(settings: Settings, plan: Plan, trial: int, round: int, initial: State) -> Start:
    """Return the start of a round in which a mask of untrained weights is learned."""
    sizes = plan.sizes
    counts = dict(sizes)
    if settings.one_shot:
        fractions = plan.fractions[round - 1]
        counts = {name: size - prune.removed(size, fractions[name]) for name, size in sizes.items()}
    origin = {
        "weights": "constant" if settings.signed_constant else "init",
        "mask": settings.method,
        "statistics": "init",
    }
    key = settings.seed, trial, round
    how = Untrained(settings.method, counts, settings.signed_constant, settings.rescale, key)
    masks = {name: np.ones(initial[name].shape, bool) for name in sizes}
    return Start(masks, how.weights(initial), origin, untrained=how)


def untrained_ticket(start: Start, run: Run, initial: State, draw: Draw) -> Ticket:
    """Return the ticket that a learned mask makes, for its controls; neither is trained.

    Whatever weights they have, they are made constants and rescaled as the ticket's are.
    """
    how = start.untrained
    assert how is not None
    source = how.rescaled(start.weights, run.masks)
    found = dataclasses.replace(
        start,
        masks=run.masks,
        weights=reset(source, run.masks),
        origin={**start.origin, "mask": "ticket"},
        untrained=None,
        trains=False,
    )
    scores = {name: -(np.abs(score) if how.method == "edge-popup" else score) for name, score in run.scores.items()}
    return Ticket(
        start=found,
        source=source,
        among=start.masks,
        inverted=lambda: prune.keep_counts(scores, start.masks, found.counts),
        initial=initial,
        draw=lambda rng: how.rescaled(how.weights(draw(rng)), run.masks),
    )
