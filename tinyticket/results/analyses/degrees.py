"""Who is still connected: in- and out-degrees of the units (Frankle and Carbin 2019, appendix G)."""

from __future__ import annotations

import numpy as np

from tinyticket.nn import Connections
from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.result import Result, runs_of


def degrees(result: Result) -> Analysis:
    """Return how unevenly survivors are spread over each layer's inputs and outputs, in means over trials.

    A unit's in-degree is the number of survivors that lead to it, its out-degree of those that leave it; a channel counts the
    survivors of all its kernels. Spread is the standard deviation over the mean: near 1 / sqrt(mean) for a random mask, much
    above it where some units keep far more than others. The paper finds even in-degrees and very uneven out-degrees of pixels.
    """
    rows = []
    for number, runs in runs_of(result).items():
        graphs = {trial: result.connections(trial, number) for trial in runs}
        density = float(np.mean([run.density for run in runs.values()]))
        for name in next(iter(runs.values())).masks:
            found = [_both(run.masks[name], graphs[trial].get(name)) for trial, run in runs.items()]
            means = {key: float(np.mean([each[key] for each in found])) for key in found[0]}
            rows.append({"round": number, "density": density, "layer": name, **means})
    y = ("in_spread", "out_spread")
    return Analysis("Spread (deviation over mean) of the units' degrees", rows, "density", y, "layer")


def degrees_of(mask: np.ndarray, graph: Connections | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the in-degree of each output and the out-degree of each input of a mask (outputs, inputs, ...), or of connections."""
    if graph is not None:
        rows = np.bincount(graph.rows()[mask], minlength=graph.shape[0])
        return rows, np.bincount(graph.columns[mask], minlength=graph.shape[1])
    others = tuple(range(2, mask.ndim))
    connections = mask.sum(axis=others) if others else mask.astype(int)
    return connections.sum(axis=1), connections.sum(axis=0)


def _both(mask: np.ndarray, graph: Connections | None) -> dict[str, float]:
    found: dict[str, float] = {}
    for side, degree in zip(("in", "out"), degrees_of(mask, graph), strict=True):
        mean = float(degree.mean())
        found |= {
            f"{side}_mean": mean,
            f"{side}_least": float(degree.min()),
            f"{side}_most": float(degree.max()),
            f"{side}_none": float(np.mean(degree == 0)),
            f"{side}_spread": float(degree.std() / mean) if mean else 0.0,
        }
    return found
