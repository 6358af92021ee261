"""Which pruned layers run sparse on a device."""

from tinyticket.compiler.graph import Operation
from tinyticket.kernels.cuda import linear
from tinyticket.kernels.cuda.sparse_tiles import fits

OVER_CUBLAS, OVER_OWN = 0.13, 0.6
"""Densities below which a layer runs sparse, whatever its shape: where cuBLAS would do the dense one, and where kernels of our own
would. On an H100 a layer of 4096 by 4096 and 256 samples takes 560 microseconds with cuBLAS, forward and backward, 2,070 with our
kernels, and about 160 + 3,060 * density sparse; a convolution of 64 channels by 64 in 32 by 32 pixels takes 9,300 and about 800 +
12,000 * density (docs/cuda.md)."""


def break_even(is_linear: bool) -> float:
    """Return the density below which a layer runs sparse."""
    return OVER_CUBLAS if is_linear and linear.cublas() else OVER_OWN


def runs_sparse(operation: Operation, density: float) -> bool:
    """Return whether a layer is sparse enough for sparse kernels, and they have room for its patches."""
    is_linear = operation.kind == "linear"
    if density >= break_even(is_linear):
        return False
    if is_linear:
        return True
    height, width = operation.attributes["kernel"]
    return fits(height, width, operation.attributes["stride"])
