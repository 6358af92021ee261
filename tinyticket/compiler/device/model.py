"""A network on a device as `tt.compile` sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.compiler.network.model import Masks, NetworkModel
from tinyticket.nn import Parameter

if TYPE_CHECKING:
    from tinyticket.compiler.device.step import DeviceStep

BREAK_EVEN = 0.29
"""Density below which a layer runs sparse, whatever its shape: simple kernels without structure are published to pass fp32 cuBLAS
at about 71% sparsity (Gale et al., Sparse GPU Kernels for Deep Learning, SC 2020). Nobody has measured these here yet."""


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
        """Whether a layer's present mask is sparse enough for sparse kernels."""
        mask = self.weights[name].mask
        assert mask is not None
        return float(mask.mean()) < BREAK_EVEN

    def _step(self, masks: Masks, chosen: set[Parameter], *, threads: int | None = None, **options: Any) -> DeviceStep:
        from tinyticket.compiler.device.step import DeviceStep  # CUDA is imported when it is asked for

        return DeviceStep(self.graph, masks, chosen, **options)  # threads have no meaning there

    def expected(self, name: str, density: float, sparse: bool) -> None:
        """Return nothing: there is no model of a device's costs."""

    def weight(self, program: Any, name: str) -> np.ndarray:
        """Return a copy of a weight."""
        return program.read(self.weights[name])[0]

    def change_masks(self, program: Any, masks: Mapping[str, np.ndarray]) -> list[str]:
        """Return nothing: masks change by new launches, which costs little beside the copies of a device's memory."""
        return []
