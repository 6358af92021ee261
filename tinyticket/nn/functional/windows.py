"""What arguments of convolutions and pooling may be: one number for rows and columns, or a pair; and whether they fit an image."""

from __future__ import annotations

import operator
from typing import Any

from tinyticket.kernels.reference import output_size

Pair = tuple[int, int]


def pair(value: Any, what: str, least: int = 1) -> Pair:
    """Return (rows, columns) from one whole number for both or from two; `what` names them in the error."""
    try:
        rows, columns = value if isinstance(value, tuple | list) else (value, value)
        numbers = operator.index(rows), operator.index(columns)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is a whole number or a pair of them (rows, columns), not {value!r}") from None
    if min(numbers) < least:
        raise ValueError(f"{what} is at least {least}, not {value!r}")
    return numbers


def check_windows(
    where: str,
    shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    ceil_mode: bool = False,
) -> None:
    """Raise ValueError unless `shape` is that of images (N, C, H, W) with room for a window."""
    if len(shape) != 4:
        raise ValueError(f"{where} wants images (N, C, H, W); got shape {shape}")
    if min(output_size((shape[2], shape[3]), kernel_size, stride, padding, dilation, ceil_mode)) < 1:
        raise ValueError(
            f"{where}: images of {shape[2]} x {shape[3]} with padding {padding} have no room for windows of "
            f"{kernel_size[0]} x {kernel_size[1]}{'' if dilation == (1, 1) else f' with dilation {dilation}'}"
        )
