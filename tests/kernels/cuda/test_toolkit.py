"""What CUDA says of itself, with and without a device."""

import os
import subprocess
import sys

import pytest

from tinyticket.errors import InputError
from tinyticket.kernels.cuda import toolkit


def without_simulator(code):
    """Run code in a process that takes the real target."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kernels_can_run_in_tests():
    assert toolkit.available()
    toolkit.require()


def test_it_describes_itself():
    described = toolkit.describe()
    assert described.keys() == {"CUDA device", "CUDA driver", "CUDA packages"}
    assert all(described.values())
    if toolkit.simulated():
        assert "NUMBA_ENABLE_CUDASIM" in described["CUDA device"]


def test_a_missing_device_is_one_sentence(monkeypatch):
    monkeypatch.setattr(toolkit, "available", lambda: False)
    with pytest.raises(InputError, match="device 'cuda' needs an NVIDIA GPU with its driver, but"):
        toolkit.require()


def test_the_real_target_answers_too():
    code = "from tinyticket.kernels.cuda import toolkit; print(*toolkit.describe().items(), toolkit.simulated())"
    assert without_simulator(code).strip().endswith("False")


def test_numba_does_not_warn_of_small_launches():
    code = "from tinyticket.kernels.cuda import toolkit; from numba.cuda import dispatcher; print(dispatcher.config.{})"
    assert without_simulator(code.format("CUDA_LOW_OCCUPANCY_WARNINGS")).strip() == "0"


def test_nothing_to_import_is_one_sentence():
    code = """
import sys
sys.modules["numba.cuda"] = sys.modules["numba_cuda_mlir"] = None
import numba
vars(numba).pop("cuda", None)
from tinyticket.errors import InputError
try:
    import tinyticket.kernels.cuda.toolkit
except InputError as error:
    print(error)
"""
    assert "pip install 'tinyticket[cuda]'" in without_simulator(code)
