"""The peers' sides of the layers, each in the layout that suits it, everything prepared before the clock runs."""

from typing import Any

import numpy as np

from benchmarks.layer import Layer, Results


class NumpyDense:
    """Three dense products through NumPy's BLAS, features by samples, into arrays that exist."""

    def __init__(self, layer: Layer):
        self.layer, self.w = layer, layer.weight
        self.x, self.dy = np.ascontiguousarray(layer.x.T), np.ascontiguousarray(layer.dy.T)
        self.y, self.dx, self.dw = np.empty_like(self.dy), np.empty_like(self.x), np.empty_like(self.w)

    def forward(self) -> None:
        np.matmul(self.w, self.x, out=self.y)

    def backward(self) -> None:
        np.matmul(self.w.T, self.dy, out=self.dx)
        np.matmul(self.dy, self.x.T, out=self.dw)

    def results(self) -> Results:
        return Results(self.y.T, self.dx.T, self.dw[self.layer.mask])


class ScipyCSR:
    """SciPy's CSR product; it has no product for the gradient of survivors only, so there is no backward pass."""

    backward = None

    def __init__(self, layer: Layer):
        from scipy.sparse import csr_array

        self.w, self.x = csr_array(layer.weight), np.ascontiguousarray(layer.x.T)

    def forward(self) -> None:
        self.y = self.w @ self.x

    def results(self) -> Results:
        return Results(self.y.T)


class TorchDense:
    """PyTorch's dense products, samples by features as its Linear has them, without the cost of its tape."""

    def __init__(self, layer: Layer):
        import torch

        self.torch, self.layer = torch, layer
        arrays = layer.weight, layer.x, layer.dy
        self.w, self.x, self.dy = (torch.from_numpy(np.ascontiguousarray(a)) for a in arrays)
        self.y, self.dx, self.dw = (torch.empty_like(t) for t in (self.dy, self.x, self.w))

    def forward(self) -> None:
        self.torch.mm(self.x, self.w.T, out=self.y)

    def backward(self) -> None:
        self.torch.mm(self.dy, self.w, out=self.dx)
        self.torch.mm(self.dy.T, self.x, out=self.dw)

    def results(self) -> Results:
        return Results(self.y.numpy(), self.dx.numpy(), self.dw.numpy()[self.layer.mask])


class TorchCSR:
    """torch.sparse in CSR: products with W and W' and a sampled product for the survivors' gradients."""

    def __init__(self, layer: Layer):
        import warnings

        import torch

        self.torch = torch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that CSR is in beta state
            self.w = torch.from_numpy(layer.weight).to_sparse_csr()
            self.w_transposed = torch.from_numpy(np.ascontiguousarray(layer.weight.T)).to_sparse_csr()
        self.x, self.dy = (torch.from_numpy(np.ascontiguousarray(a.T)) for a in (layer.x, layer.dy))
        self.x_samples = torch.from_numpy(layer.x)

    def forward(self) -> None:
        self.y = self.w @ self.x

    def backward(self) -> None:
        self.dx = self.w_transposed @ self.dy
        self.dw = self.torch.sparse.sampled_addmm(self.w, self.dy, self.x_samples, beta=0.0)

    def results(self) -> Results:
        return Results(self.y.numpy().T, self.dx.numpy().T, self.dw.values().numpy())


class SparsePropLayer:
    """sparseprop's Linear under PyTorch's tape, which is the only way into it."""

    def __init__(self, layer: Layer):
        import torch
        from sparseprop.modules import SparseLinear

        self.linear = SparseLinear(torch.from_numpy(layer.weight), torch.nn.Parameter(torch.from_numpy(layer.bias)))
        self.x = torch.from_numpy(layer.x).requires_grad_()
        self.dy = torch.from_numpy(layer.dy)

    def forward(self) -> None:
        self.y = self.linear(self.x)

    def backward(self) -> None:
        self.x.grad = self.linear.W_val.grad = self.linear.bias.grad = None
        self.y.backward(self.dy)

    def results(self) -> Results:
        return Results(self.y.detach().numpy(), self.x.grad.numpy(), self.linear.W_val.grad.numpy())


class SparseLabLayer:
    """sparselab's products in padded CSR, features by samples, without the transposes and the tape of its Linear.

    Of its kernels those called simd, in no case the slower ones; rows are not padded, but for those without survivors.
    """

    def __init__(self, layer: Layer):
        import sparselab
        import torch
        from sparselab import _core, layout

        self.core = _core
        self.w = sparselab.PaddedCSR.from_dense(torch.from_numpy(layer.weight), padding_ratio=0.0)
        self.w_transposed, _ = layout.transpose_with_perm(self.w, padding_ratio=0.0)
        self.x, self.dy = (np.ascontiguousarray(a.T) for a in (layer.x, layer.dy))

    def forward(self) -> None:
        self.y = self.core.spmm_simd(self.w, self.x)

    def backward(self) -> None:
        self.dx = self.core.spmm_simd(self.w_transposed, self.dy)
        self.dw = self.core.spmm_grad_w_simd(self.w, self.dy, self.x)

    def results(self) -> Results:
        return Results(self.y.T, self.dx.T, self.dw[np.asarray(self.w.col_indices) >= 0])


class MklCSR:
    """MKL's CSR product, features by samples, into an array that exists; it has none for the gradient of survivors only."""

    backward = None

    def __init__(self, layer: Layer):
        from scipy.sparse import csr_matrix
        from sparse_dot_mkl import dot_product_mkl

        self.dot = dot_product_mkl
        self.w, self.x = csr_matrix(layer.weight), np.ascontiguousarray(layer.x.T)
        self.y = np.zeros((layer.outputs, layer.batch), np.float32)

    def forward(self) -> None:
        self.dot(self.w, self.x, out=self.y, out_scalar=0.0)

    def results(self) -> Results:
        return Results(self.y.T)


class NervaLayer:
    """The linear layer of nerva_torch, which has no sparse ones: dense products and a bias, samples by features."""

    def __init__(self, layer: Layer):
        import torch
        from nerva_torch.layers import LinearLayer

        self.layer, self.linear = layer, LinearLayer(layer.inputs, layer.outputs)
        self.x, self.dy, weight = (torch.from_numpy(a) for a in (layer.x, layer.dy, layer.weight))
        self.linear.W[:] = weight

    def forward(self) -> None:
        self.y = self.linear.feedforward(self.x)

    def backward(self) -> None:
        self.linear.backpropagate(self.y, self.dy)

    def results(self) -> Results:
        return Results(self.y.numpy(), self.linear.DX.numpy(), self.linear.DW.numpy()[self.layer.mask])


LAYERS: dict[str, Any] = {
    "numpy": NumpyDense,
    "scipy": ScipyCSR,
    "torch": TorchDense,
    "torch-sparse": TorchCSR,
    "sparseprop": SparsePropLayer,
    "sparselab": SparseLabLayer,
    "sparse-dot-mkl": MklCSR,
    "nerva": NervaLayer,
}
