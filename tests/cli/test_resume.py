"""`tinyticket resume` and `tinyticket extend`."""

import shutil

import pytest

from tests.cli.commands import one_sentence
from tests.lottery.experiments import contents, differing
from tinyticket import load
from tinyticket.results import verdict


@pytest.fixture
def grown(ticket, tmp_path):
    return shutil.copy(ticket, tmp_path / "grown.h5")


def test_a_finished_file_is_shown_and_left_as_it_is(grown, ticket, npz, command):
    done = command("resume", grown, "--data", npz, "--threads", 1, "--workers", 1, "-q")
    assert done == (0, verdict(load(ticket))["text"] + "\n", "")
    assert "early-stopping iteration" in command("resume", grown, "--data", npz).out
    assert differing(contents(grown), contents(ticket)) == []


def test_a_file_gets_controls_and_trials(grown, npz, command, find_command, out):
    options = ("--controls", "reinit,reshuffle", "--trials", 3, "--workers", 1, "-q")
    assert command("extend", grown, "--data", npz, *options).code == 0
    assert find_command("--workers", 1, trials=3, controls="reinit,random,reshuffle").code == 0
    assert differing(contents(grown), contents(out)) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("resume", "missing.h5"), "missing.h5 does not exist"),
        (("extend", "--trials", "1"), "is of 2 trials, and nothing is taken away"),
        (("resume", "--log", "FILE"), "--log names the result file"),
        (("extend", "--controls", "none,random"), "'none' means no controls at all"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says, grown, npz, command):
    name, *options = [str(grown) if word == "FILE" else word for word in arguments]
    file = [] if "missing.h5" in options else [grown, "--data", npz]
    assert says in one_sentence(command(name, *file, *options))


def test_data_that_a_file_does_not_say_where_to_find(grown, command):
    assert "say where the data are (--data)" in one_sentence(command("resume", grown))
