"""What makes a trained weight worth keeping: the mask criteria of Zhou, Lan, Liu and Yosinski (2019, section 2).

Each criterion is a function (final, initial) -> scores of one layer's surviving weights, and the largest scores are kept.
`final` are the weights at the end of training, `initial` those at its beginning. `prune_by` makes masks of scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.prune.selection import Arrays, Masks, keep_largest, without_ties

Criterion = Callable[[np.ndarray, np.ndarray], np.ndarray]


def large_final(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """|w_f|: keep what ended far from zero, the criterion of Frankle and Carbin (2019)."""
    return np.abs(final)


def small_final(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """-|w_f|: keep what ended near zero, the opposite of large_final."""
    return -np.abs(final)


def large_init(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """|w_i|: keep what began far from zero; needs no training."""
    return np.abs(initial)


def small_init(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """-|w_i|: keep what began near zero."""
    return -np.abs(initial)


def large_init_large_final(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """min(a |w_f|, |w_i|): keep what was far from zero at both ends.

    The authors' code chooses the scale `a` such that both bounds cut at the same percentile: a weight stays if its |w_f| and its
    |w_i| both lie above the q-th percentile of the layer's surviving weights, and q is what gives the count wanted. That is the
    smaller of the weight's two percentiles as a score, which is what this returns, in [0, 1); `a` itself is the ratio of the
    two q-th percentiles and depends on the count. The authors search q by bisection, which can stop a few weights away; the score
    meets the count exactly.
    """
    return np.minimum(_percentile(np.abs(final)), _percentile(np.abs(initial)))


def small_init_small_final(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """-max(a |w_f|, |w_i|): keep what was near zero at both ends; `a` as in large_init_large_final."""
    return np.minimum(_percentile(-np.abs(final)), _percentile(-np.abs(initial)))


def magnitude_increase(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """|w_f| - |w_i|: keep what moved away from zero most."""
    return np.abs(final) - np.abs(initial)


def movement(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """|w_f - w_i|: keep what moved most, in whatever direction."""
    return np.abs(final - initial)


def same_sign(criterion: Criterion) -> Criterion:
    """Score 0 where training changed the sign: of equal magnitude, what kept its sign comes first.

    Scores of magnitude_increase can be negative: there a weight that changed its sign comes before one that shrank, as in the
    authors' code.
    """

    def scores(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
        return np.where(np.sign(final) == np.sign(initial), criterion(final, initial), 0)

    return scores


def diff_sign(criterion: Criterion) -> Criterion:
    """Score 0 where training kept the sign: the opposite of same_sign, and a control of it."""

    def scores(final: np.ndarray, initial: np.ndarray) -> np.ndarray:
        return np.where(np.sign(final) != np.sign(initial), criterion(final, initial), 0)

    return scores


CRITERIA: dict[str, Criterion] = {
    "large_final": large_final,
    "small_final": small_final,
    "large_init": large_init,
    "small_init": small_init,
    "large_init_large_final": large_init_large_final,
    "small_init_small_final": small_init_small_final,
    "magnitude_increase": magnitude_increase,
    "movement": movement,
    "large_final_same_sign": same_sign(large_final),
    "large_final_diff_sign": diff_sign(large_final),
    "magnitude_increase_same_sign": same_sign(magnitude_increase),
    "magnitude_increase_diff_sign": diff_sign(magnitude_increase),
}
"""The criteria by name; `prune_by` knows "random" too, which looks at no weight and needs a generator instead."""


TIED = ("large_final_diff_sign", "magnitude_increase_diff_sign")
"""Criteria that give most weights the score 0, as training changes few signs: most of a mask is then decided among equal scores."""
TIES = ("index", "random")


def prune_by(
    criterion: str | Criterion,
    final: Arrays,
    initial: Arrays,
    masks: Arrays | None = None,
    fraction: float | Mapping[str, float] = 0.2,
    scope: str = "layer",
    rng: Any = None,
    ties: str = "index",
) -> Masks:
    """Remove the surviving weights whose scores are smallest.

    Parameters
    ----------
    criterion
        A name in CRITERIA, "random", or a function of your own, which is given a layer's surviving weights as two flat arrays.
    final, initial
        Trained and initial weights by layer, of equal names and shapes.
    masks
        What survives so far, True for survivors; None for everything. Pruned weights take no part, whatever their score.
    fraction
        How much of the survivors is removed: a number in (0, 1), or in layer scope one per layer (0 leaves a layer alone).
    scope : {"layer", "global"}
        Whether scores are compared within a layer (as in the paper) or over all of them.
    rng : Generator or int
        Where the choice of "random" comes from, and that among equal scores.
    ties : {"index", "random"}
        Which of equal scores go first: those of higher flat index, or random ones, as in the authors' code.

    Returns
    -------
    dict of boolean arrays
        The new masks: exactly floor(fraction * survivors + 1/2) fewer True values.

    Raises
    ------
    InputError
        If the criterion or the way with ties is unknown, names or shapes differ, a score is not a number, or rng is missing.
    """
    ends = {name: np.asarray(weight) for name, weight in final.items()}
    starts = {name: np.asarray(weight) for name, weight in initial.items()}
    if masks is None:
        masks = {name: np.ones(weight.shape, bool) for name, weight in ends.items()}
    kept = {name: np.asarray(mask) for name, mask in masks.items()}
    for name, end in ends.items():
        if name not in starts or starts[name].shape != end.shape:
            found = f"has shape {starts[name].shape}" if name in starts else "is missing"
            raise InputError(f"the initial weight of {name} {found}, but the final one has shape {end.shape}")
        if name not in kept or kept[name].shape != end.shape or kept[name].dtype != bool:
            raise InputError(f"the mask of {name} is missing, or not boolean of shape {end.shape}")
    return keep_largest(scores_by(criterion, ends, starts, kept, rng, ties), kept, fraction, scope)


def scores_by(
    criterion: str | Criterion, final: Arrays, initial: Arrays, masks: Arrays, rng: Any = None, ties: str = "index"
) -> dict[str, np.ndarray]:
    """Return the scores of surviving weights, 0 where they are pruned; arguments as of `prune_by`.

    Where ties are random, ranks stand for scores: in their order, and no two of them equal.
    """
    if ties not in TIES:
        raise InputError(f"ties are broken by {' or '.join(TIES)}, not by {ties!r}")
    drawn = "the criterion 'random' needs" if criterion == "random" else "random ties need" if ties == "random" else ""
    if drawn and rng is None:
        raise InputError(f"{drawn} rng, a generator or a seed")
    generator = np.random.default_rng(rng)
    if criterion == "random":
        score: Criterion = lambda final, initial: generator.random(final.shape)  # noqa: E731
    elif isinstance(criterion, str):
        if criterion not in CRITERIA:
            raise InputError(f"no criterion is called {criterion!r}{near(criterion, [*CRITERIA, 'random'])}")
        score = CRITERIA[criterion]
    else:
        score = criterion
    scores = {name: np.zeros(mask.shape) for name, mask in masks.items()}
    for name, mask in masks.items():
        own = np.asarray(score(final[name][mask], initial[name][mask]))
        if own.shape != (np.count_nonzero(mask),):
            raise InputError(
                f"a criterion returns one score a weight: of {name} {np.count_nonzero(mask)}, not an array of shape {own.shape}"
            )
        scores[name][mask] = own
    return without_ties(scores, masks, generator) if ties == "random" else scores


def _percentile(values: np.ndarray) -> np.ndarray:
    """Return for each value the share of all values that are smaller; not a number stays what it is."""
    shares = np.searchsorted(np.sort(values), values) / max(values.size, 1)
    return np.where(np.isnan(values), np.nan, shares)
