"""What whoever watches is told."""

import pytest

from tests.lottery.experiments import (
    Interrupt,
    InterruptAt,
    Recorder,
    find,
)


def test_progress_is_told_everything_in_order():
    progress = Recorder()
    find(rounds=1, iterations=10, progress=progress)
    kinds = [kind for kind, _ in progress.events]
    one = ["training_begun", "evaluated", "evaluated", "evaluated"]
    assert kinds == ["run_begun", *one, "committed", *one, *one, *one, "committed", "run_ended"]
    assert progress.of("run_begun") == [(4, 10, 0)]
    assert progress.of("training_begun") == [
        (0, 0, None, 1.0),
        (0, 1, None, pytest.approx(278 / 344)),
        (0, 1, "reinit", pytest.approx(278 / 344)),
        (0, 1, "random", pytest.approx(278 / 344)),
    ]
    assert progress.of("committed") == [(0, 0), (0, 1)]


def test_the_end_is_told_after_an_error_too():
    progress = Recorder()
    progress.evaluated = InterruptAt("evaluated", 3).evaluated
    with pytest.raises(Interrupt):
        find(progress=progress)
    assert progress.events[-1] == ("run_ended", ())
