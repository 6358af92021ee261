"""When things happen and where they lie: the order of operations, the meetings of threads, and memory that is used again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from tinyticket.compiler.op import Block, Op

LINE = 64
"""Bytes of a cache line; every block starts on one."""


class Interval:
    """What has been read and written since all threads last met.

    An operation may join it if no thread can touch what another may still be at: nothing is written that is read or written
    elsewhere, except by operations of whose shares each keeps to its own part. What threads have for themselves does not count.
    Blocks that lie in one place are the same if they have been `placed`; else every block counts as apart from all others.
    """

    def __init__(self, placed: bool):
        self._placed = placed
        self._read: dict[Hashable, set[Hashable]] = {}
        self._written: dict[Hashable, set[Hashable]] = {}

    def clear(self) -> None:
        """Let all threads meet."""
        self._read.clear()
        self._written.clear()

    def admits(self, op: Op) -> bool:
        """Return whether an operation may go on without a meeting."""
        for blocks, noted in ((op.reads, self._written), (op.writes, self._written), (op.writes, self._read)):
            for block in blocks:
                others = None if block.private else noted.get(self._where(block))
                if others and others != {_part(op, block)}:
                    return False
        return True

    def add(self, op: Op) -> None:
        """Note what an operation reads and writes."""
        for blocks, noted in ((op.reads, self._read), (op.writes, self._written)):
            for block in blocks:
                noted.setdefault(self._where(block), set()).add(_part(op, block))

    def _where(self, block: Block) -> Hashable:
        return (block.dtype, block.place) if self._placed else block


def _part(op: Op, block: Block) -> Hashable:
    """Return how an operation's shares keep to their own part of a block, or something that nothing else equals if they do not."""
    # What every thread does for itself is done with all parts.
    return (block, op.shares.key) if block in op.own and not op.replicated else op


def order(ops: list[Op], chains: list[list[Op]]) -> list[Op]:
    """Put chains of operations, which belong behind all others, as early between these as no thread waits because of them.

    A chain's operation may come once nothing that follows touches what it writes, or writes what it reads; two chains have nothing
    to do with each other.
    """
    last_touch, last_write = dict[Block, int](), dict[Block, int]()
    for i, op in enumerate(ops):
        last_touch |= dict.fromkeys((*op.reads, *op.writes), i)
        last_write |= dict.fromkeys(op.writes, i)
    ordered: list[Op] = []
    interval, pending = Interval(placed=False), [list(chain) for chain in chains]

    def append(op: Op) -> None:
        if not interval.admits(op):
            interval.clear()
        interval.add(op)
        ordered.append(op)

    def catch_up(done: int) -> None:
        for chain in pending:
            while chain and interval.admits(chain[0]):
                soonest = [last_touch.get(block, -1) for block in chain[0].writes]
                if max(soonest + [last_write.get(block, -1) for block in chain[0].reads]) > done:
                    break
                append(chain.pop(0))

    for i, op in enumerate(ops):
        append(op)
        catch_up(i)
    while pending := [chain for chain in pending if chain]:
        interval.clear()
        catch_up(len(ops))
    return ordered


def meetings(ops: list[Op]) -> list[bool]:
    """Say before which operations all threads must meet, when the whole is done again and again; all blocks have been placed."""
    interval, found = Interval(placed=True), list[bool]()
    for _ in range(2):  # the second time begins with what the end of the first has left
        found = []
        for op in ops:
            found.append(not interval.admits(op))
            if found[-1]:
                interval.clear()
            interval.add(op)
    return found


class Places:
    """Places, before they are allocated, in an arena for each type of numbers, and in a part of it that every thread has alone."""

    def __init__(self, line: int = LINE):
        self._line = line  # blocks start at multiples of so many bytes
        self.sizes: Counter[tuple[Any, bool]] = Counter()  # numbers taken, by dtype and whether they are private

    def take(self, block: Block) -> int:
        """Return where a block may lie."""
        arena, step = (block.dtype, block.private), self._line // np.dtype(block.dtype).itemsize
        # One line stays free in front, for addresses a little before the first pixel of images.
        place = self.sizes[arena] or step
        self.sizes[arena] = place + -(-max(block.size, 1) // step) * step
        return place


def place(places: Places, ops: list[Op]) -> None:
    """Give every block of a program its place, so that as little memory as possible is used at any time.

    Values and gradients of one kind take each other's place once nothing needs what was there, or while it is read for the last
    time, if an operation may overwrite it; everything else keeps its own. Blocks that have a place already keep it. Nothing is left
    over from a turn to the next but what stands in blocks of no kind.
    """
    first: dict[Block, int] = {}
    last: dict[Block, int] = {}
    for i, op in enumerate(ops):
        for block in op.blocks:
            first.setdefault(block, i)
            last[block] = i
    free: dict[tuple, list[int]] = {}
    starting, ending = _by_time(first), _by_time(last)
    for i, op in enumerate(ops):
        overwritten = set()
        for old, new in op.may_overwrite:
            if new.place >= 0 or old in overwritten or last[old] != i or first[new] != i:
                continue
            if old.kind == new.kind is not None:
                new.place = old.place
                overwritten.add(old)
        for block in starting.get(i, ()):
            if block.place < 0:
                ready = free.get(block.kind) if block.kind is not None else None
                # What was in use last is the likeliest to be in a cache.
                block.place = ready.pop() if ready else places.take(block)
        for block in ending.get(i, ()):
            if block.kind is not None and block not in overwritten:
                free.setdefault(block.kind, []).append(block.place)


def _by_time(times: dict[Block, int]) -> dict[int, list[Block]]:
    found: dict[int, list[Block]] = {}
    for block, i in times.items():
        found.setdefault(i, []).append(block)
    return found


def held(blocks: Iterable[Block], places: Places) -> None:
    """Give places to blocks that are kept from step to step, those that have none yet."""
    for block in blocks:
        if block.place < 0:
            block.place = places.take(block)
