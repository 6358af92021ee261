"""Measure what dense and sparse layers cost on this machine, for the choice between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import nnls

from tinyticket.compiler.network import Network
from tinyticket.kernels.cpu import convolution
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.job import Prepared
from tinyticket.kernels.cpu.packing import Images, empty, pack_images
from tinyticket.kernels.cpu.sparse_convolution import SparseConv2d, SparseConv2dGradient, SparseConv2dWeightGradient
from tinyticket.kernels.geometry import make_window
from tinyticket.nn import Linear, Module, ReLU, Sequential
from tinyticket.sparse import ConvPattern
from tinyticket.sparse.choice import Rates, doublings

SAMPLES, CLASSES, SIDE, PADDING = 64, 10, 16, 1
STEPS, PASSES = 25, 8
"""Times that steps of linear layers and passes of convolutions are measured."""
WIDTHS, DENSITIES = (100, 200, 300), (0.1, 0.3, 0.6)
WIDE = (1024, 1024)
CONVOLUTIONS, FIRST_CONVOLUTIONS = ((32, 32), (64, 64)), ((3, 32), (3, 64))
WINOGRAD = ((32, 32, 16), (64, 64, 16), (256, 256, 4))  # the last of many weights, on small images


def calibrate() -> Rates:
    """Return this machine's rates, fitted to whole steps of small networks and to convolutions on one thread (a few seconds).

    One layer's width is varied, everything else stays: the slope is that layer's cost.
    """
    dense_first, dense = _dense(784, first=True), _dense(256, first=False)
    after = CLASSES * dense  # the layer behind is dense and grows with the width as well
    sparse_first, lines_first = _sparse(784, first=True, after=after)
    sparse, line = _sparse(256, first=False, after=after)
    convolution, sparse_convolution, base = _convolutions(CONVOLUTIONS, first=False)
    winograd = _winograd(WINOGRAD)
    convolution_first, sparse_convolution_first, _ = _convolutions(FIRST_CONVOLUTIONS, first=True)
    line = (line + lines_first / 2) / 2  # a first layer passes its rows twice
    dense_wide, sparse_wide = (rate / doublings(WIDE) for rate in _wide(dense, sparse))
    linear = dense, sparse, dense_first, sparse_first, line, dense_wide, sparse_wide
    direct = convolution, sparse_convolution, convolution_first, sparse_convolution_first, base
    return Rates(*linear, *direct, *winograd)


def _dense(inputs: int, first: bool) -> float:
    """Return the nanoseconds of a dense layer's weight."""
    return _fit([(width * inputs, _layer_time(width, inputs, first, 1.0)) for width in WIDTHS])[0]


def _sparse(inputs: int, first: bool, after: float) -> list[float]:
    """Return the nanoseconds of a sparse layer's survivor and of its row, less what each row costs the layer behind."""
    cases = [(width, density) for width in WIDTHS for density in DENSITIES]
    return _fit([(d * w * inputs, w, _layer_time(w, inputs, first, d) - after * w) for w, d in cases])


