"""Masks and weights of other programs in an experiment."""

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, MODEL, SMALL, contents, differing
from tinyticket.errors import InputError
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.store.weights import Weights, write_weights

SETTINGS = {name: value for name, value in SMALL.items() if name not in ("rounds", "trials")} | {"eager": True}


def moved(path, **changes):
    return tt.lottery.find(**{"model": MODEL, "data": DATA, "masks_from": path, "trials": 2, **SETTINGS, **changes})


@pytest.fixture(scope="module")
def weights():
    """Weights, some of which are zero, and a mask of the first layer."""
    state = tt.models.create(MODEL, (12,), 3, rng=5).state_dict()
    mask = np.random.default_rng(0).random(state["fc1.weight"].shape) < 0.4
    state["fc1.weight"][~mask] = 0
    return Weights(state, {"fc1.weight": mask})


@pytest.fixture
def path(weights, tmp_path):
    write_weights(path := tmp_path / "theirs.safetensors", weights)
    return path


def test_the_files_mask_is_the_ticket_and_its_weights_theta_0(weights, path):
    result = moved(path)
    mask = weights.masks["fc1.weight"]
    for trial in (0, 1):
        ticket, init = result.round(trial, 1), result.init(trial)
        assert np.array_equal(ticket.masks["fc1.weight"], mask)
        assert ticket.masks["fc2.weight"].all()
        assert set(ticket.controls) == {"reinit", "random"}
        assert init["fc1.weight"][mask].tobytes() == weights.state["fc1.weight"][mask].tobytes()
        assert init["fc1.weight"].all()  # pruned ones are drawn, for the dense network
        assert init["output.weight"].tobytes() == weights.state["output.weight"].tobytes()
    assert result.init(0)["fc1.weight"].tobytes() != result.init(1)["fc1.weight"].tobytes()
    assert result.config["masks_from"].startswith("weights and masks of a file, sha256:")
    assert not any(check.failures for check in verify(result, data=DATA))
    assert replay(result, 1, 1, "random", data=DATA).agrees


def test_masks_alone_get_drawn_weights_and_weights_beyond_a_mask_are_kept(weights, tmp_path):
    write_weights(path := tmp_path / "masks.npz", Weights({}, weights.masks))
    drawn = tt.lottery.find(MODEL, DATA, rounds=0, trials=2, **SETTINGS)
    result = moved(path)
    assert all(result.init(1)[name].tobytes() == value.tobytes() for name, value in drawn.init(1).items())
    whole = tt.models.create(MODEL, (12,), 3, rng=6).state_dict()
    write_weights(path, Weights(whole, weights.masks))
    assert moved(path, trials=1).init(0)["fc1.weight"].tobytes() == whole["fc1.weight"].tobytes()


def test_it_goes_on_from_the_same_arrays_in_another_format(weights, path, out, tmp_path):
    whole = contents(moved(path), tmp_path)
    moved(path, trials=1, out=out)
    write_weights(other := tmp_path / "theirs.npz", weights)
    assert differing(contents(moved(other, out=out), tmp_path), whole) == []
    write_weights(other, Weights(weights.state, {"fc2.weight": weights.state["fc2.weight"] > 0}))
    with pytest.raises(InputError, match=r"masks-from was weights and masks of a file.* and is now"):
        moved(other, out=out)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "mlp-12-9-3"}, r"theirs\.safetensors does not fit the model: fc2\.weight is no weight"),
        ({"rounds": 2}, r"theirs\.safetensors holds one mask, so there is one round"),
        ({"prune": 0.3}, "nothing is pruned: leave prune out"),
        ({"controls": "inverted"}, "the control inverted needs the scores"),
    ],
)
def test_what_does_not_fit_is_refused(changes, says, path):
    with pytest.raises(InputError, match=says):
        moved(path, **changes)


def test_a_file_without_masks_is_refused(weights, tmp_path):
    state = tt.models.create(MODEL, (12,), 3, rng=6).state_dict()
    write_weights(path := tmp_path / "dense.npz", Weights(state))
    with pytest.raises(InputError, match=r"dense\.npz holds no mask: no weight of its layers is pruned"):
        moved(path)
