"""Where things lie: places in the arenas of a program, given before anything is allocated.

Values and gradients of one geometry take each other's place once nobody needs what was there, or while it is read for the last
time, if a row says that it may; everything else keeps its own.
"""

from __future__ import annotations

from tinyticket.compiler.network.program import Block, Row
from tinyticket.compiler.places import Places


def place_blocks(places: Places, rows: list[Row]) -> None:
    """Give every block of a program its place, so that as little memory as possible is used at any time.

    Parameters
    ----------
    places : Places
    rows : list of Row
        In the order in which they run; nothing is left over for the next time but what stands in blocks of no kind.
    """
    first: dict[Block, int] = {}
    last: dict[Block, int] = {}
    for i, row in enumerate(rows):
        for block in (*row.reads, *row.writes, *(a for a in row.arguments if isinstance(a, Block))):
            first.setdefault(block, i)
            last[block] = i
    free: dict[tuple, list[int]] = {}
    ending: dict[int, list[Block]] = {}
    for block, i in last.items():
        ending.setdefault(i, []).append(block)
    starting: dict[int, list[Block]] = {}
    for block, i in first.items():
        starting.setdefault(i, []).append(block)
    for i, row in enumerate(rows):
        overwritten = set()
        for old, new in row.over:
            if new.place >= 0 or old in overwritten or last[old] != i or first[new] != i:
                continue
            if old.kind == new.kind is not None:
                new.place = old.place
                overwritten.add(old)
        for block in starting.get(i, ()):
            if block.place < 0:
                ready = free.get(block.kind) if block.kind is not None else None
                # What was in use last is the likeliest to be in a cache.
                block.place = ready.pop() if ready else places.take(block.size)
        for block in ending.get(i, ()):
            if block.kind is not None and block not in overwritten:
                free.setdefault(block.kind, []).append(block.place)
