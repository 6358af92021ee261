"""Randomness by name: independent of each other, of the order of use, and of the process."""

import subprocess
import sys
import zlib

import numpy as np
import pytest

from tests.cli.commands import ENVIRONMENT
from tinyticket.lottery import stream

PLACES = [
    (0, 0, "init", 0),
    (1, 0, "init", 0),
    (0, 1, "init", 0),
    (0, 0, "batches", 0),
    (0, 0, "init", 1),
    (0, 0, "reinit", 1),
    (0, 0, "reinit-2", 1),
    (0, 0, "random", 1),
    (0, 0, "validation", 0),
    (0, 0, "dropout", 0),
    (0, 1, "batches", 2),
    (0, 2, "batches", 1),
]


def test_the_same_place_always_has_the_same_numbers():
    for place in PLACES:
        assert stream(*place).bytes(16) == stream(*place).bytes(16)


def test_every_seed_trial_purpose_and_round_has_numbers_of_its_own():
    assert len({stream(*place).bytes(16) for place in PLACES}) == len(PLACES)


def test_drawing_from_one_stream_moves_no_other():
    expected = stream(0, 0, "batches").bytes(16)
    stream(0, 0, "init").bytes(1000)
    assert stream(0, 0, "batches").bytes(16) == expected


@pytest.mark.parametrize("purpose", ["batches", "reinit"])
def test_streams_are_uncorrelated(purpose):
    a, b = stream(0, 0, "init").standard_normal(20_000), stream(0, 0, purpose).standard_normal(20_000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(20_000)  # five standard deviations


def test_the_round_is_0_unless_given():
    assert stream(5, 1, "init").bytes(16) == stream(5, 1, "init", 0).bytes(16)


def test_the_hash_seed_of_the_process_changes_nothing():
    """Seeds made with Python's hash() of a string differ from process to process."""
    script = "from tinyticket.lottery import stream; print(stream(3, 1, 'reinit-2', 4).bytes(16).hex(), hash('reinit'))"
    printed = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**ENVIRONMENT, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert printed[0][1] != printed[1][1]
    assert printed[0][0] == printed[1][0] == stream(3, 1, "reinit-2", 4).bytes(16).hex()


def test_the_formula_is_the_one_of_the_file_format():
    key = np.random.SeedSequence(3, spawn_key=(1, zlib.crc32(b"reinit-2"), 4))
    assert stream(3, 1, "reinit-2", 4).bytes(16) == np.random.default_rng(key).bytes(16)
