"""As many threads as are quickest, whichever number that is at the time."""

import itertools

import numpy as np
import pytest

from tests.compiler.cpu.steps import cpu_step, values
from tests.compiler.networks import examples, masked, mlp, network
from tinyticket.compiler.cpu import program, programs
from tinyticket.compiler.cpu.pace import GAIN, SHARE, TRIED, Pace

MILLI = 1e-3


def follow(pace, calls, seconds):
    """Make calls of one turn that take so long by their number of threads; return the numbers that were taken."""
    taken, alike = [], 0
    while len(taken) < calls:
        taken.append(pace.threads)
        pace.note(seconds[pace.threads], 1, 1 + alike)
        alike = pace.untimed
        taken += [pace.threads] * alike
    return taken


def on_two(one, two):
    return {1: one * MILLI, 2: two * MILLI}


@pytest.mark.parametrize(("one", "two", "kept"), [(50, 60, 1), (60, 50, 2), (50, 50, 2), (50, 50 / GAIN, 2)])
def test_both_are_tried_and_the_quicker_one_is_kept(one, two, kept):
    pace = Pace(2)
    assert follow(pace, 2 * TRIED, on_two(one, two)).count(1) == TRIED
    assert follow(pace, TRIED, on_two(one, two)) == [kept] * TRIED


@pytest.mark.parametrize(("one", "two"), [(100, 50), (55, 50), (50, 400)])
def test_comparisons_cost_their_share_of_the_time(one, two):
    taken, seconds = follow(Pace(2), 20_000, on_two(one, two)), on_two(one, two)
    spent = sum(seconds[threads] for threads in taken)
    wasted = spent - len(taken) * min(seconds.values())
    assert wasted < 1.5 * SHARE * spent
    assert {*taken} == {1, 2}, "the other is tried now and then"


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 8, 2: 5, 4: 3, 8: 4, 12: 6}, 4),
        ({1: 1, 2: 2, 4: 4, 8: 8, 12: 12}, 1),
        ({1: 12, 2: 8, 4: 4, 8: 2, 12: 1}, 12),
    ],
)
def test_of_many_threads_the_quickest_power_of_two_or_all_are_found(seconds, best):
    pace = Pace(12)
    seconds = {threads: MILLI * each for threads, each in seconds.items()}
    assert {*follow(pace, 1000, seconds)} <= {*seconds}
    late = follow(pace, 5000, seconds)
    assert late.count(best) > 0.9 * len(late)


def test_when_cores_move_apart_the_choice_follows_and_comes_back():
    pace = Pace(2)
    follow(pace, 250, on_two(50, 40))
    for one, two, quicker in ((50, 55, 1), (50, 40, 2)):
        follow(pace, 1000, on_two(one, two))
        assert follow(pace, 200, on_two(one, two)).count(quicker) > 150


def test_a_network_whose_turns_are_long_finds_all_its_threads_within_some_turns_when_the_load_goes():
    pace = Pace(2)
    follow(pace, 30, {1: 1.0, 2: 1.1})
    assert follow(pace, 120, {1: 1.0, 2: 0.6})[-30:].count(2) > 20


def test_late_calls_do_not_wait_for_the_next_comparison():
    pace = Pace(2)
    follow(pace, 4 * TRIED, on_two(100, 50))
    assert pace.threads == 2
    taken = follow(pace, 4 * TRIED, on_two(100, 8000))
    assert taken[-1] == 1


def test_expensive_comparisons_that_change_nothing_become_rare():
    """Another process keeps a core busy: two threads lose a time slice in each turn, one thread does not notice."""
    pace, seconds = Pace(2), {1: 0.08 * MILLI, 2: 6 * MILLI}
    taken = follow(pace, 60_000, seconds)
    spent = [sum(seconds[threads] for threads in part) for part in (taken[:20_000], taken[-20_000:])]
    assert spent[1] < 1.03 * 20_000 * seconds[1]
    assert spent[1] < spent[0]


