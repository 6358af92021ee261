"""What CUDA says of itself, with and without a device."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

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
    with pytest.raises(InputError, match="device 'cuda' needs an NVIDIA GPU, its driver and its compiler, but"):
        toolkit.require()


def test_a_device_without_numba_cuda_is_one_sentence_too(monkeypatch):
    own = SimpleNamespace(__name__="numba.cuda", gpus=["one"], is_available=lambda: True)
    monkeypatch.setattr(toolkit, "cuda", own)
    monkeypatch.setattr(toolkit, "simulated", lambda: False)
    monkeypatch.setattr(toolkit, "find_spec", lambda name: name)
    toolkit.require()
    monkeypatch.setattr(toolkit, "find_spec", lambda name: None)
    assert not toolkit.available()
    with pytest.raises(InputError, match=r"the package numba-cuda is not installed: pip install 'tinyticket\[cuda\]'$"):
        toolkit.require()


def test_the_real_target_answers_too():
    code = "from tinyticket.kernels.cuda import toolkit; print(*toolkit.describe().items(), toolkit.simulated())"
    assert without_simulator(code).strip().endswith("False")


def test_a_target_that_breaks_is_one_sentence():
    code = """
import importlib
from tinyticket.errors import InputError
found = importlib.import_module
def broken(name):
    if "cuda" in name:
        raise RuntimeError("While looking:\\nno cudart found.\\nInstall one.")
    return found(name)
importlib.import_module = broken
try:
    import tinyticket.kernels.cuda.toolkit
except InputError as error:
    print(error)
"""
    assert "numba-cuda, but no cudart found: pip install" in without_simulator(code)


def test_numba_does_not_warn_of_small_launches():
    code = "from tinyticket.kernels.cuda import toolkit; from numba.cuda import dispatcher; print(dispatcher.config.{})"
    assert without_simulator(code.format("CUDA_LOW_OCCUPANCY_WARNINGS")).strip() == "0"


def test_nothing_to_import_is_one_sentence():
    code = """
import sys
from pathlib import Path
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


def test_nothing_imports_cuda_unasked():
    code = """
import sys
from pathlib import Path
import numpy as np
import tinyticket as tt
model = tt.nn.Sequential(tt.nn.Linear(4, 3), tt.nn.ReLU(), tt.nn.Linear(3, 2))
step = tt.compile(model, tt.nn.functional.cross_entropy, tt.optim.SGD(model.parameters(), 0.1), batch_size=2)
step(np.zeros((2, 4), np.float32), np.zeros(2, np.int64))
print([name for name in sys.modules if name.startswith(("numba.cuda", "numba_cuda_mlir", "tinyticket.kernels.cuda"))])
"""
    assert without_simulator(code).strip() == "[]"


def test_one_module_alone_imports_cuda():
    package = Path(toolkit.__file__).parents[2]
    imports = re.compile(
        r"^\s*(?:from|import)\s+(?:numba\.cuda|numba_cuda\w*)|^\s*from\s+numba\s+import\s.*\bcuda\b", re.M
    )
    found = {path.name for path in package.rglob("*.py") if imports.search(path.read_text())}
    assert not found, "kernels/cuda/toolkit.py is the one place, and imports it by name"


SYNCWARP = """
import numpy as np
from tinyticket.kernels.cuda.toolkit import cuda

@cuda.jit
def turn(numbers):
    held = cuda.shared.array(64, np.int32)
    thread = cuda.threadIdx.x
    held[thread] = thread
    cuda.syncwarp()
    numbers[thread] = held[thread ^ 31]

numbers = np.zeros(64, np.int32)
turn[1, 64](numbers)
assert numbers.tolist() == [i ^ 31 for i in range(64)]
print("turned")
"""


def test_numba_s_own_simulator_knows_barriers_of_warps():
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run([sys.executable, "-c", SYNCWARP], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "turned\n", done.stderr
