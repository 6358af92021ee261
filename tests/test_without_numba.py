"""Eager training, pruning and the experiment need neither Numba nor file locks: they run on Windows too, and where it is too new.

Modules are blocked in processes of their own, and in those that they start.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinyticket as tt
from tinyticket.errors import InputError

ROOT = Path(__file__).parent.parent

BLOCKED = """
import sys
from importlib import metadata

missing = ("fcntl", "numba", "llvmlite")
sys.modules.update(dict.fromkeys(missing))
installed = metadata.version

def version(name):
    if name in missing:
        raise metadata.PackageNotFoundError(name)
    return installed(name)

metadata.version = version

from tests import windows
windows.install()
"""

TRAIN = """
import numpy as np
import tinyticket as tt

digits = tt.data.load("digits")
model = tt.models.create("mlp-64-16-10", (64,), 10, np.random.default_rng(0))
optimizer = tt.optim.Adam(model.parameters(), 1e-2)

def losses(steps):
    for i in range(steps):
        optimizer.zero_grad()
        loss = tt.nn.functional.cross_entropy(model(tt.Tensor(digits.x_train[:200])), digits.y_train[:200])
        loss.backward()
        optimizer.step()
        yield loss.item()

first, *_, last = losses(40)
weights = {name: weight.data for name, weight in model.prunable().items()}
masks = {name: np.ones(weight.shape, bool) for name, weight in weights.items()}
masks = tt.prune.magnitude(weights, masks, fraction=0.5)
for name, weight in model.prunable().items():
    weight.mask = masks[name]
*_, pruned = losses(10)
assert last < 0.5 * first, (first, last)
assert pruned < first, (first, pruned)
assert all((weight.data[~weight.mask] == 0).all() for weight in model.prunable().values())
"""

COMPILE = """
import numpy as np
import tinyticket as tt

digits = tt.data.load("digits")
model = tt.models.create("mlp-64-16-10", (64,), 10, np.random.default_rng(0))
step = tt.compile(model, optimizer=tt.optim.Adam(model.parameters(), 1e-2))
first, *_, last = (step((digits.x_train, digits.y_train), np.arange(60)) for _ in range(40))
assert last < 0.5 * first, (first, last)
assert "Numba is not installed" in step.explain(), step.explain()
"""

FIND = """
import logging, sys
import tinyticket as tt

logging.basicConfig(format="%(message)s")
small = {"iterations": 40, "rounds": 1, "trials": 2, "evaluate_every": 20, "controls": "reinit", **eval(sys.argv[2])}
result = tt.lottery.find("mlp-64-16-10", "digits", out=sys.argv[1], **small)
assert result.trials[1].rounds[1].plan == {"mode": "eager"}
assert "numba" not in result.versions
assert tt.load(sys.argv[1]).verdict == result.verdict
"""


@pytest.fixture
def blocked(tmp_path):
    """Return a function that runs Python where these modules cannot be imported, and returns what it wrote to stderr."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BLOCKED)
    folder = (
        tmp_path / "temporary"
    )  # without fcntl nothing is locked, and who has it would take the folders there for abandoned
    folder.mkdir()
    environment = {
        **os.environ,
        "TMPDIR": str(folder),
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)]),
    }

    def run(*command):
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run


def test_the_modules_are_blocked(blocked):
    blocked("-c", "import sys; assert all(sys.modules[name] is None for name in ('fcntl', 'numba', 'llvmlite'))")


def test_a_model_is_trained_and_pruned(blocked):
    blocked("-c", TRAIN)


def test_a_compiled_step_runs_eagerly_and_says_why(blocked):
    blocked("-c", COMPILE)


@pytest.mark.parametrize("workers", [1, 2])
def test_tickets_are_found_and_are_those_found_with_numba(blocked, tmp_path, workers):
    assert blocked("-c", FIND, tmp_path / "ticket.h5", f"{{'eager': True, 'workers': {workers}}}") == ""
    small = {"iterations": 40, "rounds": 1, "trials": 2, "evaluate_every": 20, "controls": "reinit", "eager": True}
    here, there = tt.lottery.find("mlp-64-16-10", "digits", **small), tt.load(tmp_path / "ticket.h5")
    for trial in (0, 1):
        one, other = here.trials[trial].rounds[1], there.trials[trial].rounds[1]
        assert one.history.tobytes() == other.history.tobytes()
        assert all(one.trained[name].tobytes() == other.trained[name].tobytes() for name in one.trained)


def test_without_being_told_to_it_runs_eagerly_and_says_so(blocked, tmp_path):
    remarks = blocked("-c", FIND, tmp_path / "ticket.h5", "{}")
    assert remarks == "training runs eagerly, which takes several times as long: Numba is not installed\n"


def test_the_command_line_says_so_too_and_goes_on_with_a_file(blocked, tmp_path):
    command = ["-m", "tinyticket", "find", "--iterations", "20", "--trials", "1", "--out", tmp_path / "ticket.h5"]
    for rounds in ("1", "2"):
        assert "Numba is not installed" in blocked(*command, "--rounds", rounds)
    blocked("-m", "tinyticket", "verify", tmp_path / "ticket.h5")
    assert len(tt.load(tmp_path / "ticket.h5").trials[0].rounds) == 3


def test_measuring_kernels_is_refused_in_one_sentence(monkeypatch):
    from tinyticket import cli

    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(InputError, match="Numba, which compiles them, is not installed"):
        cli.bench.main(["--info"], standalone_mode=False)
