"""Kernels compiled beforehand: afterwards a step of the network compiles nothing."""

import logging
import subprocess
import sys

import numpy as np
import pytest

import tinyticket as tt
from tests.cli.commands import ENVIRONMENT
from tinyticket import nn
from tinyticket.errors import InputError

TRAIN = """
import numpy as np
import tinyticket as tt
from tinyticket.optim import Adam

tt.warmup("lenet-5")

from tinyticket.compiler.network.routines import ROUTINES
from tinyticket.compiler.network.walk import walk

def compiled():
    return {name for name, routine in ROUTINES.items() if "address" in vars(routine)}, len(walk.signatures)

before = compiled()
for kernel in ("dense", "sparse"):
    model = tt.models.create("lenet-5", rng=0)
    for weight in model.prunable().values():
        weight.mask = np.random.default_rng(0).random(weight.shape) < 0.3
    kernels = dict.fromkeys(model.prunable(), kernel)
    step = tt.compile(model, "cross_entropy", Adam(model.parameters(), 1e-3), 16, kernels=kernels)
    data = np.zeros((20, 1, 28, 28), np.float32), np.arange(20) % 10
    step(data, np.arange(16)), step.evaluate(data), step.gradients(data[0][:16], data[1][:16])
assert before[1] == 1 and compiled() == before, (before, compiled())
"""


def test_after_it_a_step_compiles_nothing():
    done = subprocess.run([sys.executable, "-c", TRAIN], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


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


def test_what_runs_eagerly_needs_nothing(caplog):
    with caplog.at_level(logging.WARNING):
        tt.warmup(nn.Sequential(nn.Linear(4, 5, rng=0), nn.Tanh(), nn.Linear(5, 3, rng=0)))
    assert "the model runs eagerly, so there is nothing to compile: " in caplog.text
