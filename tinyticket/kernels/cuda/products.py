"""What the kernels of `tiles` are told of a layer: sizes and distances, the same in every launch of a step."""

from typing import NamedTuple

FIELDS = 6
"""Numbers that describe a phase: first and last tap, rows, columns, and where its pixels begin in the source and in the result."""


class Product(NamedTuple):
    """What is the same in all phases of a layer's pass; distances in pixels."""

    lanes: int
    channels: int  # of the result
    weight_row: int  # weights between those of a channel of the result and of the next
    by_row: int  # 1 if weights of neighbouring channels of the result lie beside each other
    source_row: int  # from a pixel's first tap to that of the pixel below
    source_column: int  # and to that of its right neighbour
    result_row: int
    result_column: int
    result_plane: int
    biased: int  # 1: add a bias to each channel
    relu: int  # 1: negative results become zero
    add: int  # 1: add to what is there
    x_is_relu_output: int  # 1: zero where `held` is not above zero


class Sum(NamedTuple):
    """A weight gradient: sums over pixels and lanes; distances in pixels."""

    lanes: int
    outputs: int
    taps: int
    height: int
    width: int
    x_start: int  # of the first pixel's first tap
    x_row: int
    x_column: int
    y_start: int
    y_row: int
    y_plane: int
    chunks: int  # of 32 lanes of a pixel, that each part sums
