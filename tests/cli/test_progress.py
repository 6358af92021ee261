"""What one sees of a command while it runs, and what it writes down."""

import os
import pty
import re
import sys

import pytest

from tests.cli.commands import ENVIRONMENT, find_arguments, one_sentence, start


def test_a_real_terminal_gets_bars_and_the_table_stays_in_the_pipe(npz, out):
    ours, theirs = pty.openpty()
    process = start(find_arguments(npz, out, rounds=1), stderr=theirs, text=False, env={**ENVIRONMENT, "TERM": "xterm"})
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
    assert "all iterations" in screen.decode()
    assert "all iterations" not in printed
    assert "\x1b" not in printed
    assert "round" in printed


def test_a_log_is_written_also_where_nothing_is_shown(find_command, out):
    outcome = find_command("--log", out.with_name("log.csv"), "--quiet", rounds=1)
    assert (outcome.code, outcome.err) == (0, "")
    header, *lines = out.with_name("log.csv").read_text().splitlines()
    assert header.startswith("experiment,trial,round,control,density,iteration,train_loss,")
    assert len(lines) == 20
    assert re.match(r",0,1,random,0\.8081\d*,20,", lines[-1])


def test_a_log_that_cannot_be_written_is_one_sentence(find_command, out):
    assert "cannot be written: Is a directory" in one_sentence(find_command("--log", out.parent))
    assert os.listdir(out.parent) == []


def test_event_files_without_their_package_are_refused(find_command, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    refused = one_sentence(find_command("--tensorboard", out.parent / "runs"))
    assert refused == "TensorBoard's files need its package: pip install 'tinyticket[tensorboard]'"


@pytest.mark.parametrize("option", ["--log", "--tensorboard"])
def test_a_log_in_place_of_the_result_is_refused_before_training(option, find_command, out):
    (out.parent / "link").symlink_to(out.parent)
    refused = one_sentence(find_command(option, out.parent / "link" / out.name))
    assert refused.startswith(f"{option} names the result file ")
    assert os.listdir(out.parent) == ["link"]


def test_a_log_in_place_of_a_result_of_a_sweep_is_refused(command, npz, tmp_path):
    (tmp_path / "sweep.toml").write_text("[settings]\n[[experiments]]\nname = 'a'\n")
    results = tmp_path / "results"
    refused = one_sentence(command("sweep", tmp_path / "sweep.toml", "--out", results, "--log", results / "a.h5"))
    assert refused.startswith("--log names the result file ")
    assert not results.exists()
