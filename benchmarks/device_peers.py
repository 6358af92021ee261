"""PyTorch's sides of layers on a device: cuBLAS and cuDNN in float32 and in TF32, and cuSPARSE; all without the cost of a tape."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.image_layer import ImageLayer
from benchmarks.layer import Layer, Results

TF32_TOLERANCE = 5e-3
"""Of results whose factors were rounded to ten bits."""


@contextlib.contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Say whether PyTorch may use its matrix units for float32: no, unless TF32 is what is measured."""
    import torch

    products, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
    before, products.allow_tf32 = products.allow_tf32, allowed
    try:
        with cudnn.flags(**kept, allow_tf32=allowed):  # which works where torch.testing has frozen the flags
            yield
    finally:
        products.allow_tf32 = before


def wait() -> None:
    """Wait for what PyTorch has started on the device."""
    import torch

    torch.cuda.synchronize()


class TorchLayer:
    """Dense products, or a dense convolution, of arrays on a device."""

    def __init__(self, layer: Layer | ImageLayer, device: str = "cuda", allow_tf32: bool = False):
        import torch

        self.torch, self.layer, self.allow_tf32 = torch, layer, allow_tf32
        arrays = layer.weight, layer.x, layer.dy
        self.w, self.x, self.dy = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays)

    def forward(self) -> None:
        with tf32(self.allow_tf32):
            if self.w.ndim == 2:
                self.y = self.torch.mm(self.x, self.w.T)
            else:
                self.y = self.torch.nn.functional.conv2d(self.x, self.w, padding=self.layer.padding)

    def backward(self) -> None:
        with tf32(self.allow_tf32):
            if self.w.ndim == 2:
                self.dx, self.dw = self.torch.mm(self.dy, self.w), self.torch.mm(self.dy.T, self.x)
                return
            same, pads = [1, 1], [self.layer.padding] * 2
            self.dx, self.dw, _ = self.torch.ops.aten.convolution_backward(
                self.dy, self.x, self.w, None, same, pads, same, False, [0, 0], 1, [True, True, False]
            )

    def results(self) -> Results:
        y, dx, dw = (tensor.cpu().numpy() for tensor in (self.y, self.dx, self.dw))
        return Results(y, dx, dw[self.layer.mask])


class TorchCSRLayer:
    """cuSPARSE through torch.sparse: products with W and W' in CSR, and a sampled product for the survivors' gradients."""

    def __init__(self, layer: Layer, device: str = "cuda"):
        import warnings

        import torch

        self.torch = torch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that CSR is in beta state
            self.w = torch.from_numpy(layer.weight).to_sparse_csr().to(device)
            self.w_transposed = torch.from_numpy(np.ascontiguousarray(layer.weight.T)).to_sparse_csr().to(device)
        turned = layer.x.T, layer.dy.T, layer.x
        self.x, self.dy, self.x_samples = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in turned)

    def forward(self) -> None:
        self.y = self.w @ self.x

    def backward(self) -> None:
        self.dx = self.w_transposed @ self.dy
        self.dw = self.torch.sparse.sampled_addmm(self.w, self.dy, self.x_samples, beta=0.0)

    def results(self) -> Results:
        return Results(self.y.cpu().numpy().T, self.dx.cpu().numpy().T, self.dw.values().cpu().numpy())


LAYERS: dict[str, Callable[[Any], Any]] = {
    "torch": TorchLayer,
    "torch-tf32": lambda layer: TorchLayer(layer, allow_tf32=True),
    "torch-sparse": TorchCSRLayer,
}
