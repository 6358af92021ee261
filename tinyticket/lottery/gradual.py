"""Pruning while training goes on (Zhu and Gupta 2017): a dense start, and fewer weights every few iterations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State

if TYPE_CHECKING:
    from tinyticket.lottery.plan import Plan

Scores = Callable[[State, Masks], State]


def parse_gradual(text: str | Iterable[int] | None) -> tuple[int, ...]:
    """Return (begin, end, every) from "100,400,50" or three numbers; empty for no gradual pruning.

    Raises
    ------
    InputError
        If it is something else.
    """
    try:
        parts = [] if text is None else text.split(",") if isinstance(text, str) else list(text)
        numbers = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        numbers = (-1,)
    if len(numbers) not in (0, 3) or min(numbers, default=0) < 0:
        raise InputError(
            "gradual wants the iterations at which pruning begins and ends and how many lie between, such as 100,400,50; "
            f"got {text!r}"
        )
    return numbers


def check_gradual(
    gradual: tuple[int, ...], iterations: int, one_shot: bool, rewinds: bool, after_training: bool
) -> None:
    """Raise InputError unless the settings of gradual pruning go together."""
    if not gradual:
        return
    if not one_shot or rewinds or not after_training:
        raise InputError(
            "gradual pruning happens in a training that starts at theta_0 and ends at a density: give the densities with "
            "one-shot, a criterion of trained weights, and leave rewind, rewind-to and strategy out"
        )
    begin, end, every = gradual
    prune.cubic_density(begin, 0.5, begin, end)  # both say what is wrong with the iterations
    prune.plan_gradual({"the network": 10**9}, 0.5, begin, end, every)
    if end >= iterations:
        raise InputError(f"gradual pruning ends before the training does, after {iterations} iterations; not at {end}")


class Gradual:
    """The prunings of one training: at each of `iterations` the criterion's smallest go, until the round's counts are reached.

    Parameters
    ----------
    when : (begin, end, every)
    left : dict of int, or int
        Weights to be left at the end, by layer, or in global scope in all.
    sizes : dict of int
        Weights of every layer.
    scores : callable
        (weights, masks) -> what the criterion makes of the survivors.
    """

    def __init__(self, when: tuple[int, ...], left: Mapping[str, int] | int, sizes: Mapping[str, int], scores: Scores):
        self.when, self._left, self._sizes, self._scores = when, left, sizes, scores
        begin, end, every = when
        self.iterations = tuple(range(begin, end + 1, every))

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        """Return the masks after `iteration` iterations."""
        scores = self._scores(weights, masks)
        if not isinstance(self._left, int):
            counts = {name: self._count(iteration, left, self._sizes[name]) for name, left in self._left.items()}
            return prune.keep_counts(scores, masks, counts)
        total = sum(self._sizes.values())
        return prune.keep_density(scores, self._count(iteration, self._left, total) / total, masks)

    def _count(self, iteration: int, left: int, size: int) -> int:
        begin, end, _ = self.when
        return prune.kept(size, prune.cubic_density(iteration, left / size, begin, end))


def gradual_of(plan: Plan, round: int, scope: str, when: tuple[int, ...], scores: Scores) -> Gradual:
    """Return the gradual pruning that ends with the counts of a round."""
    if scope == "global":
        return Gradual(when, plan.weights_left[round], plan.sizes, scores)
    fractions = plan.fractions[round - 1]
    left = {name: size - prune.removed(size, fractions[name]) for name, size in plan.sizes.items()}
    return Gradual(when, left, plan.sizes, scores)
