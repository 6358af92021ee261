"""The places of a mask's survivors as sparse kernels read them: one record that patterns and jobs share."""

from typing import NamedTuple

from tinyticket.kernels.cpu.job import Offsets


class Lines(NamedTuple):
    """Survivors line by line, a line being a row or a column.

    Lines are cut into blocks so that what they read stays in the first-level cache: starts[line * blocks + block] is
    where a line's survivors in a block begin, and the next element is where they end. Offsets are positions in the
    other direction times the lanes.
    """

    starts: Offsets  # lines * blocks + 1
    offsets: Offsets  # survivors
    blocks: int