def _wide(dense: float, sparse: float) -> tuple[float, float]:
    """Return what a wide layer's weight, if it is dense, and its survivor, if it is sparse, take beyond a narrow one's."""
    width, inputs = WIDE
    weight = _fit([(part * inputs, _layer_time(part, inputs, False, 1.0)) for part in (width // 2, width)])[0]
    survivor = _fit([(d * width * inputs, _layer_time(width, inputs, False, d)) for d in DENSITIES])[0]
    return max(0.0, weight - dense), max(0.0, survivor - sparse)


def _convolutions(channels: tuple[tuple[int, int], ...], first: bool) -> tuple[float, float, float]:
    """Return the nanoseconds of a dense convolution's product, of a sparse one's, and of a pruned one's."""
    layers = [Convolution(inputs, outputs, first) for inputs, outputs in channels]
    dense = sum(layer.dense() for layer in layers) / sum(layer.products for layer in layers)
    # Times in proportion to the work, so that a small layer's count as much as a large one's.
    measured = [(density, layer.sparse(density) / layer.products) for layer in layers for density in DENSITIES]
    densities, times = np.array(measured).T
    rate, base = np.polyfit(densities, times, 1)
    return dense, float(rate), max(0.0, float(base))


def _winograd(sizes: tuple[tuple[int, int, int], ...]) -> tuple[float, float, float]:
    """Return the nanoseconds of a product that Winograd's algorithm stands for, of a channel at a pixel, and of a weight.

    Sizes are inputs, outputs and rows of images.
    """
    layers = [Convolution(inputs, outputs, first=False, side=side) for inputs, outputs, side in sizes]
    table = np.array([(each.products, each.channels * each.side**2, each.weights, each.winograd()) for each in layers])
    costs, _ = nnls(table[:, :-1] / table[:, -1:], np.ones(len(table)))  # small layers count as much as large ones
    product, channel, weight = (float(cost) for cost in costs)
    return product, channel, weight


def _fit(measured: list[tuple[float, ...]]) -> list[float]:
    """Return non-negative costs per unit, with a constant for what a step costs besides; the last column is the time."""
    table = np.array([(*row[:-1], 1.0) for row in measured])
    scale = table.max(axis=0)
    costs, _ = nnls(table / scale, np.array([row[-1] for row in measured]))
    return [float(cost) for cost in (costs / scale)[:-1]]


def _layer_time(width: int, inputs: int, first: bool, density: float) -> float:
    """Return the least nanoseconds of a step in which one layer, the first or the second, is so wide and so dense."""
    rng, shapes = np.random.default_rng(0), [*([] if first else [(inputs, 32)]), (width, inputs), (CLASSES, width)]
    linear = [Linear(inputs, outputs, rng=rng) for outputs, inputs in shapes]
    if density < 1:
        linear[-2].weight.mask = rng.random(shapes[-2]) < density
    layers: list[Module] = [part for each in linear for part in (each, ReLU())]
    network = Network(Sequential(*layers[:-1]), (shapes[0][1],))
    kernels = {name: "dense" if weight.mask is None else "sparse" for name, weight in network.weights.items()}
    step = network.step(kernels, batch_size=SAMPLES, threads=1)
    step.write({parameter: [parameter.data] for parameter in network.parameters})
    data = step.bind(rng.random((SAMPLES, shapes[0][1]), np.float32), rng.integers(0, CLASSES, SAMPLES))
    indices = np.arange(SAMPLES)
    return _least(lambda: step.step(data, indices, 1e-3), STEPS)


class Convolution:
    """A 3 x 3 convolution of so many channels, of which dense and sparse passes can be timed; a first layer needs no dx."""

    def __init__(self, inputs: int, outputs: int, first: bool, side: int = SIDE):
        self.first, self.side, self.rng = first, side, np.random.default_rng(0)
        shapes = ((SAMPLES, channels, side, side) for channels in (inputs, outputs))
        x, dy = (pack_images(self.rng.standard_normal(shape, np.float32), PADDING) for shape in shapes)
        y, dx = (Images.zeros(images.tiles, images.geometry) for images in (dy, x))
        self.window = make_window(x.tiles, x.geometry, y.geometry, (3, 3), padding=PADDING)
        self.images = [images.interior for images in (x, dy, y, dx)]
        self.shape, self.bias = (outputs, inputs, 3, 3), np.zeros(outputs, np.float32)

    @property
    def channels(self) -> int:
        """Inputs and outputs."""
        return self.shape[0] + self.shape[1]

    @property
    def weights(self) -> int:
        """How many there are."""
        return int(np.prod(self.shape))

    @property
    def products(self) -> int:
        """Weights times the pixels of an image."""
        return self.weights * self.side**2

    def dense(self) -> float:
        """Return the nanoseconds of packing the weights and of all passes."""
        weight, window, (x, dy, y, dx) = self.rng.standard_normal(self.shape, np.float32), self.window, self.images
        packed, packed_back = empty(convolution.packed_size(window)), empty(convolution.packed_back_size(window))
        packing = convolution.PackConv2d(weight, packed, packed_back, window)
        forward = convolution.Conv2d(packed, self.bias, x, y, False, window)
        weights = convolution.Conv2dWeightGradient(x, dy, empty(weight.size), window)
        back = convolution.Conv2dInputGradient(packed_back, x, dy, dx, False, False, window)
        passes: list[tuple[Any, int]] = [
            (packing, convolution.pack_conv2d_shares(window)),
            (forward, convolution.conv2d_shares(window)),
            (weights, convolution.conv2d_weight_gradient_shares(window)),
            (back, convolution.conv2d_input_gradient_shares(window)),
        ]
        return _time_of(passes[: 3 if self.first else 4])

    def winograd(self) -> float:
        """Return the nanoseconds of packing the weights and of all passes by Winograd's algorithm."""
        window, (x, dy, y, dx), gradient = self.window, self.images, empty(*self.shape)
        packed, back = empty(convolution.winograd_size(window)), empty(convolution.winograd_back_size(window))
        room = empty(max(convolution.winograd_room(window), convolution.winograd_gradient_room(window)))
        sums = empty(convolution.winograd_sums_size(window))
        weight, ends = self.rng.standard_normal(self.shape, np.float32), (room, 1)
        return _time_of(
            [
                (convolution.PackWinograd(weight, packed, back, window), convolution.pack_winograd_shares(window)),
                (
                    convolution.WinogradConv2d(packed, self.bias, x, y, *ends, False, window),
                    convolution.winograd_conv2d_shares(window),
                ),
                (convolution.WinogradSums(x, dy, sums, *ends, window), convolution.winograd_sums_shares(window)),
                (convolution.WinogradConv2dWeightGradient(sums, gradient, window), window.outputs),
                (
                    convolution.WinogradConv2dInputGradient(back, x, dy, dx, *ends, False, False, window),
                    convolution.winograd_conv2d_input_gradient_shares(window),
                ),
            ]
        )

    def sparse(self, density: float) -> float:
        """Return the nanoseconds of all passes of so many survivors."""
        pattern, window = ConvPattern.from_mask(self.rng.random(self.shape) < density, self.window), self.window
        values, gradient = self.rng.standard_normal(pattern.count, np.float32), empty(pattern.count)
        (x, dy, y, dx), (outputs, inputs, _, _) = self.images, self.shape
        forward = SparseConv2d(pattern.rows, values, self.bias, x, y, False, window)
        weights = SparseConv2dWeightGradient(pattern.rows, x, dy, gradient, window)
        both = SparseConv2dGradient(pattern.columns, values, x, dy, dx, gradient, False, False, window)
        return _time_of([(forward, outputs), (weights, outputs) if self.first else (both, inputs)])


def _time_of(passes: list[tuple[Any, int]]) -> float:
    """Return the least nanoseconds of some jobs one after the other on one thread, each with the number of its outputs."""
    prepared = [Prepared(job, even_bounds(count, 1), None) for job, count in passes]
    return _least(lambda: [run() for run in prepared], PASSES)


def _least(run: Callable[[], Any], times: int) -> float:
    """Return the least nanoseconds of some calls: the first may compile, and what disturbs one only ever makes it longer."""
    measured = []
    for _ in range(times):
        start = time.perf_counter_ns()
        run()
        measured.append(time.perf_counter_ns() - start)
    return float(min(measured))
