"""A program on the CPU: operations in their order, with tables for any number of threads, and the way into compiled code.

A call of a small network's step takes some tens of microseconds, so what a call costs besides counts: everything that stays is
written down once, as one row of integers, and what changes from call to call is written into a few words.
"""

from __future__ import annotations

import struct
import sys
import weakref
from time import perf_counter
from typing import Any

import numba
import numpy as np

from tinyticket.compiler import lower
from tinyticket.compiler.cpu.arena import Arena
from tinyticket.compiler.cpu.data import FIELDS, Data
from tinyticket.compiler.cpu.pace import Pace
from tinyticket.compiler.cpu.table import Tables
from tinyticket.compiler.cpu.walk import MEETING_SIZE, Walk, predict, predict_together, walk
from tinyticket.compiler.op import Op
from tinyticket.compiler.schedule import order
from tinyticket.errors import InputError
from tinyticket.kernels.cpu.feed import Feed
from tinyticket.kernels.cpu.job import places, to_words
from tinyticket.kernels.cpu.packing import address_of, empty
from tinyticket.kernels.cpu.threads import available_threads, is_forked, limited
from tinyticket.kernels.geometry import DRAWN

FEED, WALK = places(Feed), places(Walk)
WORDS = len(FEED)

DATA = tuple(FEED[name] for name in FIELDS)
"""Words of a feed that name a data set."""

_CHANGING = ("begin", "turns", "samples", "total", "strides", "indices", "checked", "size", "tiles", "steps")
_TURNS: Any = struct.Struct(f"{len(_CHANGING)}q")
"""Words of a `Walk` that change from call to call, in the order of its fields."""

assert tuple(WALK)[: len(_CHANGING)] == _CHANGING

UNCHANGED = np.zeros(WORDS, np.int64)
"""What is added to the words of a feed where nothing changes."""

_UNCHANGED_AT = address_of(UNCHANGED)

ENDLESS = sys.maxsize
"""The tiles of a step where turns are no tiles."""


class Threads:
    """What the programs of a step share of all threads that may run at once: the record that feeds each, and where they meet.

    `flushes` says whether their arithmetic takes subnormal numbers for zeros.
    """

    def __init__(self, most: int, flushes: bool = False):
        self.most, self.flushes = most, flushes
        self.every = numba.get_num_threads()  # as many as Numba wakes up if it is told nothing else
        self.feeds = [empty(WORDS, dtype=np.int64) for _ in range(most)]
        self.addresses = np.array([address_of(feed) for feed in self.feeds], np.int64)
        self.meeting = empty(MEETING_SIZE, dtype=np.int64)


