"""The compiled function that works through a program's tables, turn after turn, in one parallel region.

A turn is a training step, or the evaluation or prediction of a batch. Turns that threads take together are cut into shares, row by
row, and threads meet before rows that need what others do. Turns that they take apart are dealt out one by one, as each thread gets
to it, so that a thread whose core is busy elsewhere takes fewer of them; where such turns are the tiles of a step, threads meet
behind the last of them and update the weights together. What a row does is a call by address, so this is compiled once for all
networks.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from tinyticket.compiler.cpu.table import FIRST, HEAD, KERNEL, LAST, MEET, SIZE
from tinyticket.kernels.cpu.feed import Feed
from tinyticket.kernels.cpu.job import Numbers, call, numbers, places, reader, types
from tinyticket.kernels.cpu.vector import barrier
from tinyticket.kernels.cpu.vector.barrier import ALONE, DECISION, NEXT, atomic_add, meet, together
from tinyticket.kernels.cpu.vector.jit import compile_entry, compile_serial, device
from tinyticket.kernels.cpu.vector.simd import I64, advance, at, intrinsic, pointer
from tinyticket.kernels.cpu.vector.subnormals import ZEROS, float_mode, set_float_mode
from tinyticket.kernels.cpu.vector.transpose import put

assert KERNEL == 0
MEETING_SIZE = barrier.SIZE


class Walk(NamedTuple):
    """The job of `walk`, a row of int64."""

    begin: int  # the first turn
    turns: int  # one past the last turn, or step where turns are tiles
    samples: int  # of a turn
    total: int  # of all turns, or of a step: the last may have fewer
    strides: Numbers  # what is added to the words of a feed from turn to turn
    indices: Numbers  # of examples, `checked` of them, which must be from 0 to `size`
    checked: int
    size: int
    tiles: int  # turns of a step, or a number beyond all turns
    steps: Numbers  # what is added to the words of a feed from step to step
    threads: int
    apart: bool  # whether each turn is one thread's
    rows: int
    tables: Numbers  # the address of each thread's table
    alone: Numbers  # the address of the table of a single thread, in case others are not to be had
    updates: int  # rows of what follows upon the turns of a step, 0 if turns are not tiles
    updating: Numbers  # as `tables`
    updating_alone: Numbers
    feeds: Numbers  # the address of each thread's feed
    words: int  # of a feed
    base: Numbers  # what the feed of turn 0 holds, except for the number of samples
    meeting: Numbers
    flushes: bool  # whether arithmetic takes subnormal numbers for zeros


_walk_at = reader(Walk)
EXAMPLES, LOGITS = places(Feed)["examples"], places(Feed)["logits"]


@intrinsic
def _address(typing, number):
    """Return a number as the address of int64."""

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], I64.as_pointer())

    return numbers(types.int64), codegen


@intrinsic
def _number(typing, place):
    """Return an address as a number."""
    return types.int64(place), lambda context, builder, sig, args: builder.ptrtoint(args[0], I64)


@device
def _feed(walk, thread, turn, total):
    """Write a thread's feed for a turn."""
    feed, step = _address(at(walk.feeds, thread)), turn // walk.tiles
    turn -= step * walk.tiles
    for i in range(walk.words):
        put(feed, i, at(walk.base, i) + step * at(walk.steps, i) + turn * at(walk.strides, i))
    put(feed, 0, min(walk.samples, total - turn * walk.samples))


@device
def _rows(tables, rows, meeting, thread, threads, round_):
    """Work through a thread's table; return the number of the next meeting."""
    row = _address(at(tables, thread))
    for _ in range(rows):
        if at(row, MEET):
            round_ = meet(meeting, threads, round_)
        if at(row, FIRST) < at(row, LAST):
            call(at(row, KERNEL), advance(row, HEAD), at(row, FIRST), at(row, LAST))
        row = advance(row, at(row, SIZE))
    return round_


@device
def _enter(walk):
    """Let this thread's arithmetic be as the walk says; return how it was before."""
    before = float_mode()
    if walk.flushes:
        set_float_mode(before | ZEROS)
    return before


@device
def _turn(walk, tables, thread, threads, turn, total, round_):
    """Take one turn, or a thread's part in it; return the number of the next meeting."""
    _feed(walk, thread, turn, total)
    return _rows(tables, walk.rows, walk.meeting, thread, threads, round_)


