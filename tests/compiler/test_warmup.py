"""Kernels compiled beforehand: afterwards a step of the network compiles nothing."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyticket as tt
from tinyticket import nn
from tinyticket.errors import InputError
from tinyticket.kernels.cpu.vector import jit

ROOT = Path(__file__).parents[2]
TRAIN = """
import logging, sys
import numpy as np
import tinyticket as tt
from tests.compiler.compiling import nothing_compiled
from tests.compiler.networks import OPTIMIZERS, examples, masked
from tinyticket.compiler.cpu import programs
from tinyticket.compiler.cpu.pace import Pace
from tinyticket.nn import Conv2d, Dropout, Flatten, LeakyReLU, Linear, Sequential, Sigmoid, Tanh

logging.basicConfig()
SMOOTH = Sequential(
    Conv2d(1, 3, 3, rng=0), LeakyReLU(), Dropout(0.5, rng=0), Tanh(), Flatten(), Linear(108, 9, rng=0), Sigmoid(),
    Linear(9, 4, rng=0),
)
CASES = {
    "mlp": (None, lambda: tt.models.create("mlp-20-9-8-4", (20,), 4, rng=0), (20,)),
    "lenet-5": ("lenet-5", lambda: tt.models.create("lenet-5", (1, 28, 28), 4, rng=0), (1, 28, 28)),
    "smooth": (SMOOTH, lambda: SMOOTH, (1, 8, 8)),
}
for name in sys.argv[1:]:
    given, make, shape = CASES[name]
    tt.warmup(given, shape if name == "smooth" else None)
    x, y = examples(shape, 40)
    with nothing_compiled():
        for kernel in ("dense", "sparse"):
            for make_optimizer in OPTIMIZERS.values():
                model = masked(make(), 0.3)
                kernels = dict.fromkeys(model.prunable(), kernel)
                step = tt.compile(
                    model, "cross_entropy", make_optimizer(model.parameters()), 20, kernels=kernels, input_shape=shape
                )
                step((x, y), np.arange(16)), step.run((x, y), np.arange(40).reshape(2, 20)), step.evaluate((x, y))
                step.gradients(x[:16], y[:16]), step.predict(x), step.predict(x[:1])
        if name == "mlp":  # on two threads that share a tile, and look at the clock once in ten calls
            programs.SHARED, Pace.threads, Pace.untimed = 0, 2, 9
            step = tt.compile(make(), batch_size=20, input_shape=shape)
            step.predict(x[:20]), step.predict(x[:20])
    print(name)
"""


def train(names, environment):
    run = [sys.executable, "-c", TRAIN, *names]
    done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert (done.stdout.split(), done.returncode) == (names, 0), done.stderr
    return done.stderr


def test_after_it_steps_compile_nothing():
    train(["lenet-5", "smooth"], os.environ)


def test_what_it_compiles_is_kept_and_announced_once(tmp_path):
    """All machine code but one kernel's is there, since two dozen take half a minute to compile."""
    tt.warmup()
    folder, missing = jit.cache_folder(), "sparse_linear._sparse_linear_gradient-*"
    unfinished = "*.tmp.*"  # by another process
    shutil.copytree(
        folder, tmp_path / "kernels" / folder.name, ignore=shutil.ignore_patterns(missing, "*.lock", unfinished)
    )
    assert not list(tmp_path.rglob(missing))
    environment = os.environ | {"TINYTICKET_CACHE": str(tmp_path)}
    first = train(["mlp"], environment)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")}
    again = train(["mlp"], environment)
    assert first.count("compiling kernels for this machine: this takes up to a minute, once") == 1
    assert again == ""
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")} == files
    assert [path for path in tmp_path.rglob(missing) if path.suffix == ".nbc"]
    assert 0 < len(list(tmp_path.rglob("*.lock"))) <= 24, "an MLP needs about two dozen kernels"


@pytest.mark.parametrize("name", ["lenet-300-100", "mlp-5-4-3", "conv-2-dropout", "resnet-8"])
def test_a_name_is_enough(name):
    tt.warmup(name)


def test_a_network_is_left_as_it_is():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, rng=0), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3, rng=0)
    )
    model.prunable()["0.weight"].mask = np.ones((4, 1, 3, 3), bool)
    before = model.state_dict()
    tt.warmup(model, (1, 5, 5))
    assert all(value.tobytes() == model.state_dict()[name].tobytes() for name, value in before.items())
    assert model.prunable()["0.weight"].mask.all()
    assert model.prunable()["4.weight"].mask is None
    with pytest.raises(InputError, match=r"takes no examples of shape \(3, 5, 5\)"):
        tt.warmup(model, (3, 5, 5))


class Halved(nn.Module):
    def forward(self, x):
        return x * 0.5


def test_what_runs_eagerly_needs_nothing(caplog):
    with caplog.at_level(logging.WARNING):
        tt.warmup(nn.Sequential(nn.Linear(4, 5, rng=0), Halved(), nn.Linear(5, 3, rng=0)))
    assert "the model runs eagerly, so there is nothing to compile: 1 (Halved)" in caplog.text
