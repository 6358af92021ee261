"""Where the survivors are: the density of every layer, round by round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.result import Result, runs_of


def layers(result: Result) -> Analysis:
    """Return each layer's share of surviving weights, in means over trials.

    Layer scope prescribes them; in global scope they show which layers the criterion thinks matter (Frankle and Carbin 2019,
    appendix H).
    """
    rows = [
        row
        | {
            "weights": int(masks[0].size),
            "weights_left": float(np.mean([np.count_nonzero(mask) for mask in masks])),
            "layer_density": float(np.mean([mask.mean() for mask in masks])),
        }
        for row, masks in by_layer(result)
    ]
    return Analysis("Share of each layer's weights that survives", rows, "density", ("layer_density",), "layer")


def by_layer(result: Result) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
    """Yield for every round and layer what a row of a table begins with, and the masks of all trials."""
    for number, runs in runs_of(result).items():
        density = float(np.mean([run.density for run in runs.values()]))
        for name in next(iter(runs.values())).masks:
            yield {"round": number, "density": density, "layer": name}, [run.masks[name] for run in runs.values()]
