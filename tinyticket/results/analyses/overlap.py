"""Do different initialisations find the same ticket? How much of their masks trials share, against chance."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.analyses.layers import by_number
from tinyticket.results.result import Result


def overlap(result: Result) -> Analysis:
    """Return how much of their masks pairs of trials share: intersection over union of the survivors (Jaccard 1901).

    Beside it stands what two random masks of the same counts are expected to share (`prune.expected_overlap`). Trials start
    from different weights, so units have no common order: more than chance comes from the inputs and outputs, which have one.

    Raises
    ------
    InputError
        If there is only one trial.
    """
    if len(result.trials) < 2:
        raise InputError(f"{result.path or 'the result'} has one trial: overlap is what the masks of two trials share")
    rows = []
    for number, rounds in by_number(result).items():
        for name in rounds[0].masks if len(rounds) > 1 and number else ():
            pairs = list(combinations([{name: round.masks[name]} for round in rounds], 2))
            rows.append(
                {
                    "round": number,
                    "density": float(np.mean([round.density for round in rounds])),
                    "layer": name,
                    "overlap": float(np.mean([prune.overlap(*pair) for pair in pairs])),
                    "by_chance": float(np.mean([prune.expected_overlap(*pair) for pair in pairs])),
                }
            )
    for row in rows:
        row["over_chance"] = (
            row["overlap"] / row["by_chance"] if row["by_chance"] else None
        )  # of a layer without survivors
    return Analysis("Overlap of the masks of two trials", rows, "density", ("overlap", "over_chance"), "layer")
