"""A file that anybody may have written: nothing is followed, nothing is read that is not in it, nothing is larger than it is."""

import json
import os
import time
import tracemalloc

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import contents, differing, find
from tinyticket.errors import InputError
from tinyticket.report.export import export
from tinyticket.results.analyses import ANALYSES
from tinyticket.store import Archive, layout
from tinyticket.store.reading import Ledger

WEIGHT = "trials/0/rounds/01/trained/fc1.weight"
MASK = "trials/0/rounds/01/mask/fc1.weight"


@pytest.fixture
def copy(written, path):
    """The path of a finished experiment's file that may be changed."""
    path.write_bytes(written.read_bytes())
    return path


def again(file, place, make):
    """Replace a dataset by another one with its attributes."""
    values, attributes = file[place][...], dict(file[place].attrs)
    del file[place]
    made = make(values)
    if made is not None:
        file[place].attrs.update(attributes)


def soft_link(file, folder):
    file.move(WEIGHT, "elsewhere")
    file[WEIGHT] = h5py.SoftLink("/elsewhere")


def external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["secret"] = file[WEIGHT][...]
    del file[WEIGHT]
    file[WEIGHT] = h5py.ExternalLink(str(folder / "other.h5"), "/secret")


def link_to_a_pipe(file, folder):
    os.mkfifo(folder / "pipe")
    del file[WEIGHT]
    file[WEIGHT] = h5py.ExternalLink(str(folder / "pipe"), "/secret")


def second_name(file, folder):
    del file["trials/0/rounds/01/trained"]
    file["trials/0/rounds/01/trained"] = file["trials/0/rounds/02/trained"]


def bytes_of_another_file(file, folder):
    (folder / "secret").write_bytes(bytes(10_000))
    again(
        file, WEIGHT,
        lambda held: file.create_dataset(WEIGHT, held.shape, held.dtype, external=[(str(folder / "secret"), 0, held.nbytes)]),
    )  # fmt: skip


def virtual(file, folder, source="."):
    def make(held):
        layout = h5py.VirtualLayout(held.shape, held.dtype, maxshape=(None,))
        layout[...] = h5py.VirtualSource(source, WEIGHT, held.shape, maxshape=(None,))  # of itself: HDF5 never ends
        return file.create_virtual_dataset(WEIGHT, layout)

    again(file, WEIGHT, make)


def compressed(file, folder):
    again(file, WEIGHT, lambda held: file.create_dataset(WEIGHT, data=held, chunks=True, compression="gzip"))


def never_written(file, folder):
    again(file, WEIGHT, lambda held: file.create_dataset(WEIGHT, held.shape, held.dtype))


def of_text(file, folder):
    again(file, WEIGHT, lambda held: file.create_dataset(WEIGHT, data=["x"] * held.size))


def of_complex_numbers(file, folder):
    again(file, WEIGHT, lambda held: file.create_dataset(WEIGHT, data=held.astype(complex)))


def of_another_length(file, folder):
    again(file, WEIGHT, lambda held: file.create_dataset(WEIGHT, data=held[1:]))


def unknown_name(file, folder):
    file.move(WEIGHT, WEIGHT + "\x1b[31m")


@pytest.mark.parametrize(
    "change",
    [
        *(soft_link, external_link, link_to_a_pipe, second_name, bytes_of_another_file, virtual, compressed),
        *(never_written, of_text, of_complex_numbers, of_another_length, unknown_name),
    ],
)
def test_only_what_is_in_the_file_as_it_was_written_is_read(change, copy, tmp_path):
    before = tt.load(copy).trials[0].rounds[2].trained
    with h5py.File(copy, "r+") as file:
        change(file, tmp_path)
    result = tt.load(copy)
    again = result.trials[0].rounds[2].trained
    assert {name: value.tobytes() for name, value in again.items()} == {n: v.tobytes() for n, v in before.items()}
    with pytest.raises(InputError, match=r"ticket\.h5 is damaged: trials/0/rounds/") as error:
        _ = result.trials[0].rounds[1].trained
    assert str(error.value).isprintable()


def test_a_run_does_not_go_on_into_another_file(path, tmp_path):
    """Groups that a round is written into may be links."""
    find(out=path, rounds=0)
    other = tmp_path / "other.h5"
    with h5py.File(path, "r+") as file, h5py.File(other, "w") as victim:
        file.copy("trials", victim)
        file["more"] = h5py.ExternalLink(str(other), "/trials")
        file.move("more", "trials/1")
    before = other.read_bytes()
    with pytest.raises(InputError, match="is damaged: trials/1"):
        find(out=path, rounds=1, trials=2)
    assert other.read_bytes() == before


