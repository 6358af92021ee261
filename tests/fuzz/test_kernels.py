"""Hostile calls of every public kernel are refused in a sentence or give right results, and never end the process."""

import os
import subprocess
import sys

import pytest

from tests.fuzz.specification import KERNELS
from tinyticket import kernels

CALLS = int(os.environ.get("TINYTICKET_FUZZ_CALLS", "600"))
SEED = int(os.environ.get("TINYTICKET_FUZZ_SEED", "0"))


def test_every_kernel_is_in_the_campaign():
    functions = {name for name in kernels.cpu.__all__ if name != "ConvPattern"}
    assert functions == {name for name in KERNELS if "." not in name}


def test_hostile_calls():
    """Run in a process of its own, because what is wrong might be a segmentation fault or a loop without an end."""
    command = [sys.executable, "-m", "tests.fuzz.campaign", str(CALLS), str(SEED)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300 + CALLS / 20)
    except subprocess.TimeoutExpired as hung:
        pytest.fail(f"a call did not return: {hung.stdout[-800:]!r}")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"died at {lines[-1:]}: {done.stderr[-2000:]}"
    assert not [line for line in lines if line.startswith("WRONG")]
    counts = dict(part.split("=") for part in lines[-1].split()[1:])
    assert int(counts["refused"]) > CALLS / 5
    assert int(counts["right"]) > CALLS / 5
