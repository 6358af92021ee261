"""Every lesson runs, from its own text to its last assertion."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "examples").glob("[0-9]_*.py"))


LAST_LINES = {
    "1_autograd_from_nothing": r"d out / d b +(-?\d\.\d{8}) +\1",
    "2_train_a_network": r"iteration 300: loss 0\.0\d\d, test accuracy 9[678]\.\d%",
    "3_ticket_by_hand": r"round 7, 21\.5% of the weights: ticket 9[78]\.\d%, re-initialised 9\d\.\d%",
    "4_ticket_with_lottery": r"not enough trials to tell: nearest to a winning ticket at .*; 1 trial; a verdict takes 3 trials.*",
    "5_look_into_the_file": r"smallest validation loss 0\.\d{4} at iteration \d+",
    "6_why_sparse_kernels_win": r"as many as a dense layer at \d+ billion",
    "7_bring_your_own_data": r"connections kept: of the two columns that matter \d+%, of the others \d+%",
    "8_to_pytorch_and_back": r"logits differ by at most .*|PyTorch is not installed: this is how far the lesson goes",
    "9_settle_a_claim": r" constant-signed: -\d\.\d\d \[.*\]",
}


def test_every_lesson_is_known():
    assert [path.stem for path in LESSONS] == list(LAST_LINES)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(lesson, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, lesson], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(LAST_LINES[lesson.stem], done.stdout.splitlines()[-1])


def test_the_ticket_by_hand_fits_sixty_lines():
    lesson = (ROOT / "examples" / "3_ticket_by_hand.py").read_text()
    assert len(lesson.strip().splitlines()) <= 60


def test_the_reproduction_runs_on_the_digits(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "examples" / "reproduce_lenet.py", tmp_path / "results", "--small"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "| fastest ticket | 21.1%, 38% earlier | " in done.stdout
    assert len([line for line in done.stdout.splitlines() if line.startswith("| ")]) == 12
    assert {path.name for path in (tmp_path / "results").glob("*.*")} >= {"lenet.h5", "lenet-oneshot.h5", "lenet.png"}


def test_lessons_leave_the_file_of_the_readmes_first_command_alone():
    (command,) = (
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv .venv &&")
    )
    file = command.split("--out ")[1]
    assert file == "ticket.h5"
    assert not [lesson.name for lesson in LESSONS if f'"{file}"' in lesson.read_text()]


def test_a_network_from_a_graph_finds_the_pathways_that_decide(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "examples" / "network_from_a_graph.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"([5-9]|10) of the 10 strongest edges lead to .*", done.stdout.splitlines()[-1])
