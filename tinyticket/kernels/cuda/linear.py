"""Dense linear layers on a device: by cuBLAS where nvmath-python or cupy brings it, else as convolutions of one pixel.

NVIDIA's products are faster than ours. Features are a matrix of channels by lanes, so a layer is one call, and one small kernel for
what comes after it: bias, ReLU, the gradient of a ReLU. cuBLAS computes in float32 proper unless it is told to use TF32, and gives
the same bits on the same device; on another device, or another release, it may not.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.kernels.cuda import convolution, toolkit
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Launch, Routine
from tinyticket.kernels.cuda.rows import finish, rectified
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 128

Binding = tuple[Callable[..., Any], int]

_SCALES = np.array([0, 1], np.float32)  # of what is there and of the product: cuBLAS reads them from memory


@functools.cache
def cublas() -> Binding | None:
    """Return sgemm and the handle that it wants; None where nothing brings them. It runs on the default stream."""
    if toolkit.simulated() or not toolkit.available():
        return None
    cuda.current_context()  # a handle belongs to one
    with contextlib.suppress(ImportError, RuntimeError):  # the binding is missing, or what it binds
        from nvmath.bindings import cublas as bindings

        return bindings.sgemm, bindings.create()
    with contextlib.suppress(ImportError, RuntimeError):
        import cupy
        from cupy_backends.cuda.libs import cublas as bindings

        return bindings.sgemm, cupy.cuda.Device().cublas_handle
    return None


def linear(x, weight, bias, y, g: Geometry, relu: int = 0) -> tuple[Launch, ...]:
    """Compute y = W x + b, perhaps through a ReLU; x and y are of (inputs, lanes) and (outputs, lanes)."""
    if cublas() is None:
        return (convolution.conv2d(x, weight, bias, y, g, relu),)
    product = _product(weight, False, x, False, y, (g.outputs, g.lanes, g.inputs))
    if bias is None and not relu:
        return (product,)
    return product, _finished(y, y if bias is None else bias, y, g.outputs, g.lanes, bias is not None, relu, False)


def linear_input_gradient(weight, x, dy, dx, g: Geometry, x_is_relu_output: int = 0) -> tuple[Launch, ...]:
    """Compute dx = W^T dy."""
    if cublas() is None:
        return (convolution.conv2d_input_gradient(dy, weight, x, dx, g, 0, x_is_relu_output),)
    product = _product(weight, True, dy, False, dx, (g.inputs, g.lanes, g.outputs))
    if not x_is_relu_output:
        return (product,)
    return product, _finished(dx, dx, x, g.inputs, g.lanes, False, False, True)


def linear_weight_gradient(x, dy, gradient, g: Geometry) -> Launch:
    """Compute dW = dy x^T in as many parts as `linear_splits` says."""
    if cublas() is None:
        return convolution.conv2d_weight_gradient(x, dy, gradient, g)
    return _product(dy, False, x, True, gradient, (g.outputs, g.inputs, g.lanes))


def linear_splits(g: Geometry) -> int:
    """Return into how many parts the gradient of a linear layer's weight is cut."""
    return convolution.conv2d_splits(g) if cublas() is None else 1


@cuda.jit
def finish_product(result, bias, held, lanes, biased, relu, x_is_relu_output):
    """Do to a product, channel by channel of so many lanes, what is to be done to it."""
    number = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
    if number < result.size:
        spot = np.uint32(number)
        value = result[spot]
        if biased != 0:
            value += bias[np.uint32(number // lanes)]
        finish(result, spot, rectified(value, relu), held, 0, x_is_relu_output)


def _finished(result, bias, held, channels: int, lanes: int, *flags: int) -> Launch:
    """Return the launch behind a product, with the flags of its kernel."""
    given = result, bias, held, lanes, *map(int, flags)
    return Launch(finish_product, (-(-channels * lanes // THREADS),), (THREADS,), given)


def _product(a: Any, a_turned: bool, b: Any, b_turned: bool, out: Any, sizes: tuple[int, int, int]) -> Launch:
    """Compute out = a b of C-ordered matrices, (rows, depth) and (depth, columns), each turned first if it says so.

    cuBLAS takes columns to be contiguous, so it sees every matrix turned and computes out^T = b^T a^T.
    """
    found = cublas()
    assert found is not None
    sgemm, handle = found
    rows, columns, depth = sizes
    none, one = _SCALES.ctypes.data, _SCALES.ctypes.data + 4
    b_side, a_side = depth if b_turned else columns, rows if a_turned else depth
    factors = one, _address(b), b_side, _address(a), a_side, none, _address(out), columns

    def run(*held: Any) -> None:
        sgemm(handle, int(b_turned), int(a_turned), columns, rows, depth, *factors)

    return Launch(Routine(run), (1,), (1,), (a, b, out))  # for as long as it lives the matrices do


def _address(array: Any) -> int:
    return int(array.__cuda_array_interface__["data"][0])
