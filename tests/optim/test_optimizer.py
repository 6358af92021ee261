"""What all optimizers share: which parameters they change, how, and what they refuse."""

import numpy as np
import pytest

from tests.optim.test_masks import every_optimizer, random_weights, slots
from tinyticket import Tensor, nn, optim


def parameter_with_gradient() -> nn.Parameter:
    parameter = nn.Parameter(random_weights())
    parameter.grad = random_weights(2)
    return parameter


@every_optimizer
def test_a_parameter_without_gradient_is_left_alone_weight_decay_included(make):
    parameter = nn.Parameter(random_weights())
    optimizer = make([parameter])
    optimizer.step()
    assert parameter.data.tobytes() == random_weights().tobytes()
    assert not any(slot.any() for slot in slots(optimizer))


@every_optimizer
def test_a_parameter_that_gets_its_first_gradient_late_starts_like_any_other(make):
    late, early = nn.Parameter(random_weights()), parameter_with_gradient()
    optimizer = make([early, late])
    optimizer.step()
    late.grad = random_weights(2)
    optimizer.step()
    fresh = parameter_with_gradient()
    make([fresh]).step()
    assert late.data.tobytes() == fresh.data.tobytes()


@every_optimizer
def test_a_step_writes_in_place_and_leaves_the_gradient_as_it_was(make):
    parameter = parameter_with_gradient()
    array = parameter.data
    make([parameter]).step()
    assert parameter.data is array
    assert array.tobytes() != random_weights().tobytes()
    assert parameter.grad.tobytes() == random_weights(2).tobytes()


@every_optimizer
def test_slots_do_not_alias_the_gradient(make):
    parameter = parameter_with_gradient()
    optimizer = make([parameter])
    optimizer.step()
    kept = [slot.copy() for slot in slots(optimizer)]
    parameter.grad += 100
    for slot, copy in zip(slots(optimizer), kept, strict=True):
        assert slot.tobytes() == copy.tobytes()


@every_optimizer
def test_a_zero_dimensional_parameter_is_trained(make):
    parameter = nn.Parameter(np.float32(2))
    optimizer = make([parameter])
    for _ in range(3):
        optimizer.zero_grad()
        (parameter * parameter).backward()
        optimizer.step()
    assert parameter.shape == ()
    assert parameter.data < 2


def test_zero_grad_forgets_every_gradient():
    parameters = [parameter_with_gradient(), parameter_with_gradient()]
    optim.SGD(iter(parameters), 0.1).zero_grad()
    assert [parameter.grad for parameter in parameters] == [None, None]


@every_optimizer
def test_a_new_learning_rate_holds_from_the_next_step(make):
    parameter = parameter_with_gradient()
    optimizer = make([parameter])
    optimizer.lr = 0.0
    optimizer.step()
    assert parameter.data.tobytes() == random_weights().tobytes()
    optimizer.lr = 0.1
    optimizer.step()
    assert (parameter.data != random_weights()).any()


HYPERPARAMETERS = {
    "SGD": (optim.SGD, {"lr": 0.1}),
    "SGD, decay": (optim.SGD, {"lr": 0.1, "weight_decay": 0.013}),
    "momentum": (optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "Nesterov, decay": (optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.013}),
    "Adam": (optim.Adam, {"lr": 0.1}),
    "Adam, eps": (optim.Adam, {"lr": 0.1, "eps": 1e-3}),
    "Adam, decay": (optim.Adam, {"lr": 0.1, "weight_decay": 0.013}),
}


def after_steps(kind, settings):
    parameter = nn.Parameter(random_weights())
    optimizer = kind([parameter], **settings)
    for seed in range(2, 8):
        parameter.grad = random_weights(seed)
        optimizer.step()
    return parameter.data


@pytest.mark.parametrize(("kind", "settings"), HYPERPARAMETERS.values(), ids=HYPERPARAMETERS.keys())
def test_numpy_scalars_as_settings_give_the_same_bits_as_python_numbers(kind, settings):
    """np.float64(0.1) times a float32 array is a float64 array, so a setting used as it came would change the result."""
    as_numpy = {name: np.float64(value) for name, value in settings.items()}
    assert after_steps(kind, as_numpy).tobytes() == after_steps(kind, settings).tobytes()


def test_numpy_scalars_as_betas_give_the_same_bits_as_python_numbers():
    as_numpy = {"lr": 0.1, "betas": (np.float64(0.9), np.float64(0.999))}
    assert after_steps(optim.Adam, as_numpy).tobytes() == after_steps(optim.Adam, {"lr": 0.1}).tobytes()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: optim.SGD(p, -0.1), "learning rate and weight decay are at least 0, not -0.1"),
        (lambda p: optim.SGD(p, float("nan")), "learning rate .* not nan"),
        (lambda p: optim.Adam(p, 0.1, weight_decay=-1), "not 0.1 and -1"),
        (lambda p: optim.SGD(p, 0.1, momentum=-0.5), "momentum is at least 0.*-0.5"),
        (lambda p: optim.SGD(p, 0.1, nesterov=True), "above 0 with nesterov"),
        (lambda p: optim.Adam(p, 0.1, betas=(0.9, 1.0)), r"betas lie in \[0, 1\)"),
        (lambda p: optim.Adam(p, 0.1, eps=-1), "eps is at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make([nn.Parameter(random_weights())])


NOT_PARAMETERS = {
    "one parameter, whose rows would be taken": nn.Parameter(random_weights()),
    "pairs of named_parameters": list(nn.Linear(2, 2).named_parameters()),
    "no parameter": [],
    "tensors": [Tensor(random_weights(), requires_grad=True)],
}


@pytest.mark.parametrize("params", NOT_PARAMETERS.values(), ids=NOT_PARAMETERS.keys())
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_what_is_no_iterable_of_parameters_is_refused(kind, params):
    with pytest.raises(TypeError, match="Parameter"):
        kind(params, 0.1)