def test_damage_that_only_writing_meets_is_one_sentence(copy):
    """A node of a group's tree that no reader comes to, for example."""

    def write(file):
        raise ValueError("Unable to synchronously create group (bad symbol table node signature)")

    before = copy.read_bytes()
    with pytest.raises(InputError, match=r"ticket\.h5 is damaged: Unable to"):
        Archive(copy).commit(write)
    assert copy.read_bytes() == before


def test_a_network_that_takes_no_such_examples_is_damage(copy):
    with h5py.File(copy, "r+") as file:
        file.attrs["data"] = json.dumps({**json.loads(file.attrs["data"]), "input_shape": [13]})
    with pytest.raises(InputError, match=r"is damaged: no examples of shape \(13,\)"):
        ANALYSES["cost"](tt.load(copy))
    with pytest.raises(InputError, match=r"the layer fc1 takes no input of shape \(13,\)"):
        export(tt.load(copy), copy.with_suffix(".onnx"))


def test_a_file_without_masks_is_damage(copy):
    with h5py.File(copy, "r+") as file:
        for name in [*file["trials/0/rounds/00/mask"]]:
            del file[f"trials/0/rounds/00/mask/{name}"]
    with pytest.raises(InputError, match="is damaged: trials/0/rounds/00/mask: there is no mask"):
        ANALYSES["fields"](tt.load(copy))


def test_layers_without_survivors_have_no_overlap_over_chance(copy):
    with h5py.File(copy, "r+") as file:
        file["trials/0/rounds/01/mask/fc1.weight"][...] = 0
    rows = ANALYSES["overlap"](tt.load(copy)).rows
    assert [row["over_chance"] is None for row in rows[:3]] == [True, False, False]


# -- bombs


