"""Optimizers, which keep pruned weights at zero by construction, and learning-rate schedules."""

from tinyticket.optim.adam import Adam, AdamW
from tinyticket.optim.optimizer import Optimizer
from tinyticket.optim.schedules import Constant, Cosine, Linear, MultiStep, Schedule, Warmup
from tinyticket.optim.sgd import SGD
from tinyticket.optim.sign_in import SignIn

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "Linear",
    "MultiStep",
    "Optimizer",
    "Schedule",
    "SignIn",
    "Warmup",
]
