"""Measure what dense and sparse convolutions cost on this machine, a pass at a time on one thread."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.convolution import (
    Conv2d,
    Conv2dInputGradient,
    Conv2dWeightGradient,
    PackConv2d,
    conv2d_input_gradient_shares,
    conv2d_shares,
    conv2d_weight_gradient_shares,
    pack_conv2d_shares,
    packed_back_size,
    packed_size,
)
from tinyticket.kernels.cpu.job import Prepared
from tinyticket.kernels.cpu.packing import Images, empty, pack_images
from tinyticket.kernels.cpu.sparse_convolution import SparseConv2d, SparseConv2dGradient, SparseConv2dWeightGradient
from tinyticket.kernels.geometry import make_window
from tinyticket.sparse import ConvPattern

SAMPLES, SIDE, REPEATS = 64, 16, 7
PADDING = 1


class Convolution:
    """A 3 x 3 convolution on random images of 16 x 16 pixels, of which dense and sparse passes can be timed.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    first : bool
        Whether it needs no input gradient.
    """

    def __init__(self, inputs: int, outputs: int, first: bool):
        self.first, self.rng = first, np.random.default_rng(0)
        self.x, self.dy = (self._images(channels) for channels in (inputs, outputs))
        self.y, self.dx = (Images.zeros(images.tiles, images.geometry) for images in (self.dy, self.x))
        self.window = make_window(self.x.tiles, self.x.geometry, self.y.geometry, (3, 3), padding=PADDING)
        self.shape = outputs, inputs, 3, 3
        self.bias = np.zeros(outputs, np.float32)

    @property
    def products(self) -> int:
        """Weights times the pixels of an image."""
        return int(np.prod(self.shape)) * SIDE**2

    def dense(self) -> float:
        """Return the nanoseconds of packing the weights and of all passes."""
        weight, window = self.rng.standard_normal(self.shape, np.float32), self.window
        packed, packed_back, gradient = (
            empty(size) for size in (packed_size(window), packed_back_size(window), weight.size)
        )
        x, dy, y, dx = self._interiors()
        passes = [
            _on_one_thread(PackConv2d(weight, packed, packed_back, window), pack_conv2d_shares(window)),
            _on_one_thread(Conv2d(packed, self.bias, x, y, False, window), conv2d_shares(window)),
            _on_one_thread(Conv2dWeightGradient(x, dy, gradient, window), conv2d_weight_gradient_shares(window)),
        ]
        if not self.first:
            back = Conv2dInputGradient(packed_back, x, dy, dx, False, False, window)
            passes.append(_on_one_thread(back, conv2d_input_gradient_shares(window)))
        return least(passes)

    def sparse(self, density: float) -> float:
        """Return the nanoseconds of all passes of so many survivors."""
        pattern, window = ConvPattern.from_mask(self.rng.random(self.shape) < density, self.window), self.window
        values, gradient = self.rng.standard_normal(pattern.count, np.float32), empty(pattern.count)
        x, dy, y, dx = self._interiors()
        outputs, inputs, _, _ = self.shape
        passes = [_on_one_thread(SparseConv2d(pattern.rows, values, self.bias, x, y, False, window), outputs)]
        if self.first:
            passes.append(_on_one_thread(SparseConv2dWeightGradient(pattern.rows, x, dy, gradient, window), outputs))
        else:
            back = SparseConv2dGradient(pattern.columns, values, x, dy, dx, gradient, False, False, window)
            passes.append(_on_one_thread(back, inputs))
        return least(passes)

    def _images(self, channels: int) -> Images:
        return pack_images(self.rng.standard_normal((SAMPLES, channels, SIDE, SIDE), np.float32), PADDING)

    def _interiors(self) -> tuple[np.ndarray, ...]:
        return self.x.interior, self.dy.interior, self.y.interior, self.dx.interior


def _on_one_thread(job: Any, count: int) -> Prepared:
    """Prepare all of a kernel's work as one share."""
    return Prepared(job, even_bounds(count, 1), None)


def least(passes: list[Prepared]) -> float:
    """Return the least nanoseconds of some passes one after the other; what disturbs them only ever makes them longer."""
    times = []
    for _ in range(REPEATS + 1):  # what is quickest is not the first, which compiles
        start = time.perf_counter_ns()
        for run in passes:
            run()
        times.append(time.perf_counter_ns() - start)
    return float(min(times))
