"""A program: operations as rows of a table of integers, and what is passed to every one of them.

A row says which routine to call, whether all threads must have finished what comes before, and the routine's arguments, most of
them places in the arena. A program is data: another network, mask or batch size is another table, and nothing is compiled again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tinyticket.compiler.network.graph import Operation

ROUTINE, MEET, ARGUMENTS, FIELDS = 0, 1, 2, 48
"""Fields of a row: the routine's address, whether to meet first, where its arguments begin, and how many fields there are."""


class Context(NamedTuple):
    """What every routine is given besides its row, as arrays or inside compiled functions as addresses."""

    floats: np.ndarray  # the arena: parameters, slots, gradients, values
    offsets: np.ndarray  # patterns
    bytes: np.ndarray  # masks of weights and of dropout
    examples: np.ndarray  # float32 (examples, ...); one number if there are pixels
    pixels: np.ndarray  # uint8 (examples, channels, height, width)
    as_pixels: bool
    mean: np.ndarray  # of each channel's pixels
    std: np.ndarray
    labels: np.ndarray  # float32
    indices: np.ndarray  # int64, of the batch's examples
    crops: np.ndarray  # int64, three an example
    cropped: bool
    samples: int
    rule: int
    scalars: np.ndarray  # of the optimizer
    results: np.ndarray  # float64: sum of the losses, number of hits


@dataclass(eq=False)
class Block:
    """A piece of the float32 arena.

    Attributes
    ----------
    size : int
        In floats.
    origin : int
        Where in it a kernel's address points: the first pixel inside a border.
    kind : tuple, optional
        Blocks of the same kind may take each other's place when their contents are done with: they have their zeros in the same
        places. None keeps the block for itself.
    place : int
        Where it begins, once it has been placed.
    """

    size: int
    origin: int = 0
    kind: tuple | None = None
    place: int = -1


Argument = int | Block | tuple[Block, int]


@dataclass
class Row:
    """An operation of a program.

    Attributes
    ----------
    routine : str
        A name in `routines.ROUTINES`.
    arguments : sequence of int, Block or (Block, int)
        Numbers, places, and places so many floats further on.
    bounds : callable
        From a number of threads to the bounds of each one's share, an array of one more.
    reads, writes : list of Block
        What threads must have finished with, or have finished, before others may go on.
    over : list of (Block, Block)
        What may be written where something lies that is read: the routine is done with each number before it writes the same place.
    owner : Operation, optional
        Whose work it is part of.
    """

    routine: str
    arguments: Sequence[Any]
    bounds: Callable[[int], np.ndarray]
    reads: list[Block] = field(default_factory=list)
    writes: list[Block] = field(default_factory=list)
    over: list[tuple[Block, Block]] = field(default_factory=list)
    owner: Operation | None = None


def table(rows: list[Row], addresses: dict[str, int]) -> np.ndarray:
    """Write rows down as integers, flat; all blocks have been placed."""
    written = np.zeros((len(rows), FIELDS), np.int64)
    for line, row, meet in zip(written, rows, _meetings(rows), strict=True):
        numbers = [_number(argument) for argument in row.arguments]
        line[ROUTINE], line[MEET] = addresses[row.routine], meet
        line[ARGUMENTS : ARGUMENTS + len(numbers)] = numbers
    return written.reshape(-1)


def _number(argument: Argument) -> int:
    if isinstance(argument, tuple):
        return _number(argument[0]) + argument[1]
    return argument.place + argument.origin if isinstance(argument, Block) else int(argument)


def bounds(rows: Iterable[Row], threads: int) -> np.ndarray:
    """Return every row's bounds for so many threads, flat."""
    return np.concatenate([np.asarray(row.bounds(threads), np.int64) for row in rows])


def _meetings(rows: list[Row]) -> list[bool]:
    """Say before which rows all threads must meet: where what was written since the last meeting is touched, or read written."""
    meetings = []
    read: set[int] = set()
    written: set[int] = set()
    for row in rows:
        reads, writes = ({block.place for block in blocks} for blocks in (row.reads, row.writes))
        meet = bool(reads & written or writes & (read | written))
        if meet:
            read, written = set(), set()
        read, written = read | reads, written | writes
        meetings.append(meet)
    return meetings
