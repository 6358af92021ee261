"""Bars in a terminal, however wide it is, and in a notebook."""

import contextlib
import io
import logging
import re
import sys
import types

import pytest
from rich.console import Console

from tests.cli.commands import Terminal
from tests.lottery.experiments import Interrupt, InterruptAt, find
from tinyticket.lottery import Training
from tinyticket.lottery.callbacks.bars import Bars, NotebookBars

LOGGER = logging.getLogger("tinyticket.test")


@pytest.fixture(autouse=True)
def one_kind_of_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def bars():
    return Bars(Console(stderr=True))


def seen_by(run):
    """Return what a call writes to a terminal."""
    screen = Terminal()
    with contextlib.redirect_stderr(screen):
        run()
    return screen.getvalue()


def plain(screen):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)


def test_bars_show_rounds_iterations_loss_accuracy_and_the_time_left():
    seen = plain(seen_by(lambda: find(callbacks=bars())))
    assert "all iterations" in seen
    assert re.search(r"trial 0, round 2, random +density 65\.4% +loss \d\.\d+ +accuracy \d+\.\d%", seen)
    assert "140/140" in seen  # 7 trainings of 20 iterations
    assert re.search(r"left \d:\d\d:\d\d", seen)


def interrupted_after_a_round(**changes):
    with pytest.raises(Interrupt):
        find(callbacks=[InterruptAt("committed"), bars()], **changes)


def test_bars_start_where_the_file_stands(out):
    find(rounds=0, out=out)
    seen = plain(seen_by(lambda: interrupted_after_a_round(out=out)))
    assert "80/140" in seen
    assert "100/140" not in seen


def test_bars_are_gone_after_an_error():
    seen = seen_by(interrupted_after_a_round)
    assert "\x1b[?25l" in seen  # the cursor was hidden
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")  # and is shown again
    assert seen.endswith("\x1b[2K")  # the last line is erased


def events_of(callback, trial):
    """Begin a trial's first training and yield at every step."""
    training = Training(trial, 0, None, 1.0)
    callback.training_begun(training)
    yield
    callback.evaluated(training, {"iteration": 20, "validation_loss": 0.5 + trial, "validation_accuracy": 0.9})
    yield
    callback.training_ended(training, {"early_stop_iteration": 10 + trial, "test_accuracy": 0.8})


def test_trainings_side_by_side_have_a_bar_each_and_the_next_one_takes_a_finished_one_s():
    def run():
        callback = bars()
        callback.run_begun(4, 20, 0)
        for _ in zip(events_of(callback, 0), events_of(callback, 1), strict=True):
            pass
        callback.table.refresh()
        next(events_of(callback, 2))
        shown = [task.description for task in callback.table.tasks]
        callback.run_ended()
        assert shown[:2] == ["all iterations", "trial 2, round 0, dense"]
        assert len(shown) == 3, "the other finished one stays until somebody takes its place"

    seen = plain(seen_by(run))
    assert re.search(r"trial 0, round 0, dense density 100\.0% loss 0\.500 accuracy 90\.0%", seen)
    assert re.search(r"trial 1, round 0, dense density 100\.0% loss 1\.500 accuracy 90\.0%", seen)
    assert "40/80" in seen


def test_of_a_sweep_the_long_name_of_the_experiment_is_cut():
    screen = io.StringIO()
    console = Console(file=screen, width=60, force_terminal=False)
    callback = Bars(console)
    callback.run_begun(100, 2000, 0)
    callback.training_begun(Training(1, 2, "reinit", 0.64, "criterion=large_init_large_final,seed=3"))
    console.print(callback.table)
    callback.run_ended()
    assert "trial 1, round 2, reinit of c" in screen.getvalue()


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (30, r" +60% \d:\d\d:\d\d"),
        (40, r" +60% \d:\d\d:\d\d"),
        (60, r" +━+.* +60% \d:\d\d:\d\d"),
        (80, r" +accuracy 97\.5% ━+.* +60% left \d:\d\d:\d\d"),
        (100, r" +accuracy 97\.5% ━+.* +1200/2000 +\d:\d\d:\d\d left \d:\d\d:\d\d"),
        (120, r" +density 64\.3% +loss 0\.123 +accuracy 97\.5% ━+.* +1200/2000 +\d:\d\d:\d\d left \d:\d\d:\d\d"),
    ],
)
def test_what_a_terminal_has_room_for_is_shown_whole(width, columns):
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=False)
    callback, training = Bars(console), Training(10, 12, "reinit-2", 0.643)
    callback.run_begun(100, 2000, 0)
    callback.training_begun(training)
    for iteration in (0, 600, 1200):
        callback.evaluated(training, {"iteration": iteration, "validation_loss": 0.123, "validation_accuracy": 0.975})
    console.print(callback.table)
    callback.run_ended()
    every, one = (line.rstrip() for line in screen.getvalue().splitlines()[:2])
    assert every.startswith("all iterations ")
    assert re.fullmatch(r"trial 10, round (?:…|12, reinit…|12, reinit-2)" + columns, one), one
    assert max(len(every), len(one)) <= width


def test_what_is_logged_stands_above_the_bars_and_afterwards_where_it_did():
    screen, root = Terminal(), logging.getLogger()
    with contextlib.redirect_stderr(screen):
        handler = logging.StreamHandler()
        root.addHandler(handler)
        try:
            callback = bars()
            callback.run_begun(2, 20, 0)
            callback.table.refresh()
            LOGGER.warning("compiling kernels")
            during = screen.getvalue()
            callback.run_ended()
            LOGGER.warning("done")
        finally:
            root.removeHandler(handler)
    drawn, _, logged = during.rpartition("\x1b[2K")  # the bars are erased first
    assert "all iterations" in drawn
    assert re.match(r"compiling kernels *\n.*all iterations", plain(logged), re.DOTALL)
    assert screen.getvalue().endswith("done\n")
    assert handler.stream is screen


def test_what_a_callback_prints_to_a_file_goes_there(capsys):
    callback = InterruptAt("run_ended", after=9)
    callback.evaluated = lambda training, row: print("iteration", row["iteration"])
    seen = seen_by(lambda: find(rounds=0, callbacks=[bars(), callback]))
    assert "iteration 20" not in plain(seen)
    assert capsys.readouterr().out.splitlines()[-1] == "iteration 20"


class Output:
    """Stands for the output below a cell: what it shows, as text."""

    def __init__(self, shown):
        self.shown = []
        self.update(shown)

    def update(self, shown):
        self.shown.append(plain(shown._repr_mimebundle_((), ())["text/plain"]))


def test_a_notebook_shows_the_bars_in_one_output_that_is_replaced(monkeypatch):
    outputs, ipython = [], types.ModuleType("IPython.display")
    ipython.display = lambda shown, display_id: outputs.append(Output(shown)) or outputs[-1]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", ipython)
    find(callbacks=NotebookBars(Console(force_jupyter=True)))
    (output,) = outputs
    assert re.search("all iterations .* 0/140 ", output.shown[0])
    assert re.search("all iterations .* 140/140 ", output.shown[-1])
    assert "trial 0, round 2, random" in output.shown[-1]
    assert len(output.shown) < 20, "not a picture for every evaluation"
