"""How far weights move in training: those that stay, those that are pruned next, and whether they cross zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyticket.results.analyses.analysis import Analysis, Found, means
from tinyticket.results.result import Result, check_unmoved
from tinyticket.results.round import Round, Trial


def movement(result: Result) -> Analysis:
    """Return how far surviving and pruned weights moved from their initial values, in means over trials.

    Of every ticket, and of every layer: the mean |trained - initial| of the weights that the next round keeps and of those that
    it prunes, the former's share of changed signs, and the magnitudes that both started from. Frankle and Carbin (2019,
    appendix F) find that winning-ticket weights move more than others; Zhou et al. (2019) that their signs are what matters.
    """
    check_unmoved(result, "movement compares weights at the same places")
    found = means(_by_layer(result))
    rows = [{"round": n, "density": moved.pop("density"), "layer": name, **moved} for n, name, moved in found]
    title = "Mean distance from the initial value, of weights that stay and that the next pruning removes"
    return Analysis(title, rows, "density", ("kept_moved", "pruned_moved", "kept_flipped"), "layer")


def _by_layer(result: Result) -> Iterator[tuple[int, str, Found]]:
    for trial in result.trials:
        initial = result.init(trial.number)
        for round, after in _successors(result, trial):
            trained = round.trained
            for name, mask in round.masks.items():
                keeps = after.masks[name] if after else mask
                yield round.number, name, {"density": round.density, **_of(initial[name], trained[name], mask, keeps)}


def _successors(result: Result, trial: Trial) -> list[tuple[Round, Round | None]]:
    """Pair every round with the one that was pruned from it."""
    rounds = trial.rounds
    if result.config.get("one_shot"):  # every round was pruned from the dense network
        return [(rounds[0], None), *[(round, None) for round in rounds[1:]]]
    return list(zip(rounds, [*rounds[1:], None], strict=True))


def _of(initial: np.ndarray, trained: np.ndarray, mask: np.ndarray, keeps: np.ndarray) -> Found:
    moved, pruned = np.abs(trained - initial), mask & ~keeps
    return {
        "kept_moved": _average(moved[keeps]),
        "pruned_moved": _average(moved[pruned]),
        "kept_started": _average(np.abs(initial[keeps])),
        "pruned_started": _average(np.abs(initial[pruned])),
        "kept_flipped": _average((np.signbit(trained) != np.signbit(initial))[keeps]),
    }


def _average(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
