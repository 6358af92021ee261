"""The file as it is specified, read with h5py and NumPy alone."""

import itertools
import json
import math
import os

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, MODEL, SIZES, SMALL, find
from tests.lottery.networks import Counting

PARAMETERS = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "output.weight", "output.bias"]
CONTROLS = ["reinit", "random", "reinit-2"]
SHAPES = {"fc1.weight": (16, 12), "fc2.weight": (8, 16), "output.weight": (3, 8)}
SCALARS = {
    "density": np.float64,
    "weights_left": np.int64,
    "early_stop_iteration": np.int64,
    "validation_loss": np.float64,
    "test_accuracy": np.float64,
    "final_test_accuracy": np.float64,
    "seconds": np.float64,
}


@pytest.fixture
def file(written):
    with h5py.File(written, "r") as file:
        yield file


def trainings(file):
    """Yield (path, group) of every ticket and control."""
    for trial, number in itertools.product("01", ("00", "01", "02")):
        path = f"trials/{trial}/rounds/{number}"
        yield path, file[path]
        for name, group in file[path]["controls"].items():
            yield f"{path}/controls/{name}", group


def mask_by_hand(group, name):
    packed = group["mask"][name]
    shape = tuple(packed.attrs["shape"])
    return np.unpackbits(packed[...])[: math.prod(shape)].reshape(shape).astype(bool)


def weight_by_hand(group, name):
    """Rebuild a trained weight as docs/format.md says: the survivors, in C order, under the ones of the mask."""
    mask = mask_by_hand(group, name)
    whole = np.zeros(mask.shape, np.float32)
    whole[mask] = group["trained"][name][...]
    return whole


def test_groups_and_datasets_are_exactly_those_of_the_specification(file):
    expected = set()
    for trial in "01":
        expected |= {f"trials/{trial}/init/{name}" for name in PARAMETERS}
        for number in ("00", "01", "02"):
            place = f"trials/{trial}/rounds/{number}"
            places = [place] + [f"{place}/controls/{name}" for name in CONTROLS if number != "00"]
            for training in places:
                expected |= {f"{training}/history"}
                expected |= {f"{training}/mask/{name}" for name in SIZES}
                expected |= {f"{training}/trained/{name}" for name in PARAMETERS}
    found = set()
    file.visititems(lambda name, thing: found.add(name) if isinstance(thing, h5py.Dataset) else None)
    assert found == expected


def test_the_root_has_the_specified_attributes(file):
    assert set(file.attrs) == {
        *("format", "format_version", "config", "model", "data", "networks", "versions", "machine", "seed", "digest")
    }
    assert (file.attrs["format"], file.attrs["format_version"], file.attrs["seed"]) == ("tinyticket", 1, 0)


def test_json_attributes_say_what_was_done(file):
    config, model, data = (json.loads(file.attrs[name]) for name in ("config", "model", "data"))
    asked = {**SMALL, "trials": 2, "controls": CONTROLS, "data": "clusters", "model": MODEL, "seed": 0}
    assert {name: config[name] for name in asked} == asked
    assert model["layer"] == "Sequential"
    assert list(model["parts"]) == ["flatten", "fc1", "relu1", "fc2", "relu2", "output"]
    assert model["parts"]["fc1"] == {
        "layer": "Linear",
        "in_features": 12,
        "out_features": 16,
        "bias": True,
        "init": "glorot_normal",
    }
    assert data["examples"] == {"train": 160, "validation": 40, "test": 60}
    assert data["fingerprints"] == DATA.fingerprints()
    assert json.loads(file.attrs["versions"])["numpy"] == np.__version__
    assert json.loads(file.attrs["machine"])["cores"] == os.cpu_count()


def test_every_training_has_the_specified_attributes(file):
    for path, group in trainings(file):
        assert set(group.attrs) == {*SCALARS, "start", "plan", "digest"}, path
        for name, kind in SCALARS.items():
            assert group.attrs[name].dtype == kind, name
        assert group.attrs["seconds"] > 0


def test_where_a_training_started_from_is_written_beside_it(file):
    starts = {path: json.loads(group.attrs["start"]) for path, group in trainings(file)}
    at_0 = {"iteration": 0, "optimizer": "new", "learning_rate": "schedule"}
    theta_0 = {"weights": "init", "statistics": "init", "mask": "ticket", **at_0}
    assert starts["trials/0/rounds/00"] == starts["trials/1/rounds/02"] == theta_0
    place = "trials/1/rounds/02/controls"
    for name, differs in (("reinit", {"mask": 0, "weights": 225}), ("reinit-2", {"mask": 0, "weights": 225})):
        drawn = {"stream": [0, 1, name, 2]}
        assert starts[f"{place}/{name}"] == {
            "weights": drawn, "statistics": drawn, "mask": "ticket", "differs": differs, **at_0
        }  # fmt: skip
    random = starts[f"{place}/random"]
    assert random.pop("differs")["weights"] == 0
    assert random == {**theta_0, "mask": {"stream": [0, 1, "random", 2]}}


