"""Measure what dense and sparse layers cost on this machine, for the choice between them."""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import nnls

from tinyticket.compiler.calibrate_convolution import Convolution
from tinyticket.compiler.network import Network
from tinyticket.nn import Linear, Module, ReLU, Sequential
from tinyticket.sparse.choice import Rates, doublings

SAMPLES, REPEATS = 64, 25
WIDTHS, DENSITIES = (100, 200, 300), (0.1, 0.3, 0.6)
CLASSES = 10
WIDE = (1024, 1024)
CONVOLUTIONS, FIRST_CONVOLUTIONS = ((32, 32), (64, 64)), ((3, 32), (3, 64))


def calibrate() -> Rates:
    """Return this machine's rates, fitted to whole steps of small networks and to convolutions on one thread (a few seconds).

    One layer's width is varied, everything else stays: the slope is that layer's cost.
    """
    dense_first, dense = _dense(784, first=True), _dense(256, first=False)
    after = CLASSES * dense  # the layer behind is dense and grows with the width as well
    sparse_first, lines_first = _sparse(784, first=True, after=after)
    sparse, line = _sparse(256, first=False, after=after)
    convolution, sparse_convolution, base = _convolutions(CONVOLUTIONS, first=False)
    convolution_first, sparse_convolution_first, _ = _convolutions(FIRST_CONVOLUTIONS, first=True)
    line = (line + lines_first / 2) / 2  # a first layer passes its rows twice
    dense_wide, sparse_wide = (rate / doublings(WIDE) for rate in _wide(dense, sparse))
    linear = dense, sparse, dense_first, sparse_first, line, dense_wide, sparse_wide
    return Rates(*linear, convolution, sparse_convolution, convolution_first, sparse_convolution_first, base)


def _dense(inputs: int, first: bool) -> float:
    """Return the nanoseconds of a dense layer's weight."""
    return _fit([(width * inputs, _layer_time(width, inputs, first, 1.0)) for width in WIDTHS])[0]


def _sparse(inputs: int, first: bool, after: float) -> list[float]:
    """Return the nanoseconds of a sparse layer's survivor and of its row, less what each row costs the layer behind."""
    return _fit(
        [
            (density * width * inputs, width, _layer_time(width, inputs, first, density) - after * width)
            for width in WIDTHS
            for density in DENSITIES
        ]
    )


def _wide(dense: float, sparse: float) -> tuple[float, float]:
    """Return what a wide layer's weight, if it is dense, and its survivor, if it is sparse, take beyond a narrow one's."""
    width, inputs = WIDE
    weight = _fit([(part * inputs, _layer_time(part, inputs, False, 1.0)) for part in (width // 2, width)])[0]
    survivor = _fit([(d * width * inputs, _layer_time(width, inputs, False, d)) for d in DENSITIES])[0]
    return max(0.0, weight - dense), max(0.0, survivor - sparse)


def _layer_time(width: int, inputs: int, first: bool, density: float) -> float:
    """Return the nanoseconds of a step of a network in which one layer, the first or the second, is so wide and so dense."""
    below = [] if first else [(inputs, 32)]
    return _step_time([*below, (width, inputs), (CLASSES, width)], len(below), density)


def _convolutions(channels: tuple[tuple[int, int], ...], first: bool) -> tuple[float, float, float]:
    """Return the nanoseconds of a dense convolution's product, of a sparse one's, and of a pruned one's."""
    layers = [Convolution(inputs, outputs, first) for inputs, outputs in channels]
    dense = sum(layer.dense() for layer in layers) / sum(layer.products for layer in layers)
    # Times in proportion to the work, so that a small layer's count as much as a large one's.
    measured = [(density, layer.sparse(density) / layer.products) for layer in layers for density in DENSITIES]
    densities, times = np.array(measured).T
    rate, base = np.polyfit(densities, times, 1)
    return dense, float(rate), max(0.0, float(base))


def _fit(measured: list[tuple[float, ...]]) -> list[float]:
    """Return non-negative costs per unit, with a constant for what a step costs besides; the last column is the time."""
    table = np.array([(*row[:-1], 1.0) for row in measured])
    scale = table.max(axis=0)
    costs, _ = nnls(table / scale, np.array([row[-1] for row in measured]))
    return [float(cost) for cost in (costs / scale)[:-1]]


def _step_time(shapes: list[tuple[int, int]], layer: int, density: float) -> float:
    """Return the least nanoseconds of a step in which one layer has a density, dense at 1, and the others are dense."""
    rng = np.random.default_rng(0)
    linear = [Linear(inputs, outputs, rng=rng) for outputs, inputs in shapes]
    if density < 1:
        linear[layer].weight.mask = rng.random(shapes[layer]) < density
    layers: list[Module] = [part for each in linear for part in (each, ReLU())]
    network = Network(Sequential(*layers[:-1]), (shapes[0][1],))
    sparse = {name: weight.mask is not None for name, weight in network.weights.items()}
    step = network.step(sparse, batch_size=SAMPLES, threads=1)
    step.write({parameter: [parameter.data] for parameter in network.parameters})
    data = step.bind(rng.random((SAMPLES, shapes[0][1]), np.float32), rng.integers(0, CLASSES, SAMPLES))
    indices, times = np.arange(SAMPLES), []
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        step.step(data, indices, 1e-3)
        times.append(time.perf_counter_ns() - start)
    return float(min(times))  # what disturbs a step only ever makes it longer
