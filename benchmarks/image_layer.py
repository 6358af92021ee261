"""One masked convolution as a problem: the numbers, what is exact, and what work it is."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.check import require_near
from benchmarks.layer import TOLERANCE, Results
from benchmarks.masks import uniform_mask
from tinyticket.kernels.cpu.vector.machine import LANES, TILES
from tinyticket.kernels.reference import conv2d, conv2d_input_gradient, conv2d_weight_gradient

CHECKED = 4
"""Images whose outputs and input gradients are computed in float64 too; the weight gradient sums over all of them."""


@dataclass
class ImageLayer:
    """A convolution whose padding lets images keep their size, and an upstream gradient; as many channels out as in if not told."""

    channels: int
    side: int
    batch: int
    density: float
    outputs: int | None = None
    kernel: int = 3  # rows and columns, odd

    def __post_init__(self):
        rng = np.random.default_rng(self.channels + self.side)
        made = self.outputs or self.channels
        self.mask = uniform_mask((made, self.channels, self.kernel, self.kernel), self.density, rng)
        scale = np.float32(np.sqrt(2 / (self.mask[0].size * self.density)))
        self.weight = rng.standard_normal(self.mask.shape, np.float32) * scale * self.mask
        image = self.side, self.side
        self.x = np.maximum(rng.standard_normal((self.batch, self.channels, *image), np.float32), 0)
        self.dy = rng.standard_normal((self.batch, made, *image), np.float32)

    @property
    def name(self) -> str:
        """What its rows are called."""
        made = f"-{self.outputs}" if self.outputs else ""
        kernel = f"-k{self.kernel}" if self.kernel != 3 else ""
        return f"convolution-{self.channels}x{self.side}x{self.side}{made}{kernel}-b{self.batch}"

    @property
    def padding(self) -> int:
        """Rows and columns of zeros around an image."""
        return self.kernel // 2

    @property
    def survivors(self) -> int:
        """Weights left."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def exact(self) -> Results:
        """The three passes in float64: y and dx of the first images, the survivors' gradients of all."""
        w, x, dy = (a.astype(np.float64) for a in (self.weight, self.x, self.dy))
        padding, some = (self.padding, self.padding), slice(CHECKED)
        return Results(
            conv2d(x[some], w, None, padding=padding),
            conv2d_input_gradient(dy[some], w, x[some].shape, padding=padding),
            conv2d_weight_gradient(dy, x, w.shape[2:], padding=padding)[self.mask],
        )

    def check(self, side: str, results: Results, tolerance: float = TOLERANCE) -> float:
        """Compare what was computed with what is exact and return the largest error."""
        what = f"{side}, {self.name}, density {self.density:g}"
        return max(
            require_near(
                f"{what}, {name}", found[:CHECKED] if name != "dw" else found, getattr(self.exact, name), tolerance
            )
            for name, found in vars(results).items()
        )

    def flops(self) -> int:
        """Useful operations: six for each surviving weight, pixel and sample, forward and backward together."""
        return 6 * self.survivors * self.side**2 * self.batch

    def bytes(self, sparse: bool) -> float:
        """What passes between registers and the first-level cache.

        A sparse kernel loads a vector of samples for each survivor and pixel; backward it serves two products. A dense kernel
        shares its loads within a register tile, pruned weights or not.
        """
        pixels = self.side**2 * self.batch
        if sparse:
            return 2 * 4 * self.survivors * pixels
        rows, vectors = TILES.dense_rows, TILES.dense_width
        tile = (4 * rows + 4 * LANES * vectors) / (2 * LANES * rows * vectors)
        return tile * 6 * self.mask.size * pixels