def test_what_tickets_rewind_to_is_beside_theta_0(path):
    find(rewind_to=7, out=path, rounds=1)
    with h5py.File(path, "r") as file:
        rewind = file["trials/0/rewind"]
        assert rewind.attrs["iteration"] == 7
        slots = {f"{name}:{slot}" for name in PARAMETERS for slot in ("mean", "square")}
        assert set(rewind) == {*PARAMETERS, *slots}
        for name in PARAMETERS:
            assert rewind[name].attrs["steps"] == 7
            assert rewind[name].shape == rewind[f"{name}:mean"].shape == rewind[f"{name}:square"].shape
        assert json.loads(file["trials/0/rounds/01"].attrs["start"])["weights"] == "rewind"


def test_a_network_that_was_trained_on_is_beside_its_ticket(path):
    find(strategy="continue", out=path, rounds=1)
    with h5py.File(path, "r") as file:
        assert "continued" not in file["trials/0/rounds/00"]
        continued = file["trials/0/rounds/01/continued"]
        assert set(continued) == {"mask", "trained", "history"}
        assert set(continued.attrs) == {*SCALARS, "start", "plan", "digest"}
        assert json.loads(continued.attrs["start"])["weights"] == "trained"


def test_masks_are_packed_bits_with_their_shape(file):
    for _, group in trainings(file):
        for name, shape in SHAPES.items():
            packed = group["mask"][name]
            assert (packed.dtype, packed.shape) == (np.uint8, (math.ceil(math.prod(shape) / 8),))
            assert tuple(packed.attrs["shape"]) == shape
    assert mask_by_hand(file["trials/0/rounds/00"], "fc1.weight").all()
    assert mask_by_hand(file["trials/0/rounds/02"], "fc1.weight").sum() == 192 - 38 - 31


def test_trained_weights_are_the_survivors_alone_and_the_rest_whole(file):
    for _, group in trainings(file):
        for name in PARAMETERS:
            stored = group["trained"][name]
            assert stored.dtype == np.float32
            if name in SHAPES:
                assert stored.shape == (mask_by_hand(group, name).sum(),)
            else:
                assert stored.shape == file["trials/0/init"][name].shape


def test_a_network_rebuilt_by_hand_has_the_accuracy_that_is_recorded(file):
    for _, group in trainings(file):
        x = DATA.x_test
        for layer in ("fc1", "fc2", "output"):
            x = x @ weight_by_hand(group, f"{layer}.weight").T + group["trained"][f"{layer}.bias"][...]
            x = np.maximum(x, 0) if layer != "output" else x
        accuracy = (x.argmax(axis=1) == DATA.y_test).mean()
        assert accuracy == group.attrs["final_test_accuracy"] == group["history"]["test_accuracy"][-1]


def test_the_history_is_one_table(file):
    for _, group in trainings(file):
        history = group["history"]
        assert history.dtype == np.dtype(
            [("iteration", "<i8")]
            + [
                (name, "<f8")
                for name in ("train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
            ]
        )
        assert history["iteration"].tolist() == [0, 5, 10, 15, 20]


def test_names_stand_in_the_models_order(file):
    assert list(file["trials/0/init"]) == PARAMETERS
    assert list(file["trials/0/rounds/01/trained"]) == PARAMETERS
    assert list(file["trials/0/rounds/01/mask"]) == list(SHAPES)
    assert list(file["trials/0/rounds/01/controls"]) == CONTROLS


def test_the_library_reads_what_is_read_by_hand(file, written):
    for trial in tt.load(written).trials:
        for round in trial.rounds:
            group = file[f"trials/{trial.number}/rounds/{round.number:02d}"]
            for name in SHAPES:
                np.testing.assert_array_equal(round.masks[name], mask_by_hand(group, name))
                assert round.trained[name].tobytes() == weight_by_hand(group, name).tobytes()


def test_a_file_holds_no_pickle(written):
    """HDF5 can hold Python objects only as opaque bytes; numbers, text and packed bits need none."""
    kinds = set()
    with h5py.File(written, "r") as file:
        file.visititems(lambda _, thing: kinds.add(thing.dtype.kind) if isinstance(thing, h5py.Dataset) else None)
    assert kinds == {"f", "u", "V"}  # V: the compound table of the history


def test_weights_whose_number_is_no_multiple_of_eight_are_packed_too(path):
    result = find("mlp-12-5-3", rounds=1, out=path)  # 60 and 15 weights
    with h5py.File(path, "r") as file:
        group = file["trials/0/rounds/01"]
        assert group["mask"]["output.weight"].shape == (2,)
        np.testing.assert_array_equal(
            mask_by_hand(group, "output.weight"), result.trials[0].rounds[1].masks["output.weight"]
        )


def test_buffers_are_kept_whole(path):
    find(Counting(), rounds=1, out=path)
    with h5py.File(path, "r") as file:
        assert file["trials/0/init/steps"][...].tolist() == [0]
        assert file["trials/0/rounds/01/trained/steps"][...].tolist() == [SMALL["iterations"]]
        assert json.loads(file.attrs["model"]) == {
            "layer": "custom",
            "class": "tests.lottery.networks.Counting",
            "parameters": {
                "hidden.weight": [8, 12],
                "hidden.bias": [8],
                "output.weight": [3, 8],
                "output.bias": [3],
            },
        }
