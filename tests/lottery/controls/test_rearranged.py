"""The ticket's own weights, permuted or with noise."""

import numpy as np
import pytest

from tests.lottery.controls.tickets import MASKS, ORIGIN, THETA_0, control, every_ticket, rewound, ticket
from tests.lottery.experiments import equal_bytes

NAMES = ["reshuffle", "reshuffle-signed", "noise-0.5", "noise-1", "noise-2", "noise-3"]


@every_ticket
@pytest.mark.parametrize("name", NAMES)
def test_only_the_survivors_values_differ(name, make):
    start, of = control(name, make()), make().start
    assert equal_bytes(start.masks, of.masks)
    for layer, value in of.weights.items():
        if layer not in MASKS:
            assert start.weights[layer].tobytes() == value.tobytes()
            continue
        mask = MASKS[layer]
        assert start.weights[layer][~mask].tobytes() == bytes(4 * np.count_nonzero(~mask))
        assert np.mean(start.weights[layer][mask] != value[mask]) > 0.5
        assert start.weights[layer].dtype == np.float32


@every_ticket
@pytest.mark.parametrize("name", ["reshuffle", "reshuffle-signed"])
def test_a_reshuffle_keeps_the_values_of_every_layer(name, make):
    start, of = control(name, make()), make().start
    for layer, mask in MASKS.items():
        assert np.array_equal(np.sort(start.weights[layer][mask]), np.sort(of.weights[layer][mask]))


def test_a_signed_reshuffle_keeps_every_places_sign_and_the_plain_one_does_not():
    of = ticket().start
    for layer, mask in MASKS.items():
        signs = of.weights[layer][mask] < 0
        assert np.array_equal(control("reshuffle-signed").weights[layer][mask] < 0, signs)
    assert not np.array_equal(control("reshuffle").weights["fc1.weight"] < 0, of.weights["fc1.weight"] < 0)


@pytest.mark.parametrize("size", [0.5, 1, 2, 3])
def test_noise_has_the_size_it_is_called_by(size):
    start, of = control(f"noise-{size:g}", rewound()), rewound().start
    for layer in ("fc1.weight", "fc2.weight"):
        noise = (start.weights[layer] - of.weights[layer])[MASKS[layer]]
        assert 0.8 < noise.std() / (size * THETA_0[layer].std()) < 1.25


@pytest.mark.parametrize("name", NAMES)
def test_they_start_when_the_ticket_does_with_a_new_optimizer(name):
    start = control(name, rewound())
    assert (start.iteration, start.optimizer) == (7, None)
    assert start.origin["weights"] == {"of": "rewind", **ORIGIN}
    assert start.origin["statistics"] == "rewind"


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_alone_decides(name):
    first, same, other = control(name), control(name), control(name, seed=3)
    assert equal_bytes(first.weights, same.weights)
    assert not equal_bytes(first.weights, other.weights)
