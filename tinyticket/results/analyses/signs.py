"""When weights change sign: in one training, over all rounds, and under other masks."""

from __future__ import annotations

from collections.abc import Iterator

from tinyticket import prune
from tinyticket.results.analyses.analysis import Analysis, Found, means
from tinyticket.results.result import Result, check_unmoved
from tinyticket.results.round import Round, Trial

COLUMNS = ("in_training", "since_initial", "since_before")


def signs(result: Result) -> Analysis:
    """Return the share of surviving weights whose sign changed, of tickets and of controls with other masks, in means over trials.

    "in_training" from a network's start to its end, "since_initial" from theta_0 to its end, "since_before" from the end of the
    network that it was pruned from. Gadhikar and Burkholz (2024, arXiv 2402.19262) find that with learning-rate rewinding signs
    change early, while many weights are left, and then stay, more than where weights are rewound. The control `random` would
    refute that the mask has to do with it: its survivors are any weights.
    """
    check_unmoved(result, "signs compares weights at the same places")
    flips = (flip for trial in result.trials for flip in _flips(result, trial))
    rows = [{"round": number, "network": network, **found} for number, network, found in means(flips)]
    return Analysis("Share of surviving weights whose sign changed", rows, "density", COLUMNS, "network")


def _flips(result: Result, trial: Trial) -> Iterator[tuple[int, str, Found]]:
    initial, before = result.init(trial.number), None
    for round in trial.rounds:
        ended = round.trained
        for name, run in {"ticket": round, **with_other_masks(round)}.items():
            is_ticket = run is round
            trained = ended if is_ticket else run.trained
            start = result.start(trial.number, round.number, None if is_ticket else name)
            pairs = (start, initial, before if is_ticket else None)
            shares = [None if first is None else prune.sign_flips(first, trained, run.masks) for first in pairs]
            yield round.number, name, {"density": run.density, **dict(zip(COLUMNS, shares, strict=True))}
        if round.number == 0 or not result.config.get("one_shot"):
            before = round.continued.trained if round.continued else ended


def with_other_masks(round: Round) -> dict[str, Round]:
    """Return the controls that differ from their ticket in the mask alone."""
    return {
        name: run
        for name, run in round.controls.items()
        if isinstance(run.origin.get("weights"), str) and run.origin.get("mask", "ticket") != "ticket"
    }
