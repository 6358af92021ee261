"""Networks with every kind of layer, trained a little, and what they answer."""

import functools

import numpy as np

import tinyticket as tt
from tinyticket import nn
from tinyticket.data import from_arrays
from tinyticket.lottery import find

SHAPES = {
    "mlp-12-16-8-4": (12,),
    "lenet-5": (1, 16, 16),
    "resnet-8": (2, 6, 6),
    "resnet-8-identity": (2, 6, 6),
    "odd": (2, 9, 8),
}
RELATIVE = 1.5e-6
"""To the largest logit of an example: what single precision comes to in other orders of addition, eager training's too."""


def odd(rng):
    """Make a network of everything that the named ones do not have, under names that C does not take."""
    make = np.random.default_rng(rng)
    layers = {
        "norm-0": nn.BatchNorm2d(2),
        "norm_0": nn.Conv2d(2, 4, (3, 2), padding="same", groups=2, dilation=(1, 2), rng=make),
        "norm": nn.BatchNorm2d(4, affine=False),
        "0": nn.Tanh(),
        "1": nn.ZeroPad2d((1, 0, 2, 1)),
        "2": nn.Conv2d(4, 6, 3, stride=2, padding=(1, 2), rng=make),
        "3": nn.LeakyReLU(0.1),
        "4": nn.AvgPool2d(2, 1, 1),
        "5": nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        "6": nn.Residual(nn.Sequential(nn.Conv2d(6, 6, 1, padding="valid", rng=make))),
        "7": nn.Residual(nn.ReLU(), nn.Sequential(nn.Sigmoid())),
        "8": nn.Dropout(0.3),
        "9": nn.ZeroPadChannels((1, 1)),
        "10": nn.Flatten(),
        "11": nn.Linear(128, 5, rng=make),
        "12": nn.BatchNorm1d(5),
        "13": nn.Sigmoid(),
        "output": nn.Linear(5, 4, bias=False, rng=make),
    }
    return nn.Sequential(layers)


@functools.cache
def trained(name):
    """Return a result and examples, with what its ticket answers to them in double precision."""
    rng, shape = np.random.default_rng(0), SHAPES[name]
    x, y = rng.normal(size=(60, *shape)).astype(np.float32), rng.integers(0, 4, 60)
    settings = {
        "iterations": 6,
        "batch_size": 16,
        "validation": 10,
        "evaluate_every": 3,
        "trials": 1,
        "controls": "none",
    }
    result = find(
        odd if name == "odd" else name,
        from_arrays(x[:40], y[:40], x[40:], y[40:]),
        one_shot=0.1,
        eager=True,
        **settings,
    )
    with tt.no_grad():
        answers = result.model(0, 1).astype(np.float64)(tt.Tensor(x[40:].astype(np.float64))).data
    return result, x[40:], answers


def far(found, wanted):
    """Return the largest difference of two arrays of logits, relative to each example's largest logit."""
    return (np.abs(found - wanted) / np.abs(wanted).max(1, keepdims=True)).max()
