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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State, reset
from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.methods.method import Method, has_criterion, layer_counts, leaves_theta_0
from tinyticket.lottery.plan import Plan, prunable_sizes
from tinyticket.lottery.start import Start
from tinyticket.lottery.streams import stream
from tinyticket.nn import Module, Parameter
from tinyticket.nn.sources import CONSTANTS, Continuous, EdgePopup, Supermask
from tinyticket.optim.schedules import Constant, Cosine, Schedule
from tinyticket.results import naming

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings
    from tinyticket.lottery.trial import TrialRun
    from tinyticket.store import Run


Scored = Supermask | EdgePopup | Continuous


@dataclass(frozen=True)
class Untrained:
    """How a mask is learned."""

    method: LearnedMask
    counts: dict[str, int]  # weights of each layer that edge-popup keeps; for supermasks, those that there are
    signed_constant: bool  # whether of theta_0 only the signs are taken
    rescale: bool  # for supermasks: whether weights are multiplied by size / sum of the mask
    key: tuple[int, int, int]  # of the random streams: seed, trial, round

    def weights(self, initial: State) -> State:
        """Return a copy of theta_0, or its signed constants, of the layers in `counts`."""
        constant = CONSTANTS[self.method.name] if self.signed_constant else np.copy
        return {name: (constant if name in self.counts else np.copy)(value) for name, value in initial.items()}

    def rescaled(self, weights: State, masks: Masks) -> State:
        """Return weights times size / sum of the mask, where that is done."""
        if not self.rescale:
            return weights
        scaled = dict(weights)
        for name, mask in masks.items():
            scaled[name] = weights[name] * weights[name].dtype.type(mask.size / max(int(np.count_nonzero(mask)), 1))
        return scaled


class LearnedMask(Method):
    """Learns scores of weights that stay at theta_0; a ticket's controls are evaluated without training too.

    Only the control `rewound` is trained: it is what training makes of the ticket.
    """

    words, trains_weights, has_scores = naming.UNTOUCHED, False, True
    trained = "scores"  # or "weights and scores"
    weight_decay = 0.0

    def schedule(self, iterations: int) -> Schedule:
        """Return how the learning rate of the scores changes."""
        return Constant()

    def sources(self, how: Untrained, weights: Mapping[str, Parameter], settings: Settings) -> Mapping[str, Scored]:
        """Return the scores of each layer, and how they make its mask; the weights have the values of the start."""
        raise NotImplementedError

    def check(self, settings: Settings) -> None:
        self.check_controls(settings)
        if "score_lr" in self.own and not 0 < settings.score_lr < math.inf:
            raise InputError(f"the learning rate of the scores is above 0; got {settings.score_lr}")

    def trains(self, control: str) -> bool:
        return control == "rewound"

    def score_settings(self, settings: Settings) -> Settings:
        """Return the settings by which scores are trained."""
        lr, schedule, decay = settings.score_lr, self.schedule(settings.iterations), self.weight_decay
        return dataclasses.replace(settings, optimizer="momentum", lr=lr, schedule=schedule, weight_decay=decay)

    def start(self, trial: TrialRun, round: int) -> Start:
        return self.untrained_start(trial.settings, trial.plan, trial.number, round, trial.initial)

    def untrained_start(self, settings: Settings, plan: Plan, trial: int, round: int, initial: State) -> Start:
        """Return the start of a round in which a mask of untrained weights is learned."""
        counts = layer_counts(plan, round) if settings.one_shot else dict(plan.sizes)
        weights = "constant" if settings.signed_constant else "init"
        origin = {"weights": weights, "mask": self.name, "statistics": "init"}
        key = settings.seed, trial, round
        how = Untrained(self, counts, settings.signed_constant, settings.rescale, key)
        masks = {name: np.ones(initial[name].shape, bool) for name in plan.sizes}
        return Start(masks, how.weights(initial), origin, untrained=how)

    def ticket(self, trial: TrialRun, round: int, start: Start, run: Run) -> Ticket:
        """Return the ticket that a learned mask makes, for its controls.

        Whatever weights they have, they are made constants and rescaled as the ticket's are.
        """
        how = start.untrained
        assert how is not None
        source = how.rescaled(start.weights, run.masks)
        found = Start(run.masks, reset(source, run.masks), {**start.origin, "mask": "ticket"}, trains=False)
        scores = {name: -self.strength(score) for name, score in run.scores.items()}
        return Ticket(
            start=found,
            source=source,
            among=start.masks,
            inverted=lambda: prune.keep_counts(scores, start.masks, found.counts),
            initial=trial.initial,
            draw=lambda rng: how.rescaled(how.weights(trial.draw(rng)), run.masks),
            trained=start.weights,
            network=trial.network,
        )

    def strength(self, score: np.ndarray) -> np.ndarray:
        """Return how much scores speak for keeping their weights."""
        return score


class OneRound(LearnedMask):
    """A learned mask that finds its density, in one round."""

    def check(self, settings: Settings) -> None:
        super().check(settings)
        other = leaves_theta_0(settings) or has_criterion(settings)
        if other or settings.one_shot or settings.rounds != 1 or settings.prune:
            raise InputError(
                f"{self.name} has one round, whose density it finds, and starts at theta_0: leave one-shot, rounds, prune, "
                "criterion, ties, gradual, mask-0, rewind, rewind-to and strategy out"
            )

    def plan(self, model: Module, settings: Settings) -> Plan:
        """Return the one round; with its first scores, a learned mask keeps a weight half of the time."""
        sizes = prunable_sizes(model)
        return Plan(sizes, [], [sum(sizes.values()), sum(sizes.values()) // 2])

    def is_planned(self, settings: Settings) -> bool:
        return False


class SupermaskMethod(OneRound):
    """A probability of each weight is learned (Zhou et al. 2019), in one round, whose density it finds."""

    name = "supermask"
    defaults: ClassVar = {"score_lr": 100.0, "rounds": 1, "prune": {}}
    own = ("signed_constant", "score_lr", "rescale")

    def sources(self, how, weights, settings):
        seed, trial, round = how.key
        draws, thresholds = (stream(seed, trial, purpose, round) for purpose in ("supermask", "supermask-evaluation"))
        found = {}
        for name, weight in weights.items():
            found[name] = Supermask(weight.data, draws, thresholds.random(weight.shape, np.float32), how.rescale)
        return found


class EdgePopupMethod(LearnedMask):
    """A score of each weight is learned, and the highest of each layer are kept (Ramanujan et al. 2020)."""

    name, weight_decay, takes_matrices = "edge-popup", 1e-4, True
    defaults: ClassVar = {"score_lr": 0.1, "scope": "uniform"}
    own = ("signed_constant", "score_lr")

    def check(self, settings: Settings) -> None:
        super().check(settings)
        Method.check(self, settings)
        self.check_layerwise(settings)

    def schedule(self, iterations: int) -> Schedule:
        return Cosine(iterations)

    def sources(self, how, weights, settings):
        seed, trial, round = how.key
        rng = stream(seed, trial, "scores", round)
        return {name: EdgePopup(weight.data, how.counts[name], rng) for name, weight in weights.items()}

    def strength(self, score: np.ndarray) -> np.ndarray:
        return np.abs(score)
