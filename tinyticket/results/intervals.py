"""Confidence intervals and tests of paired comparisons over trials: Student's t, never surer than what was measured allows."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95

FEWEST = 3
"""Trials for a verdict: two often agree by chance."""


@dataclass(frozen=True)
class Interval:
    """A mean over trials and where the true one lies, with 95% confidence; without bounds for a single trial.

    Each bound alone is wrong in 2.5% of all cases: whoever claims that the truth is above `low` errs that often.
    """

    mean: float
    low: float
    high: float
    trials: int
    error: float = math.inf  # standard error of the mean; of a ratio, of its logarithm

    def p_above(self, bound: float) -> float:
        """Return the p-value of the claim that the true mean is above a bound; trials without any scatter prove nothing."""
        if not self.error:
            return 1.0
        return _tail((self.mean - bound) / self.error, self.trials)

    def p_below_one(self) -> float:
        """Return the p-value of the claim that a true ratio is below 1."""
        return _tail(-math.log(self.mean) / self.error, self.trials)

    def bound(self, level: float) -> float:
        """Return what the true mean is above, but for a chance of `level`."""
        return self.mean - _student(self.trials - 1, 1 - 2 * level) * self.error if self.trials > 1 else -math.inf

    def trials_needed(self, bound: float, level: float, most: int = 1000) -> int | None:
        """Return how many trials prove in four of five cases that the mean is above a bound, or None if so many would not.

        Mean and deviation are taken to stay what they are.
        """
        for trials in range(self.trials, most) if self.mean > bound and self.error else ():
            error = self.error * math.sqrt(self.trials / trials)
            if (self.mean - bound) / error >= _student(trials - 1, 1 - 2 * level) + _student(trials - 1, 0.6):
                return trials
        return None

    def plain(self) -> dict[str, float | None]:
        """Return mean and bounds as JSON values, None for bounds that there are not."""
        low, high = (bound if math.isfinite(bound) else None for bound in (self.low, self.high))
        return {"mean": self.mean, "low": low, "high": high}


def interval(values: ArrayLike, grain: float = 0.0) -> Interval:
    """Return the interval of the mean of independent values, one a trial (Student 1908).

    If they are differences within trials, what the trial's networks share cancels. `grain` is the step in which values can be told
    apart (accuracies come in steps of one test example). A few trials often give equal values by chance; the standard deviation is
    therefore taken as no less than that of rounding to this step, grain / sqrt(12).
    """
    each = np.asarray(values, float)
    mean, trials = float(each.mean()), len(each)
    if trials < 2:
        return Interval(mean, -math.inf, math.inf, trials)
    deviation = max(float(each.std(ddof=1)), grain / math.sqrt(12))
    error = deviation / math.sqrt(trials)
    reach = _student(trials - 1) * error
    return Interval(mean, mean - reach, mean + reach, trials, error)


def ratio_interval(ours: ArrayLike, theirs: ArrayLike, grain: float = 0.0) -> Interval | None:
    """Return the interval of the ratio of paired positive values: the geometric mean of ours / theirs, trial by trial.

    Ratios vary by factors, so their logarithms are averaged. None if a value is zero: there is no ratio then.
    """
    above, below = np.asarray(ours, float), np.asarray(theirs, float)
    if not (above.all() and below.all()):
        return None
    relative = grain * float(np.mean(np.hypot(1 / above, 1 / below)))
    logs = interval(np.log(above / below), relative)
    return Interval(_exp(logs.mean), _exp(logs.low), _exp(logs.high), logs.trials, logs.error)


def _exp(value: float) -> float:
    """Return e to a power, infinity where that is no float."""
    return math.exp(value) if value < math.log(sys.float_info.max) else math.inf


def difference_interval(ours: ArrayLike, theirs: ArrayLike, grain: float = 0.0) -> Interval:
    """Return the interval of the difference of two independent means, ours - theirs (Welch 1947)."""
    sides = np.asarray(ours, float), np.asarray(theirs, float)
    mean, fewest = float(sides[0].mean() - sides[1].mean()), min(map(len, sides))
    if fewest < 2:
        return Interval(mean, -math.inf, math.inf, fewest)
    least = grain**2 / 12
    parts = [max(float(values.var(ddof=1)), least) / len(values) for values in sides]
    error = math.sqrt(sum(parts))
    if error == 0:
        return Interval(mean, mean, mean, fewest)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(values) - 1) for part, values in zip(parts, sides, strict=True))
    reach = _student(freedom) * error
    return Interval(mean, mean - reach, mean + reach, fewest)


def holm(p: Sequence[float], together: float, each: float) -> tuple[list[bool], float]:
    """Return which claims are proved, and the level at which the others were tested (Holm 1979).

    Of the claims with p-values `p`, the chance that any is wrong is at most `together`, however they depend on each other, and that
    a single test is wrong at most `each`. There is no order in which one that fails by bad luck could hide others.
    """
    proved = [False] * len(p)
    level = min(each, together / max(len(p), 1))
    for i in sorted(range(len(p)), key=lambda i: p[i]):
        level = min(each, together / (len(p) - sum(proved)))
        if not p[i] <= level:
            break
        proved[i] = True
    return proved, level


def _tail(t: float, trials: int) -> float:
    """Return the chance that Student's t is above a value."""
    from scipy import special

    return float(special.stdtr(trials - 1, -t)) if trials > 1 else 1.0


def _student(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's distribution."""
    from scipy import special  # here, because a training does not need it and starts 0.1 s sooner

    return float(special.stdtrit(freedom, (1 + confidence) / 2))
