"""A row of a device's program: a kernel, and the blocks and numbers that it will be launched with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.compiler.network.program import Block, Row
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cuda.launch import Launch


@dataclass(eq=False)
class Feed:
    """An array of one row a turn, written by the host for a whole call, or by the device for the host to read.

    Attributes
    ----------
    dtype : type
    size : int
        Numbers a turn.
    """

    dtype: Any
    size: int


Find = Callable[[Any], Any]


class Work(Row):
    """Launches that are to come, once their blocks have been placed and their feeds allocated.

    Parameters
    ----------
    make : callable
        From the arguments, arrays in place of blocks and feeds, to the launches: a function of `kernels.cuda`.
    *arguments
        Numbers, arrays, blocks, feeds.
    touches : sequence of Block
        What it uses besides its arguments.
    """

    def __init__(
        self, make: Callable[..., Launch | tuple[Launch, ...]], *arguments: Any, touches: Sequence[Block] = ()
    ):
        super().__init__(make.__name__, arguments, _undivided, reads=[*touches])
        self.make = make

    def launches(self, find: Find) -> list[Launch]:
        """Return the launch, or several; `find` gives the array of a block or a feed."""
        made = self.make(*(find(each) if isinstance(each, Block | Feed) else each for each in self.arguments))
        return [made] if isinstance(made, Launch) else list(made)


def _undivided(threads: int) -> np.ndarray:
    """Return the share of a single thread: the kernel's own divide the work."""
    return even_bounds(1, threads)
