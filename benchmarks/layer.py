"""One masked linear layer as a problem: the numbers, what is exact, and what it costs at least."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.check import require_near
from benchmarks.masks import uniform_mask

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

    def check(self, who: str, results: Results) -> float:
        """Compare what was computed with what is exact and return the largest error."""
        what = f"{who}, {self.inputs} to {self.outputs}, batch {self.batch}, density {self.density:g}"
        return max(
            require_near(f"{what}, {name}", found, getattr(self.exact, name), TOLERANCE)
            for name, found in vars(results).items()
            if found is not None
        )

    def flops(self, backward: bool) -> int:
        """Useful operations: two for each surviving weight and sample forward, four backward."""
        return (6 if backward else 2) * self.survivors * self.batch

    def bytes(self, backward: bool, sparse: bool) -> int:
        """What must at least be moved: each array once; survivors carry four bytes of offset."""
        weights = self.survivors * 8 if sparse else self.weight.nbytes
        forward = weights + self.x.nbytes + self.dy.nbytes
        # Backward reads weights, x and dy, and writes dx and the weights' gradient.
        gradients = self.survivors * 4 if sparse else self.weight.nbytes
        return forward + (weights + gradients + 2 * self.x.nbytes + self.dy.nbytes if backward else 0)
