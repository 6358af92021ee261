"""Step 3 of the algorithm: the masks of the next round, by whatever criterion the experiment has."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tinyticket import prune
from tinyticket.compiler.eager import Pair
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.registry import Registry, takes
from tinyticket.lottery.streams import stream
from tinyticket.nn import Module
from tinyticket.nn.targets import split_weights
from tinyticket.prune.initial import NEED_DATA

if TYPE_CHECKING:
    from tinyticket.lottery.plan import Plan
    from tinyticket.lottery.settings import Settings
    from tinyticket.lottery.transfer import Tickets

AT_INIT = {"snip": "snip", "grasp": "grasp", "synflow": "synflow", "magnitude-init": "magnitude"}
AFTER_TRAINING = {"magnitude": "large_final", **{name: name for name in (*prune.CRITERIA, "random")}}
CRITERIA = Registry("criterion", {**AFTER_TRAINING, **AT_INIT}, takes(2), "a function (final, initial) -> scores")
"""By name: what `prune.prune_at_init` or `prune.prune_by` knows; one of a user's own is a function of final and initial weights."""


def ties_of(criterion: str) -> str:
    """Return how ties of a criterion are broken unless somebody says otherwise.

    By index, masks of the criteria TIED would mostly be whole rows at a layer's beginning, a structure that no score is about.
    """
    return "random" if criterion in prune.TIED else "index"


SCOPES = ("layer", *prune.ALLOCATIONS)


def check_pruning(settings: Settings) -> None:
    """Raise InputError unless the settings of pruning go together."""
    criterion, scope, one_shot = settings.criterion, settings.scope, settings.one_shot
    CRITERIA.name_of(criterion)
    if scope not in SCOPES:
        raise InputError(
            f"the scope is 'layer' or 'global', or with one-shot one of {', '.join(SCOPES[2:])}; not {scope!r}"
        )
    if scope in SCOPES[2:] and not one_shot:
        raise InputError(f"the scope {scope!r} shares a density among the layers: give the densities with one-shot")
    if criterion in AT_INIT and not one_shot:
        raise InputError(f"the criterion {criterion!r} prunes before training, once: give the densities with one-shot")
    if criterion in AT_INIT and (settings.rewind != "weights" or settings.rewind_to):
        raise InputError(
            f"the criterion {criterion!r} prunes theta_0 before training, which is where the ticket starts: there is nothing to "
            "rewind; leave rewind and rewind-to out"
        )
    if settings.samples_per_class and AT_INIT.get(criterion) not in NEED_DATA:
        raise InputError(
            "samples-per-class says what the criteria snip and grasp score weights by: leave it out for others"
        )
    if criterion in AT_INIT and settings.ties != "index":
        raise InputError(f"the criterion {criterion!r} breaks ties by index: leave ties out")


@dataclass
class Scores:
    """Scores the survivors of masks by a criterion of trained weights; `rng` is for the random one, and for random ties."""

    criterion: str | prune.Criterion
    initial: State
    rng: np.random.Generator
    ties: str = "index"

    def __call__(self, weights: State, masks: Masks) -> State:
        """Return the scores of weights, 0 where they are pruned."""
        return prune.scores_by(self.criterion, weights, self.initial, masks, self.rng, self.ties)


class Pruner:
    """Prunes in one trial, from theta_0 `initial`, as the settings of its experiment say, or to the masks of `tickets` given.

    Criteria before training compute with a copy of `model` and see one batch of the training examples.
    """

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        trial: int,
        initial: State,
        model: Module,
        examples: Pair,
        tickets: Tickets | None = None,
    ):
        self.settings, self.plan, self.trial, self.initial = settings, plan, trial, initial
        self._model, self._examples, self._tickets = model, examples, tickets

    def prune(self, round: int, trained: State, masks: Masks) -> Masks:
        """Return the masks of a round from what was trained before it, or from theta_0 if the criterion is one before training."""
        if self._tickets:
            return self._tickets.masks(self.trial, round)
        fractions, is_global = self.plan.fractions[round - 1], self.settings.scope == "global"
        if self.settings.criterion in AT_INIT:
            sizes = {} if is_global else self.plan.sizes
            densities = {name: 1 - prune.removed(size, fractions[name]) / size for name, size in sizes.items()}
            return self._before_training(self.plan.densities[round], densities)
        chosen = [name for name, fraction in fractions.items() if fraction] if is_global else list(trained)
        final, initial, before = ({name: of[name] for name in chosen} for of in (trained, self.initial, masks))
        share, scope = (fractions[chosen[0]], "global") if is_global else (fractions, "layer")
        criterion, rng = CRITERIA[self.settings.criterion], self._rng(round)
        return {**masks, **prune.prune_by(criterion, final, initial, before, share, scope, rng, self.settings.ties)}

    def inverted(self, round: int, trained: State, among: Masks, counts: Mapping[str, int]) -> Masks:
        """Return masks of so many weights in each layer, those of `trained` that the criterion would remove first.

        `among` says which of them survive so far.
        """
        if self.settings.criterion in AT_INIT:
            some = {name: max(count, 1) for name, count in counts.items()}  # of a layer that is empty, one for now
            densities = {name: some[name] / size for name, size in self.plan.sizes.items()}
            density = sum(some.values()) / sum(self.plan.sizes.values())
            masks = self._before_training(density, densities, invert=True)
            return {name: mask & bool(counts[name]) for name, mask in masks.items()}
        scores = self.scores(round)(trained, among)
        return prune.keep_counts({name: -score for name, score in scores.items()}, among, counts)

    def scores(self, round: int) -> Scores:
        """Return what scores survivors; a round has its own random ones."""
        return Scores(CRITERIA[self.settings.criterion], self.initial, self._rng(round), self.settings.ties)

    def _before_training(self, density: float, densities: Mapping[str, float], invert: bool = False) -> Masks:
        criterion, allocation = AT_INIT[self.settings.criterion], densities or "global"
        return prune.prune_at_init(
            criterion, self._untrained, density, data=self._batch, allocation=allocation, invert=invert
        )

    @cached_property
    def _untrained(self) -> Module:
        """The network at theta_0, dense."""
        model = copy.deepcopy(self._model)
        for parameter in model.parameters():
            parameter.mask = None
        model.load_state_dict(self.initial)
        return model

    @cached_property
    def _batch(self) -> tuple[np.ndarray, np.ndarray]:
        """One batch of training examples, the same for every density and control of the trial."""
        x, y = self._examples[0], split_weights(self._examples[1])[0]
        order, each = (
            stream(self.settings.seed, self.trial, "criterion").permutation(len(x)),
            self.settings.samples_per_class,
        )
        if not each:
            chosen = order[: self.settings.batch_size]
            return x[chosen], y[chosen]
        chosen = np.concatenate([order[y[order] == label][:each] for label in np.unique(y)])
        return x[chosen], y[chosen]

    def _rng(self, round: int) -> np.random.Generator:
        return stream(self.settings.seed, self.trial, "criterion", round)
