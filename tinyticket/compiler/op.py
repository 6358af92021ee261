"""What a network is lowered to: a list of operations of kernels, and the blocks of memory that they work on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinyticket.compiler.graph import Operation
from tinyticket.kernels.cpu.arguments import even_bounds


@dataclass(eq=False)
class Block:
    """A piece of memory.

    Attributes
    ----------
    size : int
        In numbers.
    origin : int
        Where in it a kernel's address points: the first pixel inside a border.
    kind : tuple, optional
        Blocks of the same kind may take each other's place when their contents are done with: they have their zeros in the same
        places. None keeps the block for itself.
    dtype : type
        Of its numbers; each type has an arena of its own.
    private : bool
        Whether every thread has one of its own, and computes all of it.
    fill : float
        What it holds from the beginning.
    place : int
        Where it begins in its arena, or in each thread's part of it, once it has been placed.
    """

    size: int
    origin: int = 0
    kind: tuple | None = None
    dtype: Any = np.float32
    private: bool = False
    fill: float = 0.0
    place: int = -1


@dataclass(frozen=True)
class Part:
    """What begins some numbers behind a block's origin."""

    block: Block
    offset: int


FEED = "feed"
"""Stands in a job for the record of what changes from step to step, `kernels.cpu.feed.Feed`."""


@dataclass(frozen=True)
class Shares:
    """How an operation's outputs are cut between threads.

    Attributes
    ----------
    key : hashable
        Equal where two operations are cut so that each thread touches its own part of what both touch, whatever they count.
    cut : callable
        From a number of threads to the bounds of their shares, int64 of one more.
    """

    key: Hashable
    cut: Callable[[int], np.ndarray] = field(compare=False)

    def times(self, factor: int, most: int) -> Shares:
        """Return the same shares counted in smaller units: so many for each of these, `most` in all."""
        return Shares(self.key, lambda threads: np.minimum(self.cut(threads) * factor, most))


def even(count: int, multiple: int = 1) -> Shares:
    """Cut a number of outputs, all as much work, into equal shares that start at multiples of a tile."""
    return Shares(("even", count, multiple), lambda threads: even_bounds(count, threads, multiple))


@dataclass(eq=False)
class Op:
    """A kernel's work.

    Attributes
    ----------
    job : NamedTuple
        The kernel's, with blocks, parts of blocks and `FEED` where addresses will be.
    shares : Shares
    reads, writes : list of Block
        What other threads must have finished with, or have finished, before it may go on.
    own : list of Block
        Those of them of which each share touches its own part only.
    may_overwrite : list of (Block, Block)
        What may be written where something lies that is read: the kernel is done with each number before it writes the same place.
    layer : Operation, optional
        Whose work it is part of.
    """

    job: Any
    shares: Shares
    reads: list[Block]
    writes: list[Block]
    own: list[Block] = field(default_factory=list)
    may_overwrite: list[tuple[Block, Block]] = field(default_factory=list)
    layer: Operation | None = None

    @property
    def blocks(self) -> list[Block]:
        """All blocks that it touches."""
        return list(dict.fromkeys((*self.reads, *self.writes, *_named(self.job))))

    @property
    def replicated(self) -> bool:
        """Whether every thread does all of it for itself."""
        return any(block.private for block in self.writes)


def _named(job: Any) -> list[Block]:
    """Return the blocks that a job names, those of records inside it too."""
    found = []
    for value in job:
        if isinstance(value, Block):
            found.append(value)
        elif isinstance(value, Part):
            found.append(value.block)
        elif isinstance(value, tuple):
            found += _named(value)
    return found