def refused_within(memory, read):
    """Call what has to be refused and check how much memory it took."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="is damaged"):
            read()
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()


def test_a_mask_of_billions_is_refused_before_memory_is_taken(copy):
    with h5py.File(copy, "r+") as file:
        file[MASK].attrs["shape"] = (60_000, 100_000)
    result = tt.load(copy)
    refused_within(10 << 20, lambda: result.trials[0].rounds[1].masks)


def test_billions_that_were_never_written_are_refused_before_memory_is_taken(copy):
    with h5py.File(copy, "r+") as file:
        del file["trials/0/init/fc1.weight"]
        file.create_dataset("trials/0/init/fc1.weight", (60_000, 100_000), np.float32)
    result = tt.load(copy)
    refused_within(10 << 20, lambda: result.init(0))


def test_data_that_lie_over_each_other_do_not_count_again_and_again():
    """Headers of a few bytes each may point to the same megabytes."""
    ledger = Ledger(100)
    for _ in range(3):  # read again
        ledger.take("first", 60)
    ledger.take("second", 40)
    with pytest.raises(ValueError, match="smaller than what it says"):
        ledger.take("third", 1)


def test_a_network_described_in_a_few_words_is_not_made_before_its_size_is_known(copy):
    with h5py.File(copy, "r+") as file:
        model = json.loads(file.attrs["model"])
        model["parts"]["fc1"] |= {"in_features": 20_000, "out_features": 20_000}
        file.attrs["model"] = json.dumps(model)
    result = tt.load(copy)
    refused_within(10 << 20, result.network)
    refused_within(10 << 20, lambda: result.model(0, 1))


# -- text


def with_old_text(copy):
    """Write all text as earlier versions did, which had no digests."""
    with h5py.File(copy, "r+") as file:

        def rewrite(_, thing):
            for name, value in thing.attrs.items():
                if name == "digest":
                    del thing.attrs[name]
                elif isinstance(value, bytes):
                    thing.attrs[name] = value.decode()

        rewrite("", file)
        file.visititems(rewrite)
    return copy


def test_text_of_earlier_versions_is_read_and_gone_on_with(path):
    find(out=path, rounds=1)
    old, new = tt.load(with_old_text(path)), find(rounds=1)
    assert (old.config, old.data) == (new.config, new.data)
    assert old.trials[0].rounds[1].origin == new.trials[0].rounds[1].origin
    assert old.trials[0].rounds[1].plan == new.trials[0].rounds[1].plan
    find(out=path)
    whole = path.with_name("whole.h5")
    find(out=whole)
    assert tt.load(path).digests == tt.load(whole).digests


def test_new_text_lies_in_headers_and_one_word_for_old_readers_in_a_heap(copy):
    assert copy.read_bytes().count(b"GCOL") == 1
    with h5py.File(copy, "r") as file:
        assert file.attrs["format"] == "tinyticket"
        assert all(isinstance(file.attrs[name], bytes) for name in ("config", "model", "data", "versions", "machine"))


@pytest.mark.parametrize("value", [0, 1, 255])
def test_sizes_in_a_heap_that_were_changed_neither_hang_nor_read_beyond_it(value, copy):
    content = with_old_text(copy).read_bytes()
    starts = [i for i in range(len(content)) if content.startswith(b"GCOL", i)]
    begun = time.monotonic()
    for start in starts[:3]:
        for at in range(8, 80):
            changed = bytearray(content)
            changed[start + at] = value
            copy.write_bytes(changed)
            try:
                result = tt.load(copy)
                assert result.trials[0].rounds[1].origin["weights"] == "init"
            except InputError:
                pass
    assert time.monotonic() - begun < 30


def test_text_that_no_header_has_room_for_is_read_too(path):
    def write(file):
        file.attrs["format"], file.attrs["format_version"] = "tinyticket", 1
        layout.write_json(file, "long", {"text": "x" * 200_000})

    archive = Archive(path)
    archive.commit(write)
    with archive.read() as root:
        assert root.json("long") == {"text": "x" * 200_000}


# -- attributes


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("/", "seed", "x"),
        ("/", "seed", [1, 2]),
        ("/", "config", 1),
        ("/", "config", "[]"),
        ("/", "config", "[" * 50_000),
        ("/", "data", h5py.Empty("f8")),
        ("trials/0/rounds/01", "density", "x"),
        ("trials/0/rounds/01", "density", 1j),
        ("trials/0/rounds/01", "density", np.nan),
        ("trials/0/rounds/01", "density", -0.5),
        ("trials/0/rounds/01", "test_accuracy", 1e300),
        ("trials/0/rounds/01", "weights_left", 0.5),
        ("trials/0/rounds/01/controls/reinit", "seconds", [0.0, 1.0]),
    ],
)
def test_attributes_of_other_types_are_damage(place, name, value, copy):
    with h5py.File(copy, "r+") as file:
        file[place].attrs[name] = value
    with pytest.raises(InputError, match=f"is damaged: .*{name}") as error:
        tt.load(copy)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        *(("config", name, None) for name in ("model", "data", "one_shot", "validation", "controls", "prune")),
        *(("config", "iterations", value) for value in (0, -1, 10**12, 0.5, "x", True)),
        *(("data", "examples", value) for value in ({}, {"train": 1, "validation": 1, "test": 0}, None)),
        *(("data", "input_shape", value) for value in ([], [10**5, 10**5], [0], "x")),
    ],
)
def test_settings_and_sizes_that_cannot_be_are_damage(text, name, value, copy):
    with h5py.File(copy, "r+") as file:
        held = json.loads(file.attrs[text])
        held[name] = value
        file.attrs[text] = json.dumps(held)
    with pytest.raises(InputError, match=rf"is damaged: {text}: "):
        tt.load(copy)


@pytest.mark.parametrize(
    "settings",
    [
        {"evaluate_every": 1},
        {"method": "rigl", "update_every": 1},
        {"method": "early-bird"},
        {"gradual": [0, 10**9 - 1, 1]},
    ],
)
def test_a_number_does_not_become_a_list_of_a_billion(settings, copy):
    with h5py.File(copy, "r+") as file:
        config = json.loads(file.attrs["config"])
        long = {"iterations": 10**9, "evaluate_every": 10**9, "batch_size": 200}
        file.attrs["config"] = json.dumps({**config, **long, **settings})
    refused_within(10 << 20, lambda: tt.load(copy))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("iteration", -1),
        ("iteration", 10**18),
        ("iteration", 5),
        ("test_accuracy", np.inf),
        ("validation_accuracy", -1),
    ],
)
def test_a_history_that_cannot_be_is_damage(column, value, copy):
    with h5py.File(copy, "r+") as file:
        table = file["trials/0/rounds/01/history"][...]
        table[column][-1] = value
        file["trials/0/rounds/01/history"][...] = table
    with pytest.raises(InputError, match=r"is damaged: trials/0/rounds/01/history: "):
        _ = tt.load(copy).verdict


def test_numbers_of_other_precision_are_python_numbers(copy):
    before = tt.load(copy).trials[0].rounds[1].scalars()
    with h5py.File(copy, "r+") as file:
        attributes = file["trials/0/rounds/01"].attrs
        for name in ("density", "validation_loss"):
            attributes[name] = np.longdouble(attributes[name])
    assert tt.load(copy).trials[0].rounds[1].scalars() == before
    assert json.dumps(before)


def test_what_is_read_is_what_was_written(written, copy):
    assert differing(contents(written), contents(copy)) == []
