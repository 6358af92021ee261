"""`tinyticket bench`."""

import sys

import pytest

from tinyticket.sparse import choice


def test_info_says_what_kernels_run_on(command):
    shown = dict(line.split(":", 1) for line in command("bench", "--info").out.splitlines())
    cpu = {"numba", "compiled for", "threads", "threading layer", "kernel cache", "dense or sparse"}
    assert shown.keys() == cpu | {"CUDA device", "CUDA driver", "CUDA packages"}
    assert shown["threading layer"].strip() in ("omp", "tbb", "workqueue")


def test_info_says_that_cuda_is_missing(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba.cuda", None)
    monkeypatch.setitem(sys.modules, "numba_cuda_mlir.cuda", None)
    monkeypatch.delitem(sys.modules, "tinyticket.kernels.cuda.toolkit", raising=False)
    monkeypatch.delattr("tinyticket.kernels.cuda.toolkit", raising=False)
    outcome = command("bench", "--info")
    assert outcome.code == 0
    assert "pip install 'tinyticket[cuda]'" in outcome.out


def test_calibration_is_measured_and_remembered(command, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    choice.current.cache_clear()
    outcome = command("bench", "--calibrate")
    assert outcome.code == 0
    assert str(choice.calibration_file()) in outcome.out
    rates = choice.current()
    assert rates.dense > 0 < rates.sparse
    choice.current.cache_clear()


@pytest.mark.parametrize("arguments", [(), ("--fast",)])
def test_something_must_be_asked_for(command, arguments):
    assert command("bench", *arguments).code == 2
