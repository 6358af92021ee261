"""One masked linear layer as a problem: the numbers, what is exact, and what work it is."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.check import require_near
from benchmarks.masks import uniform_mask
from tinyticket.kernels.cpu.vector.machine import LANES, TILES

TOLERANCE = 2e-5
"""Relative to the largest exact value; sums of a thousand float32 products come within a tenth of it."""


@dataclass(frozen=True)
class Results:
    """What a layer computes, in the usual layouts: y, dx by sample, dw only where the mask is one, row by row."""

    y: np.ndarray | None = None
    dx: np.ndarray | None = None
    dw: np.ndarray | None = None


@dataclass
class Layer:
    """y = x W' with a mask of W, an upstream gradient dy, and all three products in float64."""

    inputs: int
    outputs: int
    batch: int
    density: float

    def __post_init__(self):
        rng = np.random.default_rng(self.inputs + self.outputs)
        self.mask = uniform_mask((self.outputs, self.inputs), self.density, rng)
        scale = np.float32(np.sqrt(2 / (self.inputs * self.density)))
        self.weight = rng.standard_normal(self.mask.shape, np.float32) * scale * self.mask
        self.x = np.maximum(rng.standard_normal((self.batch, self.inputs), np.float32), 0)
        self.dy = rng.standard_normal((self.batch, self.outputs), np.float32)
        self.bias = np.zeros(self.outputs, np.float32)

    @property
    def survivors(self) -> int:
        """Weights left."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def exact(self) -> Results:
        """The products in float64."""
        w, x, dy = (a.astype(np.float64) for a in (self.weight, self.x, self.dy))
        return Results(x @ w.T, dy @ w, (dy.T @ x)[self.mask])

    def check(self, side: str, results: Results, tolerance: float = TOLERANCE) -> float:
        """Compare what was computed with what is exact and return the largest error."""
        what = f"{side}, {self.inputs} to {self.outputs}, batch {self.batch}, density {self.density:g}"
        return max(
            require_near(f"{what}, {name}", found, getattr(self.exact, name), tolerance)
            for name, found in vars(results).items()
            if found is not None
        )

    def flops(self, backward: bool) -> int:
        """Useful operations: two for each surviving weight and sample forward, four backward."""
        return (6 if backward else 2) * self.survivors * self.batch

    def bytes(self, backward: bool, sparse: bool) -> float:
        """What passes between registers and the first-level cache, the traffic that limits these kernels.

        A sparse kernel loads value, offset and a vector of samples for each survivor; backward that vector serves two
        products, and a gradient is stored. A dense kernel shares its loads within a register tile, pruned weights or not.
        """
        if not sparse:
            rows, vectors = TILES.dense_rows, TILES.dense_width
            tile = (4 * rows + 4 * LANES * vectors) / (2 * LANES * rows * vectors)
            return tile * (6 if backward else 2) * self.mask.size * self.batch
        forward = self.survivors * (8 + 4 * self.batch) + self.dy.nbytes
        return forward + (self.survivors * (12 + 4 * self.batch) + 2 * self.x.nbytes if backward else 0)
