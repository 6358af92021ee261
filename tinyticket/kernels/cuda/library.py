"""Dense linear layers through cuBLAS, where nvmath-python or cupy brings it: NVIDIA's products are faster than ours.

Values without a border are matrices of channels by lanes, so a layer is one call, and one small kernel for what comes after it:
bias, ReLU, the gradient of a ReLU. cuBLAS computes in float32 proper unless it is told to use TF32, and gives the same bits on the
same device; on another device, or another release, it may not.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.kernels.cuda import toolkit
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Launch, Routine
from tinyticket.kernels.cuda.toolkit import cuda

THREADS = 128

Binding = tuple[Callable[..., Any], int]

_ZERO = np.float32(0)
_SCALES = np.array([0, 1], np.float32)  # cuBLAS reads its factors from memory


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


def serves(g: Geometry) -> bool:
    """Say whether a layer is done here: cuBLAS is there, and both values are matrices."""
    pixels = g.kernel_height, g.kernel_width, g.x_height, g.x_width, g.x_plane, g.y_plane
    return set(pixels) == {1} and cublas() is not None


def forward(x: Any, weight: Any, bias: Any, y: Any, g: Geometry, relu: int) -> tuple[Launch, ...]:
    """Compute y = W x + b, perhaps through a ReLU: `dense.forward` of a linear layer."""
    product = _product(weight, False, x, False, y, (g.outputs, g.lanes, g.inputs))
    if bias is None and not relu:
        return (product,)
    given = y, y if bias is None else bias, y, g.lanes, int(bias is not None), int(relu), 0
    return product, Launch(finish, _grid(g.outputs * g.lanes), (THREADS,), given)


def input_gradient(dy: Any, weight: Any, x: Any, dx: Any, g: Geometry, add: int, rectified: int) -> tuple[Launch, ...]:
    """Compute dx = W^T dy: `dense.input_gradient` of a linear layer."""
    product = _product(weight, True, dy, False, dx, (g.inputs, g.lanes, g.outputs), add)
    if not rectified:
        return (product,)
    return product, Launch(finish, _grid(g.inputs * g.lanes), (THREADS,), (dx, dx, x, g.lanes, 0, 0, 1))


def weight_gradient(x: Any, dy: Any, gradient: Any, g: Geometry) -> Launch:
    """Compute dW = dy x^T, in one part: `dense.weight_gradient` of a linear layer."""
    return _product(dy, False, x, True, gradient, (g.outputs, g.inputs, g.lanes))


@cuda.jit
def finish(result, bias, held, lanes, biased, relu, rectified):
    """Do to a product, channel by channel of so many lanes, what is to be done to it."""
    number = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
    if number < result.size:
        spot = np.uint32(number)
        value = result[spot]
        if biased != 0:
            value += bias[np.uint32(number // lanes)]
        if relu != 0 and value < _ZERO:
            value = _ZERO
        if rectified != 0 and held[spot] <= _ZERO:
            value = _ZERO
        result[spot] = value


def _product(
    a: Any, a_turned: bool, b: Any, b_turned: bool, out: Any, sizes: tuple[int, int, int], add: int = 0
) -> Launch:
    """Compute out (+)= a b of C-ordered matrices, (rows, depth) and (depth, columns), each turned first if it says so.

    cuBLAS takes columns to be contiguous, so it sees every matrix turned and computes out^T = b^T a^T.
    """
    found = cublas()
    assert found is not None, "`serves` has seen to it"
    sgemm, handle = found
    rows, columns, depth = sizes
    one, scale = _SCALES.ctypes.data + 4, _SCALES.ctypes.data + 4 * int(add)
    b_side, a_side = depth if b_turned else columns, rows if a_turned else depth
    sizes_turned = columns, rows, depth
    factors = one, _address(b), b_side, _address(a), a_side, scale, _address(out), columns

    def run(*held: Any) -> None:
        sgemm(handle, int(b_turned), int(a_turned), *sizes_turned, *factors)

    return Launch(Routine(run), (1,), (1,), (a, b, out))  # for as long as it lives the matrices do


def _address(array: Any) -> int:
    return int(array.__cuda_array_interface__["data"][0])


def _grid(size: int) -> tuple[int]:
    return (-(-size // THREADS),)
