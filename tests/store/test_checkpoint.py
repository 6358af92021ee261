"""What is rewound to comes back from the file bit for bit."""

import h5py
import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.store import Checkpoint, read_checkpoint, write_checkpoint

RNG = np.random.default_rng(0)
CHECKPOINT = Checkpoint(
    iteration=12,
    state={
        "z.weight": RNG.normal(size=(3, 2)).astype(np.float32),
        "a.bias": np.array([-0.0, np.nan], np.float64),
        "running.mean": np.arange(3),
    },
    slots={
        "z.weight": {"mean": RNG.normal(size=(3, 2)).astype(np.float32), "square": np.zeros((3, 2), np.float32)},
        "a.bias": {},
    },
    steps={"z.weight": 12, "a.bias": 0},
)


@pytest.fixture
def group(tmp_path):
    with h5py.File(tmp_path / "checkpoint.h5", "w") as file:
        yield file.create_group("rewind", track_order=True)


def test_it_comes_back_as_it_was(group):
    write_checkpoint(group, CHECKPOINT)
    back = read_checkpoint(group)
    assert (back.iteration, back.steps) == (12, CHECKPOINT.steps)
    assert list(back.state) == list(CHECKPOINT.state)
    for name, value in CHECKPOINT.state.items():
        assert (back.state[name].tobytes(), back.state[name].dtype) == (value.tobytes(), value.dtype)
    assert back.slots.keys() == CHECKPOINT.slots.keys()
    for name, slots in CHECKPOINT.slots.items():
        assert {slot: value.tobytes() for slot, value in back.slots[name].items()} == {
            slot: value.tobytes() for slot, value in slots.items()
        }


def test_it_can_be_read_without_the_library(group):
    write_checkpoint(group, CHECKPOINT)
    assert set(group) == {"z.weight", "a.bias", "running.mean", "z.weight:mean", "z.weight:square"}
    assert group.attrs["iteration"] == 12
    assert group["z.weight"].attrs["steps"] == 12
    assert "steps" not in group["running.mean"].attrs


def test_what_is_missing_is_damage(group):
    write_checkpoint(group, CHECKPOINT)
    del group.attrs["iteration"]
    with pytest.raises(InputError, match="/rewind of the file is damaged"):
        read_checkpoint(group)
