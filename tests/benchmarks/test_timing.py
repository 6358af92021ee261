"""Blocks alternate, and their beginnings are thrown away."""

import pytest

from benchmarks.timing import Discipline, first_call, interleave


class Machine:
    """A clock that only calls move, and a log of who was called."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def clock(self):
        return self.now

    def contestant(self, name, seconds):
        durations = iter(seconds) if not isinstance(seconds, float) else None

        def call():
            self.log.append(name)
            self.now += seconds if durations is None else next(durations)

        return call


def blocks(log):
    """Sum up a log: [("a", 3), ("b", 2), ...]."""
    found = []
    for name in log:
        if found and found[-1][0] == name:
            found[-1][1] += 1
        else:
            found.append([name, 1])
    return [tuple(block) for block in found]


def test_blocks_alternate_and_keep_at_least_fifty_calls():
    machine = Machine()
    contestants = {"a": machine.contestant("a", 1e-3), "b": machine.contestant("b", 1e-3)}
    discipline = Discipline(blocks=3, calls=50, seconds=0, settle_calls=5, settle_seconds=0)
    timings = interleave(contestants, discipline, machine.clock)
    assert blocks(machine.log) == [("a", 55), ("b", 55)] * 3
    assert timings["a"].calls == 150


def test_the_default_is_the_contract():
    assert Discipline().calls >= 50
    assert Discipline().settle_calls > 1


def test_the_beginning_of_a_block_is_thrown_away_by_calls_and_by_time():
    machine = Machine()
    slow_start = [1.0] * 3 + [0.1] * 4
    discipline = Discipline(blocks=1, calls=4, seconds=0, longest=100, settle_calls=3, settle_seconds=0)
    timing = interleave({"a": machine.contestant("a", slow_start)}, discipline, machine.clock)["a"]
    assert timing.median == timing.upper == pytest.approx(0.1)

    machine = Machine()
    discipline = Discipline(blocks=1, calls=4, seconds=0, longest=1, settle_calls=1, settle_seconds=0.105)
    interleave({"a": machine.contestant("a", 0.01)}, discipline, machine.clock)
    assert machine.log == ["a"] * (11 + 4)


def test_slow_calls_get_short_blocks():
    machine = Machine()
    discipline = Discipline(blocks=1, calls=50, longest=1.5, settle_calls=5, settle_seconds=0.1)
    timing = interleave({"a": machine.contestant("a", 0.31)}, discipline, machine.clock)["a"]
    assert timing.calls == 7
    assert len(machine.log) == 8


def test_quick_calls_are_kept_for_some_time():
    machine = Machine()
    discipline = Discipline(blocks=1, calls=50, seconds=0.01045, settle_calls=0, settle_seconds=0)
    assert interleave({"a": machine.contestant("a", 1e-4)}, discipline, machine.clock)["a"].calls == 105


def test_medians_and_quartiles():
    machine = Machine()
    discipline = Discipline(blocks=1, calls=5, seconds=0, settle_calls=0, settle_seconds=0)
    timing = interleave({"a": machine.contestant("a", [3.0, 1.0, 5.0, 2.0, 4.0])}, discipline, machine.clock)["a"]
    assert (timing.lower, timing.median, timing.upper) == pytest.approx((2, 3, 4))


def test_a_first_call_is_timed_apart():
    machine = Machine()
    assert first_call(machine.contestant("a", 2.0), machine.clock) == (None, 2.0)
