import dataclasses
import hashlib

import numpy as np
import pytest

from tinyticket.data import Dataset
from tinyticket.errors import InputError


def dataset(**changes):
    fields = {
        "name": "toy",
        "x_train": np.arange(24, dtype=np.float32).reshape(4, 2, 3),
        "y_train": np.array([0, 1, 2, 0]),
        "x_test": np.ones((2, 2, 3), np.float32),
        "y_test": np.array([1, 2]),
        "classes": 3,
    }
    return Dataset(**fields | changes)


def test_properties():
    data = dataset()
    assert data.input_shape == (2, 3)
    assert data.sizes == {"train": 4, "test": 2}
    assert repr(data) == "Dataset(toy: 4 train, 2 test, input (2, 3), 3 classes)"


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset().classes = 4


def test_fingerprints_follow_the_documented_recipe():
    data = dataset()
    expected = hashlib.sha256(b"<f4 (4, 2, 3)\n" + data.x_train.tobytes()).hexdigest()
    prints = data.fingerprints()
    assert list(prints) == ["x_train", "y_train", "x_test", "y_test"]
    assert prints["x_train"] == f"sha256:{expected}"
    assert prints == dataset().fingerprints()


def test_fingerprints_see_contents_and_shape():
    data = dataset()
    changed = data.x_train.copy()
    changed[3, 1, 2] += 1
    for other in (
        dataset(x_train=changed),
        dataset(x_train=data.x_train.reshape(4, 3, 2), x_test=data.x_test.reshape(2, 3, 2)),
    ):
        assert other.fingerprints()["x_train"] != data.fingerprints()["x_train"]
        assert other.fingerprints()["y_train"] == data.fingerprints()["y_train"]


@pytest.mark.parametrize(
    "changes",
    [
        {"x_train": np.ones((4, 2, 3))},
        {"y_test": np.array([1, 2], np.int32)},
        {"y_train": np.array([0, 1, 2])},
        {"x_train": np.ones((4, 3, 2), np.float32).transpose(0, 2, 1)},
        {"x_train": np.ones(4, np.float32)},
        {"y_train": np.zeros((4, 1), np.int64)},
    ],
)
def test_the_constructor_refuses_what_it_does_not_convert(changes):
    with pytest.raises(InputError, match=r"toy: .*from_arrays converts"):
        dataset(**changes)


def test_the_constructor_refuses_parts_of_different_shape():
    with pytest.raises(InputError, match=r"shape \(2, 3\), test examples \(2, 4\)"):
        dataset(x_test=np.ones((2, 2, 4), np.float32))
