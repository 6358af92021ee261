"""The peers' sides of the convolutions, each in every way that it offers; the quickest of them counts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.image_layer import ImageLayer
from benchmarks.layer import Results


class TorchImages:
    """PyTorch's convolution (oneDNN) without the cost of its tape, in one of its two layouts."""

    def __init__(self, layer: ImageLayer, layout: str):
        import torch

        self.torch, self.layer = torch, layer
        self.format = torch.channels_last if layout == "channels-last" else torch.contiguous_format
        arrays = layer.weight, layer.x, layer.dy
        self.w, self.x, self.dy = (torch.from_numpy(a).contiguous(memory_format=self.format) for a in arrays)

    def forward(self) -> None:
        self.y = self.torch.nn.functional.conv2d(self.x, self.w, padding=self.layer.padding)

    def backward(self) -> None:
        same, pads = [1, 1], [self.layer.padding] * 2
        self.dx, self.dw, _ = self.torch.ops.aten.convolution_backward(
            self.dy, self.x, self.w, None, same, pads, same, False, [0, 0], 1, [True, True, False]
        )

    def results(self) -> Results:
        return Results(self.y.numpy(), self.dx.numpy(), self.dw.numpy()[self.layer.mask])


class SparsePropImages:
    """sparseprop's Conv2d under PyTorch's tape, which is the only way into it; vectors run over images or over pixels."""

    def __init__(self, layer: ImageLayer, over: str):
        import torch
        from sparseprop.modules import SparseConv2d

        self.layer = layer
        weight = torch.from_numpy(layer.weight)
        self.convolution = SparseConv2d(weight, padding=layer.padding, vectorizing_over_on=over == "over-pixels")
        self.x, self.dy = torch.from_numpy(layer.x).requires_grad_(), torch.from_numpy(layer.dy)

    def forward(self) -> None:
        self.y = self.convolution(self.x)

    def backward(self) -> None:
        self.x.grad = self.convolution.W_val.grad = None
        self.y.backward(self.dy)

    def results(self) -> Results:
        from sparseprop.modules.utils import from_sparse_format_conv2d

        gradient = from_sparse_format_conv2d(
            self.convolution.W_val.grad, self.convolution.W_idx, shape=self.layer.mask.shape
        )
        return Results(self.y.detach().numpy(), self.x.grad.numpy(), np.asarray(gradient)[self.layer.mask])


WAYS: dict[str, dict[str, Callable[[ImageLayer], Any]]] = {
    "torch": {layout: lambda layer, layout=layout: TorchImages(layer, layout) for layout in ("nchw", "channels-last")},
    "sparseprop": {
        over: lambda layer, over=over: SparsePropImages(layer, over) for over in ("over-images", "over-pixels")
    },
}
"""By peer: its ways by name."""


def able(way: str, layer: ImageLayer) -> bool:
    """Whether a way gives right results: sparseprop's over images forgets those beyond the last eight."""
    return way != "over-images" or layer.batch % 8 == 0
