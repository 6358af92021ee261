"""Weights and masks of a network, in and out of files of other programs."""

import json

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.errors import InputError
from tinyticket.nn import models
from tinyticket.store.weights import Weights, fitted, from_arrays, read_weights, write_weights

NAME = "mlp-6-5-3"
SHAPES = {"fc1.weight": (5, 6), "fc1.bias": (5,), "output.weight": (3, 5), "output.bias": (3,)}


def network(seed=0):
    return models.create(NAME, (6,), 3, rng=seed)


def pruned(seed=0):
    model = network(seed)
    model.fc1.weight.mask = np.random.default_rng(1).random((5, 6)) < 0.5
    return model


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_what_is_saved_is_loaded(ending, tmp_path):
    path, model, other = tmp_path / f"net.{ending}", pruned(), network(3)
    tt.save_weights(model, path)
    assert tt.load_weights(other, path) is other
    assert np.array_equal(other.fc1.weight.mask, model.fc1.weight.mask)
    assert other.output.weight.mask is None
    state = other.state_dict()
    assert all(state[name].tobytes() == value.tobytes() for name, value in model.state_dict().items())


def test_masks_alone_leave_weights_as_they_are(tmp_path):
    mask, model = np.eye(5, 6, dtype=bool), network()
    write_weights(path := tmp_path / "masks.npz", Weights({}, {"fc1.weight": mask}))
    before = model.fc1.weight.data.copy()
    tt.load_weights(model, path)
    assert np.array_equal(model.fc1.weight.data, np.where(mask, before, 0))


def test_names_of_pytorchs_pruning():
    weight, mask = np.ones((2, 3), np.float32), np.float32([[1, 0, 1], [0, 0, 1]])
    found = from_arrays(
        {"a.bias": weight[0], "a.weight_orig": weight, "a.weight_mask": mask, "n.num_batches_tracked": mask}
    )
    assert found.state.keys() == {"a.bias", "a.weight"}
    assert found.masks["a.weight"].tolist() == [[True, False, True], [False, False, True]]
    with pytest.raises(InputError, match=r"the mask a\.weight_mask has other values than zeros and ones"):
        from_arrays({"a.weight_orig": weight, "a.weight_mask": mask / 2})
    with pytest.raises(InputError, match=r"a\.weight has the shape \(2, 3\) and its mask \(3, 2\)"):
        from_arrays({"a.weight_orig": weight, "a.weight_mask": mask.T})


def test_zeros_are_pruned_weights_where_a_file_has_no_masks():
    state = pruned().state_dict()
    masks = fitted(Weights(state), network()).masks
    assert np.array_equal(masks["fc1.weight"], state["fc1.weight"] != 0)
    assert masks["output.weight"].all()


def test_layers_of_other_names_are_taken_in_their_order():
    state = pruned().state_dict()
    theirs = {name.replace("fc1", "0").replace("output", "2"): state[name] for name in reversed(state)}
    theirs = {
        name: theirs[name] for name in ("0.bias", "0.weight", "2.bias", "2.weight")
    }  # as PyTorch's pruning has them
    with pytest.raises(InputError, match=r"0\.bias is no weight of the model, which has fc1\.weight, fc1\.bias"):
        fitted(Weights(theirs), network())
    found = fitted(Weights(theirs), network(), in_order=True)
    assert all(np.array_equal(found.state[name], value) for name, value in state.items())
    masks = fitted(
        Weights({}, {"0.weight": state["fc1.weight"] != 0, "2.weight": np.ones((3, 5), bool)}), network(), True
    )
    assert masks.masks.keys() == {"fc1.weight", "output.weight"}
    with pytest.raises(InputError, match=r"there are 1 layers with weights \(0\), in the model 2"):
        fitted(Weights({"0.bias": state["fc1.bias"]}), network(), in_order=True)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fc1.bias": None}, r"the weight fc1\.bias of the model is missing"),
        ({"fc1.bias": np.ones(4)}, r"fc1\.bias has the shape \(4,\), in the model \(5,\)"),
        ({"fc1.bias": np.full(5, np.nan)}, "fc1.bias has values that are no numbers"),
        ({"mask/fc1.bias": np.ones(5)}, r"fc1\.bias is no mask of a weight that can be pruned"),
        ({"other": np.ones(5)}, "other is no weight of the model"),
    ],
)
def test_what_does_not_fit_changes_nothing(changes, says, tmp_path):
    arrays = {**network(1).state_dict(), **changes}
    np.savez(path := tmp_path / "net.npz", **{name: value for name, value in arrays.items() if value is not None})
    model = pruned()
    before = json.dumps({name: value.tolist() for name, value in model.state_dict().items()})
    with pytest.raises(InputError, match=rf"net\.npz does not fit the model: {says}"):
        tt.load_weights(model, path)
    assert json.dumps({name: value.tolist() for name, value in model.state_dict().items()}) == before
    assert model.fc1.weight.mask is not None


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"weights are read from \.npz, \.safetensors, \.pt, \.pth files"):
        read_weights(tmp_path / "net.h5")
    with pytest.raises(InputError, match=r"the ending says what is written, \.npz or \.safetensors; not '\.pt'"):
        tt.save_weights(network(), tmp_path / "net.pt")
    assert list(tmp_path.iterdir()) == []
