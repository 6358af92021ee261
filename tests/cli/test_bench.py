"""`tinyticket bench`."""

import re
import subprocess
import sys

import pytest

from tests.cli.commands import ENVIRONMENT, one_sentence
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


def test_kernels_are_compiled_beforehand(command):
    assert command("bench", "--warmup").out.startswith("kernels of fully-connected models: ready in ")
    assert command("bench", "--warmup", "lenet-5").out.startswith("kernels of lenet-5: ready in ")
    assert command("bench", "--warmup", "conv-2", "--quiet").out == ""
    assert "no model is called 'conv2' (did you mean 'conv-2'?" in one_sentence(command("bench", "--warmup", "conv2"))


@pytest.mark.parametrize("arguments", [(), ("--fast",)])
def test_something_must_be_asked_for(command, arguments):
    assert command("bench", *arguments).code == 2


def test_the_loops_of_a_kernel_are_shown_in_assembly_language():
    environment = ENVIRONMENT | {"TINYTICKET_CACHE": "off"}
    command = [sys.executable, "-m", "tinyticket", "bench", "--asm", "sparse_linear"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert re.search(r"# a loop of \d+ instructions, [1-9]\d* of which multiply and add vectors\n\.L", shown)


def test_a_kernel_that_does_not_exist_is_named(command, monkeypatch):
    monkeypatch.setenv("TINYTICKET_CACHE", "off")  # as the command does, for good
    assert "there is no kernel 'spare_linear'; there are add, " in one_sentence(
        command("bench", "--asm", "spare_linear")
    )
