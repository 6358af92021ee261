"""A network on a device as `tt.compile` sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.compiler.network.model import Masks, NetworkModel
from tinyticket.nn import Parameter

if TYPE_CHECKING:
    from tinyticket.compiler.device.step import DeviceStep

OVER_CUBLAS, OVER_OWN = 0.13, 0.6
"""Densities below which a layer runs sparse, whatever its shape: where cuBLAS would do the dense one, and where kernels of our own
would. On an H100 a layer of 4096 by 4096 and 256 samples takes 560 microseconds with cuBLAS, forward and backward, 2,070 with our
kernels, and about 160 + 3,060 * density sparse; a convolution of 64 channels by 64 in 32 by 32 pixels takes 9,300 and about 800 +
12,000 * density (docs/cuda.md)."""


def break_even(linear: bool) -> float:
    """Return the density below which a layer runs sparse."""
    from tinyticket.kernels.cuda import library  # CUDA is imported when it is asked for

    return OVER_CUBLAS if linear and library.cublas() else OVER_OWN


class DeviceModel(NetworkModel):
    """A graph of operations whose programs run on a device; fully-connected networks are such graphs too.

    Parameters
    ----------
    As for `NetworkModel`.
    """

    device = "cuda"
    penalises = False
    gives_gradients = False  # the autograd computes those of pruned weights, on the host

    def runs_sparse(self, name: str) -> bool:
        """Whether a layer's present mask is sparse enough for sparse kernels, and they have room for its patches."""
        from tinyticket.kernels.cuda.sparse_tiles import fits

        operation, mask = self.layers[name], self.weights[name].mask
        assert mask is not None
        if float(mask.mean()) >= break_even(operation.kind == "linear"):
            return False
        return operation.kind == "linear" or fits(mask.shape[2], mask.shape[3], operation.attributes["stride"])

    def _step(self, masks: Masks, chosen: set[Parameter], *, threads: int | None = None, **options: Any) -> DeviceStep:
        from tinyticket.compiler.device.step import DeviceStep

        return DeviceStep(self.graph, masks, chosen, **options)  # threads have no meaning there

    def expected(self, name: str, density: float, sparse: bool) -> None:
        """Return nothing: there is no model of a device's costs."""

    def weight(self, program: Any, name: str) -> np.ndarray:
        """Return a copy of a weight."""
        return program.read(self.weights[name])[0]

    def change_masks(self, program: Any, masks: Mapping[str, np.ndarray]) -> list[str]:
        """Return nothing: masks change by new launches, which costs little beside the copies of a device's memory."""
        return []
