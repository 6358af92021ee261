"""A small ticket to make controls of, as it is at iteration 0, after late rewinding, or with its weights kept."""

import numpy as np
import pytest

from tests.lottery.experiments import MODEL
from tinyticket import prune
from tinyticket.lottery import reset
from tinyticket.lottery.controls import Ticket, begin
from tinyticket.lottery.start import Start
from tinyticket.nn import models
from tinyticket.store import Checkpoint

ORIGIN = {"stream": [0, 0, "a control", 1]}


def draw(rng):
    return models.create(MODEL, (12,), 3, rng).state_dict()


def network():
    return models.create(MODEL, (12,), 3, 0)


THETA_0 = draw(np.random.default_rng(0))
TRAINED = {name: value + np.float32(0.1) for name, value in draw(np.random.default_rng(7)).items()}
PRUNABLE = ["fc1.weight", "fc2.weight", "output.weight"]
MASKS = {name: np.random.default_rng(1).random(THETA_0[name].shape) < 0.5 for name in PRUNABLE}
ALL = {name: np.ones_like(mask) for name, mask in MASKS.items()}
CHECKPOINT = Checkpoint(7, TRAINED, {}, {})


def smallest(among):
    """Return a function to masks of the smallest trained weights, as an inverted magnitude criterion has them."""
    counts = {name: int(mask.sum()) for name, mask in MASKS.items()}
    return lambda: prune.keep_counts({name: -np.abs(TRAINED[name]) for name in PRUNABLE}, among, counts)


def ticket():
    """Return one that starts from theta_0."""
    start = Start(MASKS, reset(THETA_0, MASKS), {"weights": "init", "statistics": "init", "mask": "ticket"})
    return Ticket(start, THETA_0, ALL, smallest(ALL), THETA_0, draw, TRAINED, network)


def rewound():
    """Return one that starts from a later iteration."""
    origin = {"weights": "rewind", "statistics": "rewind", "mask": "ticket"}
    start = Start(MASKS, reset(TRAINED, MASKS), origin, iteration=7, optimizer=CHECKPOINT)
    return Ticket(start, TRAINED, ALL, smallest(ALL), THETA_0, draw, TRAINED, network)


def kept():
    """Return one whose weights stay as trained, chosen from a network that has been pruned before."""
    before = {name: mask | (np.random.default_rng(2).random(mask.shape) < 0.5) for name, mask in MASKS.items()}
    source = reset(TRAINED, before)
    origin = {"weights": "trained", "statistics": "trained", "mask": "ticket"}
    start = Start(MASKS, reset(source, MASKS), origin, iteration=3)
    return Ticket(start, source, before, smallest(before), THETA_0, draw, TRAINED, network)


TICKETS = {"init": ticket, "rewound": rewound, "kept": kept}
every_ticket = pytest.mark.parametrize("make", TICKETS.values(), ids=TICKETS)


def control(name, of=None, seed=2):
    return begin(name, of or ticket(), np.random.default_rng(seed), ORIGIN)
