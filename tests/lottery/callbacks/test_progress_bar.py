"""Bars where somebody can see them, lines elsewhere."""

import contextlib
import io
import os
import sys

import pytest
import rich.console

from tests.cli.commands import Terminal
from tests.lottery.callbacks.test_bars import events_of
from tests.lottery.experiments import find
from tinyticket.lottery import ProgressBar, Training
from tinyticket.lottery.callbacks.bars import Bars, NotebookBars
from tinyticket.lottery.callbacks.progress_bar import Lines


@pytest.fixture(autouse=True)
def one_kind_of_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def view(stream):
    """Return the class of what shows progress where standard error is a stream."""
    with contextlib.redirect_stderr(stream):
        return type(*ProgressBar().callbacks)


def test_a_terminal_gets_bars_and_a_file_lines():
    assert view(Terminal()) is Bars
    assert view(io.StringIO()) is Lines
    assert view(None) is Lines


def test_a_notebook_gets_bars(monkeypatch):
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    assert view(io.StringIO()) is NotebookBars


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert view(Terminal()) is Lines


def test_colours_that_are_asked_for_make_no_bars_in_a_file(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert view(io.StringIO()) is Lines


def test_without_rich_there_are_lines(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert view(Terminal()) is Lines


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ((0, 0, None, 1.0), "trial 0, round 0 (100.0%), dense: "),
        ((2, 11, None, 0.0858), "trial 2, round 11 (8.6%), ticket: "),
        ((0, 1, "reinit-2", 0.8), "trial 0, round 1 (80.0%), reinit-2: "),
    ],
)
def test_lines_name_trainings(training, expected, capsys):
    Lines().untrained(Training(*training), {"test_accuracy": 0.1})
    assert capsys.readouterr().err.startswith(expected)


def test_lines_of_trials_side_by_side_are_not_mixed_up(capsys):
    lines = Lines()
    lines.run_begun(4, 20, 0)
    for _ in zip(events_of(lines, 0), events_of(lines, 1), strict=True):
        pass
    begun, first, second = capsys.readouterr().err.splitlines()
    assert begun == "[0/4] trainings of 20 iterations begin"
    assert first.startswith("[1/4] trial 0, round 0 (100.0%), dense: early stop at 10, ")
    assert second.startswith("[2/4] trial 1, round 0 (100.0%), dense: early stop at 11, ")


def test_a_network_that_is_only_evaluated_has_a_line_and_no_number(capsys):
    lines = Lines()
    lines.run_begun(2, 20, 0)
    lines.untrained(Training(0, 1, "random", 0.5), {"test_accuracy": 0.1})
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == ["trial 0, round 1 (50.0%), random: not trained, test accuracy 10.00%"]
    assert lines.done == 0


@pytest.mark.parametrize("stream", ["none", "full", "closed"])
def test_where_nothing_can_be_shown_the_experiment_goes_on(stream, monkeypatch, capsys):
    with open(os.devnull if stream == "closed" else "/dev/full", "w") as file:
        monkeypatch.setattr(sys, "stderr", None if stream == "none" else file)
        callback = ProgressBar()
        if stream == "closed":
            file.close()
        assert len(find(rounds=0, callbacks=callback).trials) == 1
        monkeypatch.undo()
        with contextlib.suppress(OSError):  # what could not be written
            file.close()
    assert capsys.readouterr().out == ""
