"""Do different initialisations find the same ticket? How much of their masks trials share, against chance."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.analyses.layers import by_layer
from tinyticket.results.result import Result, check_unmoved


def overlap(result: Result) -> Analysis:
    """Return how much of their masks pairs of trials share: intersection over union of the survivors (Jaccard 1901).

    Beside it stands what two random masks of the same counts are expected to share (`prune.expected_overlap`). Trials start
    from different weights, so units have no common order: more than chance comes from the inputs and outputs, which have one.
    """
    if len(result.trials) < 2:
        raise InputError(f"{result.archive.name} has one trial: overlap is what the masks of two trials share")
    check_unmoved(result, "overlap compares weights at the same places")
    rows = []
    for row, masks in by_layer(result):
        if len(masks) > 1 and row["round"]:
            pairs = list(combinations([{row["layer"]: mask} for mask in masks], 2))
            found = float(np.mean([prune.overlap(*pair) for pair in pairs]))
            chance = float(np.mean([prune.expected_overlap(*pair) for pair in pairs]))
            rows.append(
                row | {"overlap": found, "by_chance": chance, "over_chance": found / chance if chance else None}
            )
    return Analysis("Overlap of the masks of two trials", rows, "density", ("overlap", "over_chance"), "layer")
