"""Patterns of survivors as a device reads them: offsets in pixels, and the order in which lines are taken."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cpu.machine import LANES
from tinyticket.kernels.cuda.memory import upload
from tinyticket.kernels.cuda.sparse import lines
from tinyticket.sparse import ConvPattern, Pattern


class DeviceLines(NamedTuple):
    """Survivors line by line, int32 device arrays."""

    starts: Any  # where each line begins among the survivors, and their number
    offsets: Any  # pixels
    order: Any  # in which lines are taken: long ones first, so that a block's warps work equally long


class DevicePattern(NamedTuple):
    """A pattern in both orders; columns are there only where somebody reads them."""

    rows: DeviceLines
    columns: DeviceLines | None
    to_row: Any


def pattern_on_device(pattern: Pattern | ConvPattern, both: bool) -> DevicePattern:
    """Upload a pattern whose lines are in one block each.

    Parameters
    ----------
    pattern
    both : bool
        Whether the order of columns is needed too, as it is for an input gradient.
    """
    unit, phases = (LANES, pattern.window.stride**2) if isinstance(pattern, ConvPattern) else (pattern.lanes, 1)
    rows = DeviceLines(*map(_integers, lines(pattern.rows, unit)))
    if not both:
        return DevicePattern(rows, None, None)
    columns = DeviceLines(*map(_integers, lines(pattern.columns, unit, phases)))
    return DevicePattern(rows, columns, _integers(pattern.to_row))


def _integers(numbers: np.ndarray) -> Any:
    """Upload whole numbers, at least one: a device has no empty arrays."""
    return upload(numbers.astype(np.int32) if numbers.size else np.zeros(1, np.int32))
