"""What callbacks are told, and in which order."""

import subprocess
import sys

import pytest

import tinyticket as tt
from tests.lottery.experiments import Interrupt, InterruptAt, Recorder, find
from tinyticket.errors import InputError
from tinyticket.lottery import Callback


def test_a_callback_is_told_everything_in_order():
    callback = Recorder()
    find(rounds=1, iterations=10, callbacks=callback)
    kinds = [kind for kind, _ in callback.events]
    one = ["training_begun", "evaluated", "evaluated", "evaluated"]
    assert kinds == ["run_begun", *one, "committed", *one, *one, *one, "committed", "run_ended"]
    assert callback.of("run_begun") == [(4, 10, 0)]
    assert callback.of("training_begun") == [
        (0, 0, None, 1.0, "", "accuracy"),
        (0, 1, None, pytest.approx(278 / 344), "", "accuracy"),
        (0, 1, "reinit", pytest.approx(278 / 344), "", "accuracy"),
        (0, 1, "random", pytest.approx(278 / 344), "", "accuracy"),
    ]
    assert callback.of("committed") == [(0, 0), (0, 1)]


def test_the_end_is_told_after_an_error_too():
    callback = Recorder()
    callback.evaluated = InterruptAt("evaluated", 3).evaluated
    with pytest.raises(Interrupt):
        find(callbacks=callback)
    assert callback.events[-1] == ("run_ended", ())


EVENTS = {name for name in vars(Callback) if not name.startswith("_")}


class Noting(Callback):
    """Note in one list what several callbacks are told."""

    def __init__(self, name, events):
        for kind in EVENTS:
            setattr(self, kind, lambda *_, kind=kind: events.append((name, kind)))


def test_several_are_told_one_after_the_other():
    events, method = [], {"rounds": None, "method": "supermask", "controls": "random"}
    find(callbacks=(Noting(name, events) for name in "ab"), **method)
    assert {kind for _, kind in events} == EVENTS
    assert [name for name, _ in events] == ["a", "b"] * (len(events) // 2)
    assert [kind for name, kind in events if name == "a"] == [kind for name, kind in events if name == "b"]


@pytest.mark.parametrize("kind", ["run_begun", "training_begun", "run_ended"])
def test_where_one_of_several_raises_those_that_had_begun_are_told_the_end(kind):
    events = []
    several = [Noting("a", events), InterruptAt(kind), Noting("c", events)]
    with pytest.raises(Interrupt):
        find(callbacks=several)
    assert ("a", "run_ended") in events
    assert (("c", "run_ended") in events) == (("c", "run_begun") in events)
    assert sum(told == "run_ended" for _, told in events) == (1 if kind == "run_begun" else 2)


@pytest.mark.parametrize("given", [tt.lottery.CSVLog, 3, ["log.csv"]])
def test_what_is_no_callback_is_refused_before_training(given):
    with pytest.raises(InputError, match=r"callbacks: expected tt\.lottery\.Callback objects, got "):
        find(callbacks=given)


def test_making_no_bars_and_no_event_files_imports_neither_rich_nor_tensorboard():
    code = "import sys, tinyticket as tt; tt.lottery.Callback; print({'rich', 'tensorboard'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
