"""What one sees while it runs: bars on a terminal, lines elsewhere, nothing if quiet."""

import contextlib
import io
import os
import pty
import re

import pytest

from tests.cli.commands import ENVIRONMENT, Terminal, find_arguments, start
from tests.lottery.experiments import Interrupt, InterruptAt, find
from tinyticket.cli.progress import LineProgress, TerminalProgress, title, watcher
from tinyticket.lottery import Progress, Training


@pytest.fixture(autouse=True)
def one_kind_of_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def seen_by(run):
    """Return what a call writes to a terminal."""
    screen = Terminal()
    with contextlib.redirect_stderr(screen):
        run()
    return screen.getvalue()


def test_the_watcher_suits_where_standard_error_goes():
    with contextlib.redirect_stderr(Terminal()):
        assert type(watcher(quiet=False)) is TerminalProgress
        assert type(watcher(quiet=True)) is Progress
    with contextlib.redirect_stderr(io.StringIO()):
        assert type(watcher(quiet=False)) is LineProgress
        assert type(watcher(quiet=True)) is Progress


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ((0, 0, None, 1.0), "trial 0, round 0 (100.0%), dense"),
        ((2, 11, None, 0.0858), "trial 2, round 11 (8.6%), ticket"),
        ((0, 1, "reinit-2", 0.8), "trial 0, round 1 (80.0%), reinit-2"),
    ],
)
def test_trainings_have_titles(training, expected):
    assert title(Training(*training)) == expected


def plain(screen):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)


def test_bars_show_rounds_iterations_loss_accuracy_and_the_time_left():
    seen = plain(seen_by(lambda: find(progress=TerminalProgress())))
    assert "all iterations" in seen
    assert re.search(r"trial 0, round 2 \(65\.4%\), random, loss \d\.\d+, accuracy \d+\.\d%", seen)
    assert "140/140" in seen  # 7 trainings of 20 iterations
    assert re.search(r"left \d:\d\d:\d\d", seen)


def interrupted_after_a_round(**changes):
    progress = TerminalProgress()
    progress.committed = InterruptAt("committed").committed
    with pytest.raises(Interrupt):
        find(progress=progress, **changes)


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


def test_a_real_terminal_gets_bars_and_the_table_stays_in_the_pipe(npz, out):
    ours, theirs = pty.openpty()
    arguments = find_arguments(npz, out, rounds=1)
    process = start(arguments, stderr=theirs, text=False, env={**ENVIRONMENT, "TERM": "xterm"})
    os.close(theirs)
    screen = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # what Linux says at the end of a terminal
            break
        if not read:
            break
        screen += read
    os.close(ours)
    printed = process.stdout.read().decode()
    assert process.wait(60) == 0
    assert "all iterations" in plain(screen.decode())
    assert "all iterations" not in printed
    assert "\x1b" not in printed
    assert "round" in printed


def events_of(progress, trial):
    """Begin a trial's first training and yield at every step."""
    training = Training(trial, 0, None, 1.0)
    progress.training_begun(training)
    yield
    progress.evaluated(training, {"iteration": 20, "validation_loss": 0.5 + trial, "validation_accuracy": 0.9})
    yield
    progress.training_ended(training, {"early_stop_iteration": 10 + trial, "test_accuracy": 0.8})


def test_lines_of_trials_side_by_side_are_not_mixed_up(capsys):
    progress = LineProgress()
    progress.run_begun(4, 20, 0)
    for _ in zip(events_of(progress, 0), events_of(progress, 1), strict=True):
        pass
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("[1/4] trial 0, round 0 (100.0%), dense: early stop at 10, ")
    assert second.startswith("[2/4] trial 1, round 0 (100.0%), dense: early stop at 11, ")


def test_a_network_that_is_only_evaluated_has_a_line_and_no_number(capsys):
    progress = LineProgress()
    progress.run_begun(2, 20, 0)
    progress.untrained(Training(0, 1, "random", 0.5), {"test_accuracy": 0.1})
    assert capsys.readouterr().err == "trial 0, round 1 (50.0%), random: not trained, test accuracy 10.00%\n"
    assert progress.done == 0


def test_trainings_side_by_side_have_a_bar_each_and_the_next_one_takes_a_finished_one_s():
    def run():
        progress = TerminalProgress()
        progress.run_begun(4, 20, 0)
        for _ in zip(events_of(progress, 0), events_of(progress, 1), strict=True):
            pass
        progress.bars.refresh()
        next(events_of(progress, 2))
        shown = [task.description for task in progress.bars.tasks if task.visible]
        progress.run_ended()
        assert shown[:2] == ["all iterations", "trial 2, round 0 (100.0%), dense"]
        assert len(shown) == 3, "the other finished one stays until somebody takes its place"

    seen = plain(seen_by(run))
    assert "trial 0, round 0 (100.0%), dense, loss 0.500, accuracy 90.0%" in seen
    assert "trial 1, round 0 (100.0%), dense, loss 1.500, accuracy 90.0%" in seen
    assert "40/80" in seen
