"""One thread or all of them: the quicker one, whichever it is at the time."""

import numpy as np
import pytest

from tinyticket.compiler.mlp.pace import PERIOD, RARELY, TRIED, Pace
from tinyticket.compiler.mlp.step import MLPStep


def follow(pace, calls, one, two):
    """Make calls that take so long on one thread and on two; return how many were on one."""
    alone = 0
    for _ in range(calls):
        alone += pace.threads == 1
        pace.note(one if pace.threads == 1 else two)
    return alone


@pytest.mark.parametrize(("one", "two", "kept"), [(50, 60, 1), (60, 50, 2), (50, 50, 2)])
def test_both_are_tried_and_the_quicker_one_is_kept(one, two, kept):
    pace = Pace(2)
    assert follow(pace, 2 * TRIED, one, two) == TRIED
    assert pace.threads == kept


def test_trying_costs_little_where_the_other_is_far_slower():
    assert follow(Pace(2), 10 * RARELY, 100, 50) <= 10 * 2
    assert follow(Pace(2), 10 * PERIOD, 55, 50) <= 10 * TRIED


def test_when_cores_move_apart_the_choice_follows_and_comes_back():
    pace = Pace(2)
    follow(pace, PERIOD, 50, 40)
    assert pace.threads == 2
    follow(pace, 2 * PERIOD, 50, 55)
    assert pace.threads == 1
    follow(pace, 2 * PERIOD, 50, 40)
    assert pace.threads == 2


def test_late_calls_do_not_wait_for_the_next_comparison():
    pace = Pace(2)
    follow(pace, 4 * TRIED, 100, 50)
    assert pace.threads == 2
    follow(pace, RARELY // (PERIOD // TRIED) + 2 * TRIED, 100, 8000)
    assert pace.threads == 1


def test_an_odd_slow_call_changes_nothing():
    pace = Pace(2)
    for call in range(20 * PERIOD):
        alone = pace.threads == 1
        pace.note(9000 if call % 7 == 0 else 70 if alone else 50)
        if pace._left > 0:
            assert pace.threads == 2


def test_a_single_thread_is_not_timed():
    pace = Pace(1)
    assert follow(pace, 50, 1, 1) == 50
    assert not pace._times


class Alternating(Pace):
    """One thread, then all, then one."""

    def note(self, seconds):
        assert seconds > 0
        self._change()


def test_a_training_that_changes_its_threads_comes_to_the_same_bits():
    rng = np.random.default_rng(0)
    shapes = [(40, 30), (3, 40)]
    masks = [rng.random(shape) < 0.4 for shape in shapes]
    values = [rng.standard_normal(shape).astype(np.float32) * mask for shape, mask in zip(shapes, masks, strict=True)]
    x, y = rng.random((90, 30), np.float32), rng.integers(0, 3, 90)
    results = []
    for pace in (Pace(1), Alternating(2)):
        step = MLPStep(shapes, masks, [True, False], [True, True], batch_size=45, threads=2)
        step._pace = pace
        step.write([([value], [np.zeros(len(value), np.float32)]) for value in values])
        data, batches = step.bind(x, y), np.arange(90).reshape(2, 45)
        losses = [*step.run(data, batches, [0.01, 0.01]), *(step.step(data, batches[k % 2], 0.01) for k in range(5))]
        results.append([*losses, step.weight(0).tobytes(), step.weight(1).tobytes()])
    assert results[0] == results[1]
