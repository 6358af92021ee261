"""A small fully-connected network on a device, simulated where there is none, and its data."""

import numpy as np

import tinyticket as tt
from tests.compiler.networks import CLASSES, OPTIMIZERS, masked
from tinyticket.nn import Linear, ReLU, Sequential

RNG = np.random.default_rng(0)
X, Y = RNG.random((30, 7), np.float32), RNG.integers(0, CLASSES, 30)
BATCH = 9


def mlp(density=None, seed=0):
    rng = np.random.default_rng(seed)
    model = Sequential(Linear(7, 5, rng=rng), ReLU(), Linear(5, CLASSES, bias=False, rng=rng))
    return model if density is None else masked(model, density)


def on_device(model, make="momentum", kernels=None):
    kernels = dict.fromkeys(model.prunable(), kernels) if isinstance(kernels, str) else kernels
    return tt.compile(
        model, "cross_entropy", OPTIMIZERS[make](model.parameters()), BATCH, kernels=kernels, device="cuda"
    )
