"""Optimizers on a device against the reference over some steps; what is pruned is +0.0, slots too."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import device
from tinyticket.kernels.cpu.update import RULES, SLOTS, scalars_of
from tinyticket.kernels.cuda import update
from tinyticket.kernels.reference import adam_update, sgd_update

STEPS = 3
OPTIONS = {
    "sgd": {"weight_decay": 0.01},
    "momentum": {"momentum": 0.9, "weight_decay": 0.01},
    "nesterov": {"momentum": 0.9},
    "adam": {"weight_decay": 0.1},
}


def scalars(rule):
    return device(np.stack([scalars_of(rule, step + 1, 0.1, **OPTIONS[rule]) for step in range(STEPS)]))


def expected(rule, weight, gradients, mask):
    """Take the steps in float64."""
    weight, options = weight.astype(np.float64) * mask, OPTIONS[rule]
    slots = [np.zeros_like(weight) for _ in range(SLOTS[RULES[rule]])]
    for step, gradient in enumerate(gradients):
        if rule == "adam":
            adam_update(weight, gradient * mask, *slots, step + 1, 0.1, weight_decay=options["weight_decay"])
        else:
            velocity = slots[0] if slots else None
            sgd_update(weight, gradient * mask, velocity, 0.1, nesterov=rule == "nesterov", **options)
    return [weight, *slots]


def check(results, references, mask):
    for result, reference in zip(results, references, strict=True):
        np.testing.assert_allclose(result, reference, 1e-5, 1e-6)
        assert not result[mask == 0].view(np.uint32).any(), "a pruned weight is +0.0 bit for bit"


@pytest.mark.parametrize("rule", RULES)
def test_parameters_are_updated_in_one_launch(rule):
    rng = np.random.default_rng(3)
    sizes, splits, slots = (150, 3, 17), (2, 1, 3), SLOTS[RULES[rule]]
    masks = [(rng.random(150) < 0.5).astype(np.uint8), None, np.ones(17, np.uint8)]
    arena = np.full(3000, 5, np.float32)
    places, starts, taken, byte = [], [], 10, 0
    for size, parts, mask in zip(sizes, splits, masks, strict=True):
        weight, first, second = taken, taken + size, taken + 2 * size
        partial, taken = taken + 3 * size, taken + (3 + parts) * size
        places.append(update.Place(partial, parts, weight, first, second, -1 if mask is None else byte, size))
        arena[weight:partial] = 0
        arena[weight:first] = rng.standard_normal(size) * (1 if mask is None else mask)
        starts.append(arena[weight:first].copy())
        byte += 0 if mask is None else size
    floats, bytes_ = device(arena), device(np.concatenate([mask for mask in masks if mask is not None]))
    gradients = [
        rng.standard_normal((STEPS, parts, n)).astype(np.float32) for parts, n in zip(splits, sizes, strict=True)
    ]
    for step in range(STEPS):
        for place, gradient in zip(places, gradients, strict=True):
            floats[place.partial : place.partial + gradient[0].size].copy_to_device(gradient[step].reshape(-1))
        state = device(np.array([step, 5], np.int32))
        update.update(RULES[rule], floats, bytes_, places, scalars(rule), state).run()
    after = floats.copy_to_host()
    for place, start, gradient, mask in zip(places, starts, gradients, masks, strict=True):
        held = [after[at : at + place.size] for at in (place.weight, place.first, place.second)][: 1 + slots]
        mask = np.ones(place.size, np.uint8) if mask is None else mask
        check(held, expected(rule, start, gradient.sum(axis=1, dtype=np.float64), mask), mask)
    assert (after[:10] == 5).all()
    assert (after[taken:] == 5).all()


def test_what_decays_away_becomes_zero():
    arena = device(np.array([0, 0, 1, 1, 1.2e-38, 1.2e-38], np.float32))
    place = update.Place(partial=0, splits=1, weight=2, first=4, second=2, mask=-1, size=2)
    given = arena, device(np.zeros(1, np.uint8)), [place], scalars("nesterov"), device(np.zeros(2, np.int32))
    update.update(RULES["nesterov"], *given).run()
    assert not arena.copy_to_host()[4:].any()