@pytest.mark.parametrize("later", [0.5, 2])
def test_turns_that_take_another_time_than_they_did_bring_the_next_comparison_nearer(later):
    """All cores were busy, or are now: what was found out does not hold any longer."""
    pace = Pace(2)
    follow(pace, 60_000, {1: 0.2 * MILLI, 2: 6 * MILLI})
    taken, seconds = [], {1: 0.2 * later * MILLI, 2: 0.1 * later * MILLI}
    while len(taken) < 10_000 and taken[-80:] != [2] * 80:
        taken += follow(pace, 80, seconds)
    assert sum(seconds[threads] for threads in taken) < 1, "two threads are found within a second"


def test_one_turn_in_many_that_loses_a_time_slice_counts():
    """Most turns are quicker on two threads, and the mean is not."""
    pace, turn = Pace(2), 0
    for turn in range(50_000):
        pace.note(MILLI * (0.08 if pace.threads == 1 else 4 if turn % 16 == 0 else 0.05))
    alone = 0
    for turn in range(10_000):
        alone += pace.threads == 1
        pace.note(MILLI * (0.08 if pace.threads == 1 else 4 if turn % 16 == 0 else 0.05))
    assert alone > 9_000


def test_an_odd_slow_call_changes_nothing():
    pace, alone = Pace(2), []
    for call in range(5000):
        alone.append(pace.threads == 1)
        pace.note(MILLI * (9000 if call % 7 == 0 else 70 if alone[-1] else 50))
    runs = [len(list(run)) for one, run in itertools.groupby(alone) if one]
    assert max(runs) <= TRIED, "one thread is tried, and not kept"
    assert not alone[-1]


def test_a_clock_that_stands_still_or_goes_back_does_no_harm():
    pace = Pace(4)
    for seconds in (0.0, -1.0, 0.0, MILLI) * (10 * TRIED):
        assert pace.threads in (1, 2, 4)
        pace.note(seconds)


def test_a_single_thread_is_all_there_is():
    pace = Pace(1)
    assert follow(pace, 50, {1: 1.0}) == [1] * 50
    assert pace.turns(1000) >= 1


def test_turns_of_a_long_call_are_measured_in_pieces_of_some_time():
    pace = Pace(2)
    assert pace.turns(1000) == 1, "nothing is known yet"
    follow(pace, 4 * TRIED, on_two(2, 0.5))
    assert 1 < pace.turns(1000) < 1000
    assert pace.turns(3) == 3
    follow(pace := Pace(2), 2 * TRIED + 1, on_two(2000, 1000))
    assert pace.turns(1000) == 1, "a turn takes longer than the time between two looks"


def test_turns_taken_apart_are_timed_with_enough_for_all_threads(monkeypatch):
    """A single long turn keeps one thread busy, however many there are."""
    noted = []

    class Impatient(Pace):
        def turns(self, most):
            return 1

        def note(self, seconds, turns=1, calls=1):
            noted.append(turns)

    monkeypatch.setattr(program, "Pace", Impatient)
    monkeypatch.setattr(programs, "SMALL", 1)  # so that each turn is worth a thread
    step = cpu_step(network((), "layers", (3, 8, 8)), (3, 8, 8), batch_size=10, threads=2)
    step.evaluate(step.bind(*examples((3, 8, 8))))
    assert noted == [2, 2, 2, 1]


class Alternating(Pace):
    """One thread, then all, then one, for two turns each."""

    def turns(self, most):
        return min(2, most)

    def note(self, seconds, turns=1, calls=1):
        assert seconds > 0
        self._at = 1 - self._at


@pytest.mark.parametrize("kind", ["features", "images"])
def test_a_training_that_changes_its_threads_comes_to_the_same_bits(kind, monkeypatch):
    shape = (3, 8, 8) if kind == "images" else (30,)
    model = masked(network(("conv3", "norm relu"), "linear", shape) if kind == "images" else mlp(30, 40, 4), 0.4)
    results = []
    for pace, threads in ((Pace, 1), (Alternating, 2)):
        monkeypatch.setattr(program, "Pace", pace)
        step = cpu_step(model, shape, kernels="mixed", batch_size=35, threads=threads)
        data, batches = step.bind(*examples(shape)), np.arange(70).reshape(2, 35)
        losses = [*step.run(data, np.tile(batches, (3, 1)), [0.01] * 6)]
        losses += [step.step(data, batches[k % 2], 0.01) for k in range(5)]
        results.append([losses, step.evaluate(data), *values(step, model)])
    assert results[0] == results[1]
