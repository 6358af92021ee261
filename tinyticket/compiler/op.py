"""What a network is lowered to: a list of operations of kernels, and the blocks of memory that they work on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tinyticket.compiler.graph import Operation
from tinyticket.kernels.cpu.arguments import even_bounds


@dataclass(eq=False)
class Block:
    """A piece of memory."""

    size: int  # in numbers
    origin: int = 0  # where in it a kernel's address points: the first pixel inside a border
    # Blocks of one kind have their zeros in the same places, so that each may take the place of another whose contents are done
    # with; a block of no kind keeps its place for itself.
    kind: tuple | None = None
    dtype: Any = np.float32  # each type of numbers has an arena of its own
    private: bool = False  # whether every thread has one of its own, and computes all of it
    fill: float = 0.0  # what it holds from the beginning
    place: int = -1  # where it begins in its arena, or in each thread's part of it, once it has been placed


@dataclass(frozen=True)
class Part:
    """What begins some numbers behind a block's origin."""

    block: Block
    offset: int


FEED = "feed"
"""Stands in a job for the record of what changes from step to step, `kernels.cpu.feed.Feed`."""


@dataclass(frozen=True)
class Shares:
    """How an operation's outputs are cut between threads."""

    key: Hashable  # equal where each thread touches its own part of what two operations touch, whatever they count
    cut: Callable[[int], np.ndarray] = field(compare=False)  # from a number of threads to the bounds, int64 of one more

    def times(self, factor: int, most: int) -> Shares:
        """Return the same shares counted in smaller units: so many for each of these, `most` in all."""
        return Shares(self.key, lambda threads: np.minimum(self.cut(threads) * factor, most))


def even(count: int, multiple: int = 1) -> Shares:
    """Cut a number of outputs, all as much work, into equal shares that start at multiples of a tile."""
    return Shares(("even", count, multiple), lambda threads: even_bounds(count, threads, multiple))


@dataclass(eq=False)
class Op:
    """A kernel's work."""

    job: Any  # the kernel's, with blocks, parts of blocks and `FEED` where addresses will be
    shares: Shares
    reads: list[Block]  # other threads must have written them before it may go on ...
    writes: list[Block]  # ... and must have finished with these
    own: list[Block] = field(default_factory=list)  # those of both of which each share touches its own part only
    # What may be written where something lies that is read: the kernel is done with each number before it writes the same place.
    may_overwrite: list[tuple[Block, Block]] = field(default_factory=list)
    layer: Operation | None = None  # whose work it is part of

    @cached_property
    def blocks(self) -> list[Block]:
        """All blocks that it touches."""
        return list(dict.fromkeys((*self.reads, *self.writes, *_named(self.job))))

    @cached_property
    def replicated(self) -> bool:
        """Whether every thread does all of it for itself."""
        return any(block.private for block in self.writes)


def _named(job: Any) -> list[Block]:
    """Return the blocks that a job names, those of records inside it too."""
    found = []
    for value in job:
        if isinstance(value, Block | Part):
            found.append(value.block if isinstance(value, Part) else value)
        elif isinstance(value, tuple):
            found += _named(value)
    return found
