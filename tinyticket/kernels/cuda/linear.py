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
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 128

Binding = tuple[Callable[..., Any], int]

_ZERO = np.float32(0)
_SCALES = np.array([0, 1], np.float32)  # of what is there and of the product: cuBLAS reads them from memory


@functools.cache
def cublas() -> Binding | None:
    """Return sgemm and the handle that it wants; None where nothing brings them. It runs on the default stream."""
    if toolkit.simulated() or not toolkit.available():
        return None
    cuda.current_context()  # a handle belongs to one
    for bring in (_from_nvmath, _from_cupy):
        with contextlib.suppress(ImportError, RuntimeError):  # the binding is missing, or what it binds
            return bring()
    return None


def _from_nvmath() -> Binding:
    from nvmath.bindings import cublas as bindings

    return bindings.sgemm, bindings.create()


def _from_cupy() -> Binding:
    import cupy
    from cupy_backends.cuda.libs import cublas as bindings

    return bindings.sgemm, cupy.cuda.Device().cublas_handle


def linear(x: Any, weight: Any, bias: Any, y: Any, g: Geometry, relu: int = 0) -> tuple[Launch, ...]:
    """Compute y = W x + b, perhaps through a ReLU.

    Parameters
    ----------
    x, y : float32 device arrays of (inputs, lanes) and (outputs, lanes), flat
    weight : float32 device array of (outputs, inputs), flat
    bias : float32 device array of (outputs,), or None
    g : Geometry
        Of one pixel.
    relu : int
        1 to set what is negative to zero.
    """
    if cublas() is None:
        return (convolution.conv2d(x, 0, weight, bias, y, 0, g, relu),)
    product = _product(weight, False, x, False, y, (g.outputs, g.lanes, g.inputs))
    if bias is None and not relu:
        return (product,)
    given = y, y if bias is None else bias, y, g.lanes, int(bias is not None), int(relu), 0
    return product, Launch(finish_product, _grid(g.outputs * g.lanes), (THREADS,), given)


def linear_input_gradient(
    weight: Any, x: Any, dy: Any, dx: Any, g: Geometry, x_is_relu_output: int = 0
) -> tuple[Launch, ...]:
    """Compute dx = W^T dy.

    Parameters
    ----------
    weight, g
        As in `linear`.
    x : float32 device array of (inputs, lanes), flat, or None
        Read only if `x_is_relu_output`.
    dy, dx : float32 device arrays of (outputs, lanes) and (inputs, lanes), flat
    x_is_relu_output : int
        1 to set dx to zero where x is not above zero.
    """
    if cublas() is None:
        return (convolution.conv2d_input_gradient(dy, 0, weight, x, dx, 0, g, 0, x_is_relu_output),)
    product = _product(weight, True, dy, False, dx, (g.inputs, g.lanes, g.outputs))
    if not x_is_relu_output:
        return (product,)
    return product, Launch(finish_product, _grid(g.inputs * g.lanes), (THREADS,), (dx, dx, x, g.lanes, 0, 0, 1))


def linear_weight_gradient(x: Any, dy: Any, gradient: Any, g: Geometry) -> Launch:
    """Compute dW = dy x^T in several parts, which the update adds up in their order.

    Parameters
    ----------
    x, dy : float32 device arrays of (inputs, lanes) and (outputs, lanes), flat
        dy is zero in lanes beyond the last sample.
    gradient : float32 device array of (parts, outputs, inputs), flat
        As many parts as `linear_splits` says.
    g : Geometry
        Of one pixel.
    """
    if cublas() is None:
        return convolution.conv2d_weight_gradient(x, 0, dy, 0, gradient, g)
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
        if relu != 0 and value < _ZERO:
            value = _ZERO
        if x_is_relu_output != 0 and held[spot] <= _ZERO:
            value = _ZERO
        result[spot] = value


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
    sizes_turned = columns, rows, depth
    factors = one, _address(b), b_side, _address(a), a_side, none, _address(out), columns

    def run(*held: Any) -> None:
        sgemm(handle, int(b_turned), int(a_turned), *sizes_turned, *factors)

    return Launch(Routine(run), (1,), (1,), (a, b, out))  # for as long as it lives the matrices do


def _address(array: Any) -> int:
    return int(array.__cuda_array_interface__["data"][0])


def _grid(size: int) -> tuple[int]:
    return (-(-size // THREADS),)
