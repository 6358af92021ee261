"""Every lesson runs, from its own text to its last assertion."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "examples").glob("[0-9]_*.py"))


def test_there_are_five_lessons():
    assert len(LESSONS) == 5


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(lesson, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, lesson], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_ticket_by_hand_fits_sixty_lines():
    lesson = (ROOT / "examples" / "3_ticket_by_hand.py").read_text()
    assert len(lesson.strip().splitlines()) <= 60
