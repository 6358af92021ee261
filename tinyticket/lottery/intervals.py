"""Confidence intervals of paired comparisons over trials: Student's t, never narrower than what was measured allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over trials and where the true one lies, with 95% confidence; without bounds for a single trial.

    Attributes
    ----------
    mean : float
    low, high : float
        Each bound alone is wrong in 2.5% of all cases: whoever claims that the truth is above `low` errs that often.
    trials : int
    """

    mean: float
    low: float
    high: float
    trials: int

    def plain(self) -> dict[str, float | None]:
        """Return mean and bounds as JSON values, None for bounds that there are not."""
        low, high = (bound if math.isfinite(bound) else None for bound in (self.low, self.high))
        return {"mean": self.mean, "low": low, "high": high}


def interval(values: ArrayLike, grain: float = 0.0, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of the mean of independent values, one a trial (Student 1908).

    Parameters
    ----------
    values
        One for each trial; if they are differences within trials, what the trial's networks share cancels.
    grain : float
        The step in which values can be told apart (accuracies come in steps of one test example). A few trials often give equal
        values by chance; the standard deviation is therefore taken as no less than that of rounding to this step, grain / sqrt(12).
    confidence : float
        Probability that the interval holds the true mean.
    """
    each = np.asarray(values, float)
    mean, trials = float(each.mean()), len(each)
    if trials < 2:
        return Interval(mean, -math.inf, math.inf, trials)
    deviation = max(float(each.std(ddof=1)), grain / math.sqrt(12))
    reach = _student(trials - 1, confidence) * deviation / math.sqrt(trials)
    return Interval(mean, mean - reach, mean + reach, trials)


def ratio_interval(
    ours: ArrayLike, theirs: ArrayLike, grain: float = 0.0, confidence: float = CONFIDENCE
) -> Interval | None:
    """Return the interval of the ratio of paired positive values: the geometric mean of ours / theirs, trial by trial.

    Ratios vary by factors, so their logarithms are averaged. None if a value is zero: there is no ratio then.
    """
    above, below = np.asarray(ours, float), np.asarray(theirs, float)
    if not (above.all() and below.all()):
        return None
    relative = grain * float(np.mean(np.hypot(1 / above, 1 / below)))
    logs = interval(np.log(above / below), relative, confidence)
    return Interval(
        math.exp(logs.mean), math.exp(logs.low), math.exp(logs.high) if logs.trials > 1 else math.inf, logs.trials
    )


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
    reach = _student(freedom, CONFIDENCE) * error
    return Interval(mean, mean - reach, mean + reach, fewest)


def _student(freedom: float, confidence: float) -> float:
    """Return the two-sided quantile of Student's distribution."""
    from scipy import special  # here, because a training does not need it and starts 0.1 s sooner

    return float(special.stdtrit(freedom, (1 + confidence) / 2))
