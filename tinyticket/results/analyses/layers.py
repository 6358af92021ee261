"""Where the survivors are: the density of every layer, round by round."""

from __future__ import annotations

import numpy as np

from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.result import Result


def layers(result: Result) -> Analysis:
    """Return each layer's share of surviving weights, in means over trials.

    Layer scope prescribes them; in global scope they show which layers the criterion thinks matter (Frankle and Carbin 2019,
    appendix H).
    """
    rows = []
    for number, rounds in by_number(result).items():
        for name in rounds[0].masks:
            masks = [round.masks[name] for round in rounds]
            rows.append(
                {
                    "round": number,
                    "density": float(np.mean([round.density for round in rounds])),
                    "layer": name,
                    "weights": int(masks[0].size),
                    "weights_left": float(np.mean([np.count_nonzero(mask) for mask in masks])),
                    "layer_density": float(np.mean([mask.mean() for mask in masks])),
                }
            )
    return Analysis("Share of each layer's weights that survives", rows, "density", ("layer_density",), "layer")


def by_number(result: Result) -> dict[int, list]:
    """Return the rounds of all trials by their number."""
    found: dict[int, list] = {}
    for trial in result.trials:
        for round in trial.rounds:
            found.setdefault(round.number, []).append(round)
    return dict(sorted(found.items()))
