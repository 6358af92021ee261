"""A log in comma-separated lines."""

import csv
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.lottery.experiments import Interrupt, InterruptAt, every_round, find
from tinyticket.errors import InputError
from tinyticket.lottery import CSVLog
from tinyticket.store import HISTORY


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.csv"


def read(log):
    with open(log, newline="") as file:
        return list(csv.DictReader(file))


def test_every_evaluation_is_a_line_with_the_numbers_of_the_file(log):
    result = find(rounds=1, callbacks=CSVLog(log))
    expected = [
        (str(trial), str(round.number), control, *(row[name] for name in HISTORY.names))
        for trial, round in every_round(result)
        for control, run in {"": round, **round.controls}.items()
        for row in run.history
    ]
    found = read(log)
    assert [(row["trial"], row["round"], row["control"]) for row in found] == [row[:3] for row in expected]
    numbers = [[float(row[name] or "nan") for name in HISTORY.names] for row in found]
    np.testing.assert_array_equal(numbers, [row[3:] for row in expected])
    assert float(found[-1]["density"]) == 278 / 344


def test_a_line_is_in_the_file_when_it_is_told(log):
    with pytest.raises(Interrupt):
        find(callbacks=[CSVLog(log), InterruptAt("evaluated", 2)])
    assert len(read(log)) == 3


@pytest.mark.parametrize("beside", [False, True], ids=["one after another", "side by side"])
def test_a_run_that_goes_on_continues_the_log_and_repeats_no_line(beside, log, out, tmp_path):
    find(rounds=1, callbacks=CSVLog(tmp_path / "whole.csv"))
    with pytest.raises(Interrupt):
        find(rounds=1, out=out, callbacks=[CSVLog(log), InterruptAt("evaluated", 8)])
    with open(log, "a") as file:
        file.write("0,1,,0.8081")  # as a process leaves it that is killed while it writes
    with ThreadPoolExecutor(2) as executor:
        find(
            rounds=1, out=out, callbacks=CSVLog(log), executor=executor if beside else None, workers=2 if beside else 1
        )
    before, after = (path.read_text().splitlines() for path in (tmp_path / "whole.csv", log))
    assert after[:10] == before[:10]  # the header and what had been told
    assert sorted(after) == sorted(before)


def test_a_log_of_which_only_half_the_header_was_written_is_begun_again(log):
    log.write_text("experiment,tri")
    find(rounds=0, callbacks=CSVLog(log))
    assert len(read(log)) == 5


@pytest.mark.parametrize("content", ["x,y\n1,2\n", "x"])
def test_another_file_is_refused_before_training_and_left_alone(content, log):
    log.write_text(content)
    with pytest.raises(
        InputError, match="is no log of evaluations to go on with: its first line is not experiment,trial,"
    ):
        find(callbacks=CSVLog(log))
    assert log.read_text() == content


def test_where_nothing_can_be_written_one_sentence_says_so(tmp_path):
    with pytest.raises(InputError, match=r"the log .* cannot be written: Is a directory$"):
        find(callbacks=CSVLog(tmp_path))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize("beside", [False, True], ids=["one after another", "side by side"])
def test_a_full_disk_ends_the_run_in_one_sentence(beside):
    full = r"^the log /dev/full cannot be written: No space left on device$"
    with ThreadPoolExecutor(2) as executor, pytest.raises(InputError, match=full):
        find(callbacks=CSVLog("/dev/full"), executor=executor if beside else None, workers=2 if beside else 1)


def test_a_network_that_is_only_evaluated_has_one_line(log):
    result = find(rounds=None, method="supermask", controls="random", callbacks=CSVLog(log))
    control = result.trials[0].rounds[1].controls["random"]
    (line,) = [row for row in read(log) if row["control"] == "random"]
    assert float(line["test_accuracy"]) == control.test_accuracy
    assert (line["iteration"], line["train_loss"]) == (str(control.early_stop_iteration), "")