class Program:
    """Operations that are done turn after turn, each turn by one thread if they are taken apart.

    `work` is how many multiply-adds of vectors such a turn has, over those that are worth a thread. `strides` are added to the
    words of a feed from turn to turn, for each sample of a turn. If turns taken apart are tiles of a training step, `updating` is
    what all threads do together behind them.
    """

    arena: Arena  # where all blocks of the operations lie, once they have been placed

    def __init__(
        self,
        lowered: lower.Program,
        samples: int,
        threads: Threads,
        apart: bool = False,
        work: float = 1.0,
        strides: dict[str, int] | None = None,
        updating: Program | None = None,
    ):
        self.ops: list[Op] = order(lowered.ops, lowered.chains)
        self.samples, self.whole = samples, lowered.whole
        self.kept, self.kept_size = lowered.kept, lowered.kept_size
        self.updating, self._alone = updating, apart  # whether a thread takes a turn alone
        apart = apart and updating is None  # ... and nothing else is done
        self._threads, self._apart, self._work = threads, apart, work
        self._per_sample = strides or {"indices": 8, "draws": 8 * DRAWN}
        self._paces: dict[int, Pace] = {}  # by how many turns; those of numbers alike are one
        self._alike: dict[tuple[int, int], Pace] = {}
        self._tables: dict[int, Tables] = {}
        self._words: dict[int, Any] = {}
        self._strides: dict[int, tuple[np.ndarray, int]] = {}
        self._steps: dict[int, tuple[np.ndarray, int]] = {}
        base: Any = np.zeros(WORDS, np.int64)
        self._base, self.base = base, memoryview(base)  # the words of the first turn's feed, by the places in `FEED`
        self.base[FEED["parts"]] = 1
        self._data: weakref.ref[Data] | None = None  # what feeds name; whoever takes turns keeps it meanwhile
        self._predicts = False  # whether the words for one thread, and the base, are those of `predict`
        # Turns, if each is a thread's, that are not worth a second thread.
        few = int(2 / work) if apart and work > 0 else 1 if apart else 0
        # Calls that go without asking the pace: how many were granted, are left, and the turns of each.
        self._granted = self._untimed = self._untimed_turns = self._untimed_total = 0
        self._untimed_words: Any = None
        self._few = sys.maxsize if threads.most == 1 else max(1, few) if apart else 0

    def cut(self) -> None:
        """Cut the work anew between threads, after survivors have moved."""
        for tables in self._tables.values():
            tables.cut()

    def feed_examples(self, x: np.ndarray) -> None:
        """Let feeds name examples, float32 in C order, that have no labels."""
        self.base[FEED["examples"]], self.base[FEED["as_pixels"]], self.base[FEED["as_sparse"]] = address_of(x), 0, 0
        self._data, self._predicts = None, False

    def feed(self, data: Data) -> None:
        """Let feeds name a data set."""
        if self._data is None or self._data() is not data:
            for place, word in zip(DATA, data.words, strict=True):
                self.base[place] = word
            self._data, self._predicts = weakref.ref(data), False

    def take(self, turns: int, samples: int, total: int, indices: int = 0, checked: int = 0, size: int = 0) -> None:
        """Take turns of so many samples, `total` in all, on as many threads as are quickest.

        Where turns are tiles, take so many steps of `total` samples each. The `checked` numbers at the address `indices` name
        examples. If one of them is not from 0 to `size`, nothing is done, and an InputError is raised.
        """
        if turns < 1:
            return
        strides = self._strides.get(samples) or self._strides_for(samples)
        tiles, steps = ENDLESS, _UNCHANGED_AT
        if self.updating is not None:
            tiles = -(-total // samples)
            steps = (self._steps.get(total) or self._steps_for(total, tiles))[1]
        numbers = turns, samples, total, strides[1], indices, checked, size, tiles, steps
        if turns <= self._few:
            words = self._words.get(1)
            words = self._words_for(1) if words is None else words
            _TURNS.pack_into(words, 0, 0, *numbers)
            known = walk(words)
        elif turns == self._untimed_turns and self._untimed and not is_forked():
            self._untimed, self._untimed_total = self._untimed - 1, total
            _TURNS.pack_into(self._untimed_words, 0, 0, *numbers)
            known = walk(self._untimed_words)
        else:
            known = self._paced(self._paces.get(turns) or self._pace(turns), numbers)
        if not known:
            raise InputError(f"indices must be from 0 to {size - 1}")

    def predict(self, x: np.ndarray, logits: np.ndarray) -> bool:
        """Predict few examples, float32 (examples, features), without a look at the clock; false, and nothing done, if one is due.

        This takes two microseconds less than naming arrays by address.
        """
        if not self._apart:
            if not self._untimed or self._data is not None or len(x) != self._untimed_total or is_forked():
                return False
            self._untimed -= 1
            together = self._untimed_words is not self._words.get(1)
            (predict_together if together else predict)(self._untimed_words, x, logits)
            return True
        if len(x) > self._few * self.samples:
            return False
        if not self._predicts:
            self._words_for(1)
            self.base[FEED["as_pixels"]] = self.base[FEED["as_sparse"]] = 0
            self._data, self._predicts = None, True
            strides = self._strides_for(self.samples)[1]
            _TURNS.pack_into(self._words[1], 0, 0, 0, self.samples, 0, strides, 0, 0, 0, ENDLESS, _UNCHANGED_AT)
        predict(self._words[1], x, logits)
        return True

    def _pace(self, turns: int) -> Pace:
        """Return what chooses the number of threads."""
        most = self._threads.most
        if self._apart:
            most = min(most, turns, max(1, int(turns * self._work)))
        # Turns that are taken together are all alike; of those taken apart it matters how many there are.
        pace = self._alike.setdefault((most, turns.bit_length() if self._apart else 0), Pace(most))
        self._paces[turns] = pace
        return pace

    def _paced(self, pace: Pace, numbers: tuple[int, ...]) -> bool:
        """Take turns on as many threads as are quickest, looking at the clock now and then."""
        begin, turns, rest = 0, numbers[0], numbers[1:]
        while True:
            threads = pace.threads
            # Asking Numba takes as long as a small layer; turns apart need nobody to wait for whom, so any number will do.
            unlimited = threads == self._threads.every and self._apart and not is_forked()
            if threads > 1 and not unlimited:
                threads = min(threads, available_threads())
            end = turns
            if turns > 1:  # of turns taken apart, each number of threads is timed with enough for all
                end = min(turns, begin + max(pace.turns(turns - begin), self._threads.most if self._apart else 1))
            words = self._words.get(threads)
            words = self._words_for(threads) if words is None else words
            _TURNS.pack_into(words, 0, begin, end, *rest)
            began = perf_counter()
            if threads == 1 or unlimited:
                known = walk(words)
            else:
                with limited(threads):
                    known = walk(words)
            if not known:
                return False
            if threads == pace.threads:
                alike = self._granted - self._untimed if turns == self._untimed_turns else 0
                pace.note(perf_counter() - began, end - begin, 1 + alike)
            if end == turns:
                # As many threads as Numba wakes up when told nothing: so it will in the next few calls.
                at_once = end - begin == numbers[0] and (threads == 1 or threads == self._threads.every)
                self._granted = self._untimed = pace.untimed if at_once else 0
                self._untimed_turns, self._untimed_total, self._untimed_words = turns, numbers[2], words
                return True
            begin, rest = end, (*rest[:4], 0, *rest[5:])  # indices have been checked

    def _strides_for(self, samples: int) -> tuple[np.ndarray, int]:
        """Return what is added to each word of a feed from turn to turn, and its address."""
        strides = np.zeros(WORDS, np.int64)
        strides[FEED["kept"]], strides[FEED["scalars"]], strides[FEED["results"]] = self.kept_size, 32, 16
        strides[FEED["part"]] = 1
        for name, each in self._per_sample.items():
            strides[FEED[name]] = each * samples
        if self.updating is not None:
            strides[FEED["scalars"]] = 0  # which are a step's
        self._strides[samples] = strides, address_of(strides)
        return self._strides[samples]

    def _steps_for(self, samples: int, tiles: int) -> tuple[np.ndarray, int]:
        """Return what is added to each word of a feed from step to step, for steps of so many samples, and its address."""
        steps = np.zeros(WORDS, np.int64)
        for name, each in self._per_sample.items():
            steps[FEED[name]] = each * samples
        steps[FEED["kept"]], steps[FEED["scalars"]], steps[FEED["results"]] = tiles * self.kept_size, 32, tiles * 16
        self._steps[samples] = steps, address_of(steps)
        return self._steps[samples]

    def _words_for(self, threads: int) -> np.ndarray:
        """Return the words of a `Walk` of the program on some threads."""
        tables, alone, shared = self._table(threads), self._table(1), self._threads
        updates: tuple[int, Any, Any] = 0, 0, 0
        if (last := self.updating) is not None:
            updates = len(last.ops), last._table(threads).addresses, last._table(1).addresses
        given = threads, self._apart, len(self.ops), tables.addresses, alone.addresses, *updates
        job = Walk(
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, *given, shared.addresses, WORDS, self._base, shared.meeting, shared.flushes
        )
        self._words[threads] = to_words(job, [])
        return self._words[threads]

    def _table(self, threads: int) -> Tables:
        if threads not in self._tables:
            self._tables[threads] = Tables(self.ops, self.arena, self._threads.feeds[:threads], self._alone)
        return self._tables[threads]

    def profile(self, samples: int, times: int) -> list[tuple[Op, float]]:
        """Return the seconds that each operation of a turn takes on one thread, done so many times."""
        words, measured = self._words_for(1).copy(), []
        words[WALK["rows"]], words[WALK["updates"]] = 1, 0
        _TURNS.pack_into(words, 0, 0, times, samples, times * samples, _UNCHANGED_AT, 0, 0, 0, ENDLESS, _UNCHANGED_AT)
        for op in self.ops:
            tables = Tables([op], self.arena, self._threads.feeds[:1], apart=False)
            words[WALK["tables"]] = address_of(tables.addresses)
            began = perf_counter()
            walk(words)
            measured.append((op, (perf_counter() - began) / times))
        return measured
