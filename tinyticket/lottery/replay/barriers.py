"""Error barriers between the networks of a file: from each ticket to the one before it and to the dense network, without training.

Paul et al. (2023, arXiv 2210.03044): at high sparsity, networks of successive rounds are linearly connected if and only if they
match the dense network's accuracy, so a mask tells a rewound network in which valley to end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.replay.again import Again, chosen_rounds
from tinyticket.lottery.replay.instability import STABLE, barrier, curve_between
from tinyticket.results.analyses.analysis import Analysis, Found, means
from tinyticket.results.result import Result, check_unmoved, with_frozen
from tinyticket.results.round import Round, Trial

POINTS = 11
"""Networks on a line, its ends among them, as in the code of Oh, Baik and Lee (2025)."""


class Network(NamedTuple):
    """A trained network, the values of frozen weights among its own."""

    masks: Masks
    state: State


def barriers(result: Result, rounds: Iterable[int] | None = None, **options: Any) -> Analysis:
    """Return how far the test error rises on the lines from tickets, and from their controls, to other networks of the file.

    With E the test error, the error on the way rises by max_a E(a w + (1 - a) w') - (E(w) + E(w')) / 2, the "barrier" as
    `instability` has it, and above the straight line between the errors of both ends by "over_line",
    max_a [E(a w + (1 - a) w') - a E(w) - (1 - a) E(w')]. A network that has got worse has a barrier to a good one even where
    the error only falls on the way, and nothing over the line. A control stands where its ticket does, on lines to the same
    networks: if `reinit` or `random` were as well connected, weights or mask would have nothing to do with it. A control with other
    connections (`rewired`) is on no line: its weights belong to other places.

    Parameters
    ----------
    result
    rounds
        Which; all from 1 on if not given.
    **options
        Those of `Again`.

    Returns
    -------
    Analysis
        A row for each round and network, in means over trials: its test error, how much larger that is than the dense network's,
        and of the lines to the dense network and to the ticket of the round before ("before", None after one-shot pruning) barrier,
        rise over the line, and the share of trials in which that is below 0.02.

    Raises
    ------
    InputError
        If there is no such round, connections of a ticket moved, or data or network cannot be had any more.
    """
    check_unmoved(result, "barriers compares weights at the same places")
    chosen = [(trial, round) for trial, round in chosen_rounds(result, rounds) if round.number]
    again = Again(result, **options)
    found = (each for trial, round in chosen for each in _of_round(again, trial, round))
    rows = [{"round": number, "network": name, **values} for number, name, values in means(found)]
    title = "Largest error above the line between the errors of two networks"
    y = ("before_over_line", "dense_over_line")
    return Analysis(title, rows, "density", y, "network", metric=result.metric)


def over_line(errors: np.ndarray) -> float:
    """Return max_a [E(a) - a E(1) - (1 - a) E(0)] of errors at evenly spaced a from 0 to 1, both ends among them."""
    return float(np.max(errors - np.linspace(errors[0], errors[-1], len(errors))))


def _of_round(again: Again, trial: Trial, round: Round) -> Iterator[tuple[int, str, Found]]:
    """Yield round and name of a ticket and of its controls, with what is measured on their lines."""
    dense = _network(trial.rounds[0])
    follows = not again.result.config.get("one_shot")
    before = _network(trial.rounds[round.number - 1]) if follows and round.number > 1 else dense
    for name, run in {"ticket": round, **round.controls}.items():
        if run.moved:
            continue
        network = _network(run)
        to_dense = _between(again, network, dense)
        to_before = to_dense if before is dense else _between(again, network, before)
        error = 1 - run.final_test_accuracy
        found: Found = {"density": run.density, "error": error}
        found["over_dense"] = error - (1 - trial.rounds[0].final_test_accuracy)
        found |= {f"before_{key}": value if follows else None for key, value in to_before.items()}
        yield round.number, name, found | {f"dense_{key}": value for key, value in to_dense.items()}


def _network(round: Round) -> Network:
    masks, frozen = round.masks, round.frozen
    return Network(
        {name: mask | (name in frozen) for name, mask in masks.items()}, with_frozen(round.trained, masks, frozen)
    )


def _between(again: Again, first: Network, second: Network) -> dict[str, float]:
    """Return what is measured on a line, evaluated by the kernels of the dense network, which fit any mask."""
    masks = {name: mask | second.masks[name] for name, mask in first.masks.items()}
    plan = again.result.trials[0].rounds[0].plan
    curve = curve_between(again.workshop, plan, masks, first.state, second.state, {}, POINTS)
    rise = over_line(1 - curve["test_accuracy"])
    return {"barrier": barrier(curve)["barrier"], "over_line": rise, "connected": float(rise < STABLE)}