@device
def _steps(walk, tables, updating, thread, threads):
    """Take a thread's part in steps: tiles apart, as they are dealt out, then the update together."""
    before, meeting, one, round_ = _enter(walk), walk.meeting, np.int64(1), np.int64(1)
    turn = atomic_add(meeting, NEXT, 1)
    for step in range(walk.begin, walk.turns):
        first = np.int64(step) * walk.tiles
        while turn < first + walk.tiles:
            _turn(walk, tables, thread, one, turn, walk.total, one)
            turn = atomic_add(meeting, NEXT, 1)
        round_ = meet(meeting, threads, round_)
        _feed(walk, thread, first, walk.total)
        round_ = _rows(updating, walk.updates, meeting, thread, threads, round_)
        round_ = meet(meeting, threads, round_)
    set_float_mode(before)


@device
def _turns(walk, tables, thread, threads, turns, total):
    before, round_ = _enter(walk), np.int64(1)
    for turn in range(walk.begin, turns):
        round_ = _turn(walk, tables, thread, threads, np.int64(turn), total, round_)
    set_float_mode(before)


@device
def _part(words, thread):
    """Do a thread's part."""
    walk = _walk_at(pointer(words, 0))
    if walk.updates:
        if together(walk.meeting, walk.threads):
            _steps(walk, walk.tables, walk.updating, thread, walk.threads)
    elif walk.apart:
        before, turn = _enter(walk), atomic_add(walk.meeting, NEXT, 1)
        while turn < walk.turns:
            _turn(walk, walk.tables, thread, np.int64(1), turn, walk.total, np.int64(1))
            turn = atomic_add(walk.meeting, NEXT, 1)
        set_float_mode(before)
    elif together(walk.meeting, walk.threads):
        _turns(walk, walk.tables, thread, walk.threads, walk.turns, walk.total)


@device
def _are_known(walk):
    """Are all indices in the data? Kernels would read whatever lies there."""
    unknown = 0
    for i in range(walk.checked):
        index = at(walk.indices, i)
        unknown += index < 0 or index >= walk.size
    return unknown == 0


@compile_entry
def walk(words):
    """Work through a program by the words of a `Walk`; false, and nothing is done, if an index is not in the data."""
    job = _walk_at(pointer(words, 0))
    if not _are_known(job):
        return False
    # Helpers are compiled anew for constants and for unsigned numbers, such as prange gives; these are neither.
    one, first = np.int64(1), np.int64(0)
    if job.threads == 1 and not job.updates:
        _turns(job, job.tables, first, one, job.turns, job.total)
        return True
    for i in range(MEETING_SIZE):
        put(job.meeting, i, first)
    start = job.begin * job.tiles if job.updates else job.begin
    put(job.meeting, NEXT, start)
    if job.threads == 1:
        _steps(job, job.tables, job.updating, first, one)
        return True
    for thread in prange(job.threads):  # whose body is given arrays, not addresses
        _part(words, np.int64(thread))
    if at(job.meeting, DECISION) == ALONE:
        if job.updates:
            put(job.meeting, NEXT, start)
            _steps(job, job.alone, job.updating_alone, first, one)
        else:
            _turns(job, job.alone, first, one, job.turns, job.total)
    return True


@compile_serial
def predict(words, x, logits):
    """Work through a prediction's program on one thread, by a `Walk` into whose base the addresses of x and logits are written."""
    job, samples = _walk_at(pointer(words, 0)), np.int64(x.shape[0])
    put(job.base, EXAMPLES, _number(pointer(x, 0)))
    put(job.base, LOGITS, _number(pointer(logits, 0)))
    turns = (samples + job.samples - 1) // job.samples
    _turns(job, job.tables, np.int64(0), np.int64(1), turns, samples)


@compile_entry
def predict_together(words, x, logits):
    """Do the same on the threads of a `Walk`, which take turns together and have last predicted as many samples."""
    job, first, one = _walk_at(pointer(words, 0)), np.int64(0), np.int64(1)
    put(job.base, EXAMPLES, _number(pointer(x, 0)))
    put(job.base, LOGITS, _number(pointer(logits, 0)))
    for i in range(MEETING_SIZE):
        put(job.meeting, i, first)
    for thread in prange(job.threads):
        _part(words, np.int64(thread))
    if at(job.meeting, DECISION) == ALONE:
        _turns(job, job.alone, first, one, job.turns, job.total)
