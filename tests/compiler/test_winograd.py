"""Which convolutions of a compiled step run by Winograd's algorithm, what a plan says of it, and that networks with them agree."""

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import assert_equal_to_rounding, examples, masked
from tinyticket.errors import InputError
from tinyticket.nn import Conv2d, Flatten, Linear, ReLU, Sequential

SHAPE = (3, 8, 8)


def make(density=None):
    model = Sequential(
        Conv2d(3, 64, 5, padding=2, rng=0),
        ReLU(),
        Conv2d(64, 64, 3, padding=1, rng=1),
        ReLU(),
        Conv2d(64, 64, 3, stride=2, rng=2),
        ReLU(),
        Flatten(),
        Linear(576, 10, rng=3),
    )
    return model if density is None else masked(model, density)


def compiled(model, **options):
    optimizer = tt.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    return tt.compile(model, "cross_entropy", optimizer, 32, input_shape=SHAPE, **options)


def kernels(step):
    return list(step.plan()["kernels"].values())


def test_it_is_chosen_where_it_is_faster_and_the_kernel_is_its():
    assert kernels(compiled(make())) == ["dense", "winograd", "dense", "dense"]
    assert "winograd" in compiled(make()).explain()
    assert kernels(compiled(make(0.05))) == ["sparse"] * 4
    assert kernels(compiled(make(), exact_convolutions=True)) == ["dense"] * 4
    assert kernels(compiled(make(), kernels={"2.weight": "dense"})) == ["dense"] * 4


def test_a_plan_is_followed_whatever_is_faster():
    old, new = compiled(make()), compiled(make())
    old.follow({"mode": "compiled", "kernels": dict.fromkeys(old.network.weights, "dense")})
    exact = compiled(make(), exact_convolutions=True)
    x, y = examples(SHAPE, 64)
    for step in (old, new, exact):
        for _ in range(3):
            step(x[:32], y[:32])
    found = [step.model.state_dict()["2.weight"].tobytes() for step in (old, exact, new)]
    assert found[0] == found[1] != found[2]
    assert_equal_to_rounding(old.model, new.model)
    assert kernels(new) != kernels(old) == kernels(exact)
    exact.follow(new.plan())
    assert kernels(exact) == kernels(new)


@pytest.mark.parametrize("density", [None, 0.7])
def test_steps_have_the_same_bits_for_any_number_of_threads_and_predictions_for_any_batch(density):
    x, y = examples(SHAPE, 64)
    steps = [compiled(make(density), kernels={"2.weight": "winograd"}, threads=threads) for threads in (1, 2)]
    losses = [[step(x[start : start + 32], y[start : start + 32]) for start in (0, 7, 32)] for step in steps]
    assert losses[0] == losses[1]
    for name, value in steps[0].model.state_dict().items():
        np.testing.assert_array_equal(value, steps[1].model.state_dict()[name], err_msg=name)
    logits = steps[0].predict(x)
    np.testing.assert_array_equal(logits[:1], steps[1].predict(x[:1]))
    np.testing.assert_array_equal(logits[5:40], steps[1].predict(x[5:40]))


def test_layers_that_it_does_not_compute_are_refused():
    for name in ("0.weight", "4.weight", "7.weight"):
        with pytest.raises(InputError, match=f"'{name}' cannot run by Winograd's algorithm"):
            compiled(make(), kernels={name: "winograd"})
