"""Measure what dense and sparse layers cost on this machine, for the choice between them."""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import nnls

from tinyticket.compiler.mlp.step import MLPStep
from tinyticket.sparse.choice import Rates

SAMPLES, REPEATS = 64, 25
WIDTHS, DENSITIES = (100, 200, 300), (0.1, 0.3, 0.6)


def calibrate() -> Rates:
    """Return this machine's rates, fitted to whole steps of small networks on one thread (a few seconds).

    One layer's width is varied, everything else stays: the slope is that layer's cost.
    """
    dense_first = _fit([(width * 784, _step_time([(width, 784), (10, width)], 0, 1.0)) for width in WIDTHS])[0]
    dense = _fit([(width * 256, _step_time([(256, 32), (width, 256), (10, width)], 1, 1.0)) for width in WIDTHS])[0]
    sparse_first, line_first = _fit(
        [
            (density * width * 784, width, _step_time([(width, 784), (10, width)], 0, density))
            for width in WIDTHS
            for density in DENSITIES
        ]
    )
    sparse, line = _fit(
        [
            (density * width * 256, width, _step_time([(256, 32), (width, 256), (10, width)], 1, density))
            for width in WIDTHS
            for density in DENSITIES
        ]
    )
    return Rates(dense, sparse, dense_first, sparse_first, (line + line_first) / 2)


def _fit(measured: list[tuple[float, ...]]) -> list[float]:
    """Return non-negative costs per unit, with a constant for what a step costs besides; the last column is the time."""
    table = np.array([(*row[:-1], 1.0) for row in measured])
    scale = table.max(axis=0)
    costs, _ = nnls(table / scale, np.array([row[-1] for row in measured]))
    return [float(cost) for cost in (costs / scale)[:-1]]


def _step_time(shapes: list[tuple[int, int]], layer: int, density: float) -> float:
    """Return the least nanoseconds of a step in which one layer has a density, dense at 1, and the others are dense."""
    rng = np.random.default_rng(0)
    masks: list[np.ndarray | None] = [None] * len(shapes)
    if density < 1:
        masks[layer] = rng.random(shapes[layer]) < density
    sparse = [i == layer and density < 1 for i in range(len(shapes))]
    step = MLPStep(shapes, masks, sparse, [True] * len(shapes), batch_size=SAMPLES, threads=1)
    step.write([([rng.standard_normal(shape).astype(np.float32) * 0.05], []) for shape in shapes])
    data = step.bind(rng.random((SAMPLES, shapes[0][1]), np.float32), rng.integers(0, shapes[-1][0], SAMPLES))
    indices, times = np.arange(SAMPLES), []
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        step.step(data, indices, 1e-3)
        times.append(time.perf_counter_ns() - start)
    return float(min(times))  # what disturbs a step only ever makes it longer
