"""Pruning while training goes on (Zhu and Gupta 2017): a dense start, and fewer weights every few iterations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.methods.method import Method, layer_counts
from tinyticket.lottery.pruning import AT_INIT, Scores
from tinyticket.lottery.revision import Revision
from tinyticket.lottery.rewinding import changes_reset
from tinyticket.lottery.start import Start
from tinyticket.results import naming

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings
    from tinyticket.lottery.trial import TrialRun


def parse_gradual(text: str | Iterable[int] | None) -> tuple[int, ...]:
    """Return (begin, end, every) from "100,400,50" or three numbers; empty for no gradual pruning."""
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


class Gradual(Revision):
    """The prunings of one training: at each of `iterations` the criterion's smallest go, until the round's counts are reached.

    `when` is (begin, end, every), `left` the weights to be left at the end, by layer or in global scope in all, of `sizes`.
    """

    def __init__(
        self,
        when: tuple[int, ...],
        left: Mapping[str, int] | int,
        sizes: Mapping[str, int],
        scores: Scores | Callable[[State, Masks], State],
    ):
        self.when, self._left, self._sizes, self._scores = when, left, sizes, scores
        begin, end, every = when
        self.iterations = tuple(range(begin, end + 1, every))

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        scores = self._scores(weights, masks)
        if not isinstance(self._left, int):
            counts = {name: self._count(iteration, left, self._sizes[name]) for name, left in self._left.items()}
            return prune.keep_counts(scores, masks, counts)
        total = sum(self._sizes.values())
        return prune.keep_density(scores, self._count(iteration, self._left, total) / total, masks)

    def state(self) -> tuple[dict[str, Any], State] | None:
        if not isinstance(self._scores, Scores):  # of a function nobody knows what it depends on
            return None
        return {"generator": self._scores.rng.bit_generator.state}, {}

    def restore(self, values: dict[str, Any], arrays: State) -> None:
        assert isinstance(self._scores, Scores)
        self._scores.rng.bit_generator.state = values["generator"]

    def _count(self, iteration: int, left: int, size: int) -> int:
        begin, end, _ = self.when
        return prune.kept(size, prune.cubic_density(iteration, left / size, begin, end))


class GradualPruning(Method):
    """Prunes in the course of a training from theta_0, in which each round ends at its density."""

    name, words, has_scores = "gradual", naming.GRADUAL, True

    def check(self, settings: Settings) -> None:
        self.check_controls(settings)
        after_training = settings.criterion not in AT_INIT
        if not settings.one_shot or changes_reset(settings) or settings.mask_0 != "zero" or not after_training:
            raise InputError(
                "gradual pruning happens in a training that starts at theta_0 and ends at a density: give the densities with "
                "one-shot, a criterion of trained weights, and leave mask-0, rewind, rewind-to and strategy out"
            )
        begin, end, every = settings.gradual
        prune.cubic_density(begin, 0.5, begin, end)  # both raise InputError for iterations that make no schedule
        prune.plan_gradual({"the network": 10**9}, 0.5, begin, end, every)
        if end >= settings.iterations:
            raise InputError(
                f"gradual pruning ends before the training does, after {settings.iterations} iterations; not at {end}"
            )

    def start(self, trial: TrialRun, round: int) -> Start:
        settings, plan = trial.settings, trial.plan
        left = plan.weights_left[round] if settings.scope == "global" else layer_counts(plan, round)
        return trial.dense_start("gradual", Gradual(settings.gradual, left, plan.sizes, trial.pruner.scores(round)))
