"""A convolution's weights as its passes read them: from beginning to end, some channels' weights beside each other.

Forward, ROWS outputs lie beside each other, and the innermost loop runs over the inputs, which are many where a kernel's
rows and columns are few: packed is [outputs / ROWS][kernel rows][kernel columns][inputs][ROWS]. The input gradient is a
convolution of dy with the kernel turned by half a circle and inputs and outputs exchanged. At a stride, a pixel of x
meets only every stride-th tap, and which ones depends on its phase, its row and column modulo the stride; each phase is a
convolution of its own with a smaller kernel, and nothing is multiplied with zeros that a dilated dy would have:
packed_back is [inputs / ROWS] of [phase][phase's kernel rows][columns][outputs][ROWS]. Channels beyond the last are zeros.

The master stays (outputs, inputs, kernel rows, kernel columns) in C order; this copy is renewed after every update.
"""

from numba import prange
from numba.extending import register_jitable

from tinyticket.kernels.cpu.vector.jit import device, kernel
from tinyticket.kernels.cpu.vector.machine import TILES
from tinyticket.kernels.cpu.vector.simd import at, pointer
from tinyticket.kernels.cpu.vector.transpose import put

ROWS = TILES.image_rows


def packed_size(window) -> int:
    """Count the floats of the weights that the forward pass reads."""
    taps = window.inputs * window.kernel_height * window.kernel_width
    return -(-window.outputs // ROWS) * ROWS * taps


def packed_back_size(window) -> int:
    """Count the floats of the weights that the input gradient reads."""
    taps = window.outputs * window.kernel_height * window.kernel_width
    return -(-window.inputs // ROWS) * ROWS * taps


def pack_jobs(window) -> int:
    """Count the jobs of `conv_pack`."""
    return -(-max(window.inputs, window.outputs) // ROWS)


@register_jitable
def phase_of(phase, padding, stride, kernel):
    """Return, of the pixels whose row (or column) is `phase` modulo the stride: first tap, number of taps, offset of dy.

    Pixel phase + stride * i is the sum over m, from 0 to the number of taps, of dy at i + offset + m.
    """
    tap = (phase + padding) % stride
    count = (kernel - tap + stride - 1) // stride if tap < kernel else 0
    return tap, count, (phase + padding - tap) // stride - count + 1


@device
def _pack_forward(weights, packed, window, block):
    """Fill in one block of outputs of the forward pass."""
    area = window.kernel_height * window.kernel_width
    place = block * ROWS * window.inputs * area
    for tap in range(area):
        for channel in range(window.inputs):
            for i in range(ROWS):
                output = block * ROWS + i
                source = (output * window.inputs + channel) * area + tap
                put(packed, place + i, at(weights, source) if output < window.outputs else 0)
            place += ROWS


@device
def _pack_back(weights, packed_back, window, block):
    """Fill in one block of inputs of the input gradient."""
    height, width, stride = window.kernel_height, window.kernel_width, window.stride
    area = height * width
    place = block * ROWS * window.outputs * area
    for a in range(stride):
        top, rows, _ = phase_of(a, window.padding, stride, height)
        for b in range(stride):
            left, columns, _ = phase_of(b, window.padding, stride, width)
            for m in range(rows * columns):
                row, column = rows - 1 - m // columns, columns - 1 - m % columns
                tap = (top + stride * row) * width + left + stride * column
                for output in range(window.outputs):
                    for i in range(ROWS):
                        channel = block * ROWS + i
                        source = (output * window.inputs + channel) * area + tap
                        put(packed_back, place + i, at(weights, source) if channel < window.inputs else 0)
                    place += ROWS


@device
def conv_pack(weights, packed, packed_back, window, first, last):
    """Bring the master's weights into the order of both passes; all arguments are addresses."""
    jobs = (max(window.inputs, window.outputs) + ROWS - 1) // ROWS
    blocks = (window.outputs + ROWS - 1) // ROWS
    for block in range(first * blocks // jobs, last * blocks // jobs):
        _pack_forward(weights, packed, window, block)
    blocks = (window.inputs + ROWS - 1) // ROWS
    for block in range(first * blocks // jobs, last * blocks // jobs):
        _pack_back(weights, packed_back, window, block)


@device
def _pack_chunk(weights, packed, packed_back, window, first, last):
    conv_pack(pointer(weights, 0), pointer(packed, 0), pointer(packed_back, 0), window, first, last)


@kernel
def convolution_pack(bounds, weights, packed, packed_back, window):
    """`conv_pack` over chunks of jobs."""
    if bounds.size == 2:
        _pack_chunk(weights, packed, packed_back, window, bounds[0], bounds[1])
    else:
        for chunk in prange(bounds.size - 1):
            _pack_chunk(weights, packed, packed_back, window, bounds[chunk], bounds[chunk + 1])
