"""Measure what dense and sparse convolutions cost on this machine, a pass at a time on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.convolution_gradient import convolution_gradient, weight_gradient_jobs
from tinyticket.kernels.cpu.convolution_passes import (
    convolution_backward,
    convolution_forward,
    forward_jobs,
    input_gradient_jobs,
)
from tinyticket.kernels.cpu.convolution_weights import convolution_pack, pack_jobs, packed_back_size, packed_size
from tinyticket.kernels.geometry import Image, Window, make_window, origin
from tinyticket.kernels.cpu.sparse_convolution_passes import (
    sparse_convolve,
    sparse_convolve_backward,
    sparse_convolve_gradient,
)
from tinyticket.sparse import ConvPattern

SAMPLES, SIDE, REPEATS = 64, 16, 7


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
        x, y = Image(inputs, SIDE, SIDE, 1), Image(outputs, SIDE, SIDE, 1)
        self.window: Window = make_window(cpu.tiles_for(SAMPLES, cpu.LANES), x, y, (3, 3), padding=1)
        self.shape = outputs, inputs, 3, 3
        self.x, self.dy = (self._images(image) for image in (x, y))
        self.y, self.dx = np.zeros_like(self.dy), np.zeros_like(self.x)
        self.where = origin(x), origin(y), self.window
        self.bias = np.zeros(outputs, np.float32)

    @property
    def products(self) -> int:
        """Weights times the pixels of an image."""
        return int(np.prod(self.shape)) * SIDE**2

    def dense(self) -> float:
        """Return the nanoseconds of packing the weights and of all passes."""
        window = self.window
        weight = self.rng.standard_normal(self.shape, np.float32).reshape(-1)
        packed, packed_back, gradient = (
            cpu.empty(packed_size(window)),
            cpu.empty(packed_back_size(window)),
            weight.copy(),
        )
        jobs = pack_jobs, forward_jobs, input_gradient_jobs, weight_gradient_jobs
        pack, forward, back, correlate = (even_bounds(count(window), 1) for count in jobs)

        def step() -> None:
            convolution_pack(pack, weight, packed, packed_back, window)
            convolution_forward(forward, packed, self.bias, self.x, self.y, *self.where, False)
            if not self.first:
                convolution_backward(back, packed_back, self.x, self.dy, self.dx, *self.where, False, False)
            convolution_gradient(correlate, self.x, self.dy, gradient, *self.where)

        return least(step)

    def sparse(self, density: float) -> float:
        """Return the nanoseconds of all passes of so many survivors."""
        pattern = ConvPattern.from_mask(self.rng.random(self.shape) < density, self.window)
        values, gradient = self.rng.standard_normal(pattern.count, np.float32), cpu.empty(pattern.count)
        rows, columns = pattern.row_bounds(1), pattern.column_bounds(1)

        def step() -> None:
            sparse_convolve(rows, pattern.rows, values, self.bias, self.x, self.y, *self.where, False)
            if self.first:
                sparse_convolve_gradient(rows, pattern.rows, self.x, self.dy, gradient, *self.where)
            else:
                given = values, self.x, self.dy, self.dx
                sparse_convolve_backward(columns, pattern.columns, *given, gradient, *self.where, False, False)

        return least(step)

    def _images(self, image: Image) -> np.ndarray:
        images = self.rng.standard_normal((SAMPLES, image.channels, SIDE, SIDE), np.float32)
        return cpu.pack_images(images, image.border).reshape(-1)


def least(step: Callable[[], None]) -> float:
    """Return the least nanoseconds of a step; what disturbs it only ever makes it longer."""
    step()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        step()
        times.append(time.perf_counter_ns() - start)
    return float(min(times))
