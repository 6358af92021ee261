"""What is rewound to comes back from the file bit for bit."""

import h5py
import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.store import Archive, Checkpoint, contents, read_checkpoint
from tinyticket.store.checkpoint import contents_of

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


SHAPES = {name: value.shape for name, value in CHECKPOINT.state.items()}


@pytest.fixture
def archive(tmp_path):
    """An archive that holds the checkpoint and nothing else."""

    def write(file):
        file.attrs["format"], file.attrs["format_version"] = "tinyticket", 1
        contents.write(file.create_group("rewind", track_order=True), contents_of(CHECKPOINT))

    archive = Archive(tmp_path / "checkpoint.h5")
    archive.commit(write)
    return archive


def test_it_comes_back_as_it_was(archive):
    with archive.read() as root:
        back = read_checkpoint(root.group("rewind"), SHAPES, {})
    assert (back.iteration, back.steps) == (12, CHECKPOINT.steps)
    assert list(back.state) == list(CHECKPOINT.state)
    for name, value in CHECKPOINT.state.items():
        assert (back.state[name].tobytes(), back.state[name].dtype) == (value.tobytes(), value.dtype)
    assert back.slots.keys() == CHECKPOINT.slots.keys()
    for name, slots in CHECKPOINT.slots.items():
        assert {slot: value.tobytes() for slot, value in back.slots[name].items()} == {
            slot: value.tobytes() for slot, value in slots.items()
        }


def test_it_can_be_read_without_the_library(archive):
    with h5py.File(archive.path, "r") as file:
        group = file["rewind"]
        assert set(group) == {"z.weight", "a.bias", "running.mean", "z.weight:mean", "z.weight:square"}
        assert group.attrs["iteration"] == 12
        assert group["z.weight"].attrs["steps"] == 12
        assert "steps" not in group["running.mean"].attrs


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda group: group.attrs.pop("iteration"), "rewind/iteration"),
        (lambda group: group["z.weight"].attrs.pop("steps"), "what the optimizer remembers"),
        (lambda group: group.move("a.bias", "b.bias"), "rewind/b.bias: theta_0 has no"),
    ],
)
def test_what_is_missing_is_damage(damage, words, archive):
    with h5py.File(archive.path, "r+") as file:
        damage(file["rewind"])
    with (
        pytest.raises(InputError, match=f"is damaged: .*{words}"),
        archive.read() as root,
    ):
        read_checkpoint(root.group("rewind"), SHAPES, {})
