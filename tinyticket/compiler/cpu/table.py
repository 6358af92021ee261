"""Tables: the operations of a program as rows of integers, one table for each of some threads.

A row says which kernel to call, how long the row is, whether all threads must meet first, the thread's share, and the kernel's job.
Tables of a program differ in the shares, and in the addresses of blocks that each thread has for itself. A program is data: another
network, mask or batch size is another table, and nothing is compiled again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.compiler.cpu.arena import Arena
from tinyticket.compiler.op import FEED, Block, Op, Part
from tinyticket.compiler.schedule import meetings
from tinyticket.kernels.cpu.job import kernel_of, to_words
from tinyticket.kernels.cpu.packing import address_of

KERNEL, SIZE, MEET, FIRST, LAST, HEAD = range(6)
"""Words of a row: the kernel's address, the row's length, whether to meet first, the share; and how many are before the job."""


class Tables:
    """The tables of a program, whose blocks have all been placed, for the threads that the records `feeds` are for.

    With `apart`, each thread takes turns of its own, for which it does everything alone.
    """

    def __init__(self, ops: list[Op], arena: Arena, feeds: list[np.ndarray], apart: bool):
        self._ops, self._threads, self._apart = ops, len(feeds), apart
        meets = [False] * len(ops) if apart or self._threads == 1 else meetings(ops)
        self._tables = [_table(ops, meets, arena, feed, thread) for thread, feed in enumerate(feeds)]
        self.addresses = np.array([address_of(table) for table in self._tables], np.int64)  # where they begin
        self.cut()

    def cut(self) -> None:
        """Write down each thread's shares, as equal as they can be with the survivors that there are now."""
        alone, place = self._apart or self._threads == 1, 0
        for op in self._ops:
            bounds = op.shares.cut(1 if alone or op.replicated else self._threads)
            for thread, table in enumerate(self._tables):
                mine = 0 if bounds.size == 2 else thread
                table[place + FIRST : place + LAST + 1] = bounds[mine : mine + 2]
            place += int(self._tables[0][place + SIZE])


def _table(ops: list[Op], meets: list[bool], arena: Arena, feed: np.ndarray, thread: int) -> np.ndarray:
    table: list[int] = []
    for op, meet in zip(ops, meets, strict=True):
        words = to_words(_with_addresses(op.job, arena, feed, thread), [])
        table += [kernel_of(op.job).address, HEAD + words.size, int(meet), 0, 0, *words]
    return np.array(table, np.int64)


def _with_addresses(value: Any, arena: Arena, feed: np.ndarray, thread: int) -> Any:
    """Return a job, or a record or field of one, with addresses in place of blocks, as a thread sees them."""
    if isinstance(value, Block):
        return arena.address(value, thread)
    if isinstance(value, Part):
        return arena.address(value.block, thread) + value.offset * np.dtype(value.block.dtype).itemsize
    if value is FEED:
        return address_of(feed)
    if isinstance(value, tuple):
        return type(value)(*(_with_addresses(each, arena, feed, thread) for each in value))
    return value
