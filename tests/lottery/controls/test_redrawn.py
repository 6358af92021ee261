"""New weights under the ticket's mask."""

import numpy as np
import pytest

from tests.lottery.controls.tickets import (
    MASKS,
    ORIGIN,
    PRUNABLE,
    THETA_0,
    TRAINED,
    control,
    every_ticket,
    rewound,
    ticket,
)
from tests.lottery.experiments import DATA, equal_bytes, find
from tinyticket.errors import InputError
from tinyticket.lottery import reset
from tinyticket.lottery.replay.again import Again

REDRAWN = ["reinit", "reinit-signed", "reinit-trained-signs", "constant-signed"]


@every_ticket
@pytest.mark.parametrize("name", REDRAWN)
def test_the_mask_is_the_tickets_and_no_weight_is(name, make):
    start, of = control(name, make()), make().start
    assert equal_bytes(start.masks, MASKS)
    for layer, mask in MASKS.items():
        assert np.count_nonzero(start.weights[layer][mask] == of.weights[layer][mask]) == 0
        assert start.weights[layer][~mask].tobytes() == bytes(4 * np.count_nonzero(~mask))
        assert start.weights[layer].dtype == np.float32


def test_reinit_draws_from_the_initial_distribution():
    drawn, theirs = control("reinit").weights["fc1.weight"], THETA_0["fc1.weight"]
    assert 0.5 < drawn[MASKS["fc1.weight"]].std() / theirs.std() < 2
    assert not control("reinit").weights["output.bias"].any()


@every_ticket
@pytest.mark.parametrize("name", ["reinit-signed", "constant-signed"])
def test_signed_ones_have_the_signs_of_the_tickets_starting_weights(name, make):
    start, of = control(name, make()), make().start
    for layer, mask in MASKS.items():
        assert np.array_equal(start.weights[layer][mask] < 0, of.weights[layer][mask] < 0)


@every_ticket
def test_trained_signs_are_those_of_the_trained_weights_one_by_one(make):
    start = control("reinit-trained-signs", make())
    for layer, mask in MASKS.items():
        places = zip(start.weights[layer][mask].tolist(), TRAINED[layer][mask].tolist(), strict=True)
        assert all((value > 0) == (trained > 0) for value, trained in places)


@pytest.mark.parametrize("name", ["reinit-signed", "reinit-trained-signs"])
def test_signed_ones_have_the_magnitudes_of_reinit(name):
    signed, plain = control(name), control("reinit")
    for layer in PRUNABLE:
        assert np.array_equal(np.abs(signed.weights[layer]), np.abs(plain.weights[layer]))


def test_the_constant_is_the_deviation_of_the_layers_theta_0():
    start = control("constant-signed", rewound())
    for layer, mask in MASKS.items():
        np.testing.assert_array_equal(np.abs(start.weights[layer][mask]), THETA_0[layer].std())
    assert start.weights["fc1.bias"].tobytes() == THETA_0["fc1.bias"].tobytes()


@every_ticket
@pytest.mark.parametrize("name", REDRAWN)
def test_weights_without_training_behind_them_get_the_whole_of_it(name, make):
    start = control(name, make())
    assert (start.iteration, start.optimizer, start.last_rate) == (0, None, False)


def test_the_file_can_say_where_they_came_from():
    assert control("reinit").origin | {"differs": 0} == {
        "weights": ORIGIN,
        "statistics": ORIGIN,
        "mask": "ticket",
        "differs": 0,
    }
    assert control("constant-signed").origin["weights"] == "constant"


@pytest.mark.parametrize("name", REDRAWN[:3])
def test_the_generator_alone_decides(name):
    first, same, other = control(name), control(name), control(name, seed=3)
    assert equal_bytes(first.weights, same.weights)
    assert not equal_bytes(first.weights, other.weights)


@pytest.mark.parametrize("name", REDRAWN)
def test_nothing_that_was_given_is_changed_or_shared(name):
    of = ticket()
    control(name, of)
    assert equal_bytes(of.start.weights, reset(THETA_0, MASKS))
    assert not any(np.shares_memory(control(name, of).weights[layer], THETA_0[layer]) for layer in THETA_0)


@pytest.mark.parametrize("options", [{}, {"rounds": None, "one_shot": [0.4], "method": "rigl", "update_every": 4}])
def test_trained_signs_come_from_the_training_that_the_mask_came_of(options):
    name = "reinit-trained-signs"
    result = find(controls=[name], **options)
    last = result.trials[0].rounds[-1]
    start = Again(result, data=DATA).job(0, last.number, name).start
    of = (last if options else result.trials[0].rounds[-2]).trained
    for layer, mask in last.masks.items():
        assert np.array_equal(start.weights[layer][mask] > 0, of[layer][mask] > 0)
        assert not np.intersect1d(np.abs(start.weights[layer][mask]), np.abs(of[layer][mask])).size


def test_there_are_no_trained_signs_where_no_weight_is_trained():
    with pytest.raises(InputError, match="takes signs of trained weights, and edge-popup trains none"):
        find(method="edge-popup", rounds=None, one_shot=[0.4], controls=["reinit-trained-signs-2"])
