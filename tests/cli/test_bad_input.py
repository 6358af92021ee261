"""What bad input gets: one clear sentence, exit code 2, and nothing lost or half-written."""

import os

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.cli.commands import call, find_arguments, one_sentence
from tests.data.writers import small_mnist, write_mnist
from tests.lottery.experiments import DATA, MODEL


def arrays(**changes):
    return {"x_train": DATA.x_train, "y_train": DATA.y_train, "x_test": DATA.x_test, "y_test": DATA.y_test, **changes}


def with_value(array, place, value):
    changed = np.array(array, dtype=float)
    changed[place] = value
    return changed


# -- settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "digit"}, "unknown data set 'digit' (did you mean 'digits'?"),
        ({"data": "nowhere.npz"}, "nowhere.npz does not exist"),
        ({"data": "cats.jpg"}, "unknown data set 'cats.jpg'"),
        ({"data": "cats.csv"}, "cats.csv does not exist; expected a CSV file"),
        ({"model": "resnet20"}, "no model is called 'resnet20' (did you mean 'resnet-20'?"),
        ({"model": "resnet"}, "no model is called 'resnet'"),
        ({"validation": 200}, "200 validation examples of 200 leave none to train on"),
        ({"batch_size": 161}, "a batch of 161 is larger than the 160 training examples that are left"),
        ({"batch_size": 0}, "batch size is a whole number of at least 1, not 0"),
        ({"prune": "nan"}, "between 0 and 1, both excluded; got nan"),
        ({"prune": "a fifth"}, "'a fifth' is no fraction: write 0.2"),
        ({"rounds": None, "one_shot": "1"}, "a density lies between 0 and 1, both excluded; got 1"),
        ({"rounds": None, "one_shot": "half"}, "one-shot wants densities between 0 and 1"),
        ({"one_shot": "0.5"}, "rounds and one-shot exclude each other"),
        ({"rounds": 16}, "round 16 would remove nothing from output.weight: 0.1 of its 4 weights rounds to 0"),
        ({"rewind_to": -1}, "rewind to is an iteration of the dense training, from 0 to 19 with 20 iterations; not -1"),
        ({"rewind": "init"}, "no rewind is called 'init' (known: finetune, lr, weights)"),
        ({"criterion": "moment"}, "no criterion is called 'moment' (did you mean 'movement'?"),
        ({"controls": "noise-7"}, "no control is called 'noise-7'"),
        ({"lr": "0"}, "the learning rate is above 0"),
        ({"threads": 0}, "threads are at least 1, not 0"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(f"{k}={v}" for k, v in value.items()),
)
def test_settings_that_make_no_sense(changes, words, find_command, out):
    """Some of each kind: the library's tests have them all."""
    assert words in one_sentence(find_command(**changes))
    assert os.listdir(out.parent) == []


# -- data


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (arrays(x_train=with_value(DATA.x_train, (3, 4), np.nan)), "x_train holds nan at index (3, 4)"),
        (arrays(x_test=with_value(DATA.x_test, (0, 0), np.inf)), "x_test holds inf at index (0, 0)"),
        (arrays(y_train=DATA.y_train[:-1]), "x_train has 200 examples but y_train 199 labels"),
        (arrays(y_train=with_value(DATA.y_train, 7, -1)), "y_train holds the label -1.0 at index 7"),
        (arrays(y_train=with_value(DATA.y_train, 7, 0.5)), "y_train holds the label 0.5 at index 7"),
        (arrays(y_test=with_value(DATA.y_test, 1, 1e12)), "y_test holds the label"),
        (arrays(x_test=DATA.x_test[:, :5]), "(12,), test examples (5,)"),
        ({"images": DATA.x_train}, "holds the keys images; expected x_train and y_train"),
        (arrays(x_train=np.array(["a"] * 200)), "x_train with dtype"),
        (arrays(x_train=np.array([None] * 200)), "pickled"),
    ],
)
def test_arrays_that_cannot_be_trained_on(content, words, find_command, out, tmp_path):
    np.savez(tmp_path / "bad.npz", **content)
    sentence = one_sentence(find_command(data=tmp_path / "bad.npz"))
    assert words in sentence
    assert "bad.npz" in sentence
    assert os.listdir(out.parent) == []


@pytest.mark.parametrize(
    ("keep", "words"), [(0, "is not an .npz file"), (0.5, "is truncated"), ("noise", "is not an .npz file")]
)
def test_npz_files_that_are_none(keep, words, find_command, npz, tmp_path):
    whole = npz.read_bytes()
    (tmp_path / "bad.npz").write_bytes(b"noise" if keep == "noise" else whole[: int(keep * len(whole))])
    assert words in one_sentence(find_command(data=tmp_path / "bad.npz"))


def damaged_mnist(folder, name, change):
    files = small_mnist()
    files[name] = change(files[name])
    write_mnist(folder, files, gzipped=False)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("train-images-idx3-ubyte", lambda content: content[:-100], "train-images-idx3-ubyte"),
        ("train-images-idx3-ubyte", lambda content: b"\1" + content[1:], "magic number"),
        ("t10k-labels-idx1-ubyte", lambda content: content[:-1] + b"\x0b", "label"),
        ("t10k-labels-idx1-ubyte", lambda content: b"", "t10k-labels-idx1-ubyte"),
    ],
)
def test_published_files_that_are_damaged(name, change, words, find_command, out, tmp_path):
    damaged_mnist(tmp_path, name, change)
    sentence = one_sentence(
        find_command(data="mnist", model="lenet-300-100", validation=5, batch_size=5, data_folder=tmp_path)
    )
    assert words in sentence
    assert os.listdir(out.parent) == []


def test_published_files_that_are_missing_name_the_command_that_brings_them(find_command, tmp_path):
    sentence = one_sentence(find_command(data="mnist", data_folder=tmp_path))
    assert "tinyticket data fetch mnist" in sentence


# -- output files


def something_else(path):
    path.write_text("my notes\n")


def foreign_hdf5(path):
    with h5py.File(path, "w") as file:
        file["weights"] = 1


def from_the_future(path):
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["format_version"] = "tinyticket", 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (something_else, "cannot be read as an HDF5 file"),
        (foreign_hdf5, "is an HDF5 file, but not one of tinyticket's"),
        (from_the_future, "has format version 2"),
    ],
)
def test_an_output_file_that_is_something_else_is_left_alone(make, words, find_command, out):
    make(out)
    before = out.read_bytes()
    sentence = one_sentence(find_command("--quiet"))
    assert words in sentence
    assert str(out) in sentence
    assert out.read_bytes() == before
    assert os.listdir(out.parent) == [out.name]


def test_an_output_file_of_another_configuration_names_what_differs(find_command, out):
    find_command("--quiet", rounds=0)
    before = out.read_bytes()
    sentence = one_sentence(find_command("--quiet", rounds=0, seed=3, lr=0.5))
    assert "lr was 0.01 and is now 0.5; seed was 0 and is now 3" in sentence
    assert "batch-size" not in sentence
    assert out.read_bytes() == before


def test_an_output_file_of_other_data_is_left_alone(find_command, npz, out, tmp_path):
    find_command("--quiet", rounds=0)
    before = out.read_bytes()
    np.savez(tmp_path / npz.name, **arrays(y_test=DATA.y_test[::-1]))  # of the same name
    assert "mine.npz has changed since" in one_sentence(find_command("--quiet", rounds=0, data=tmp_path / npz.name))
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (".", "is a folder"),
        ("missing/ticket.h5", "cannot be written"),
        ("file/ticket.h5", "cannot be written"),
        ("a" * 300 + ".h5", "cannot be written"),
        ("", "is a folder"),
    ],
)
def test_places_that_cannot_be_written(place, words, find_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    before = sorted(os.listdir(tmp_path))
    assert words in one_sentence(find_command("--quiet", out=place))
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "file").read_text() == "kept"


# -- a loss that is no number


def test_divergence_is_one_sentence_and_keeps_the_finished_rounds(npz, out):
    """As a program: NumPy's own warnings about overflow would appear beside the sentence."""
    arguments = find_arguments(npz, out, "--quiet")
    sentence = one_sentence(call([*arguments, "--lr", "1e30"]))
    assert sentence.startswith("trial 0, round 0: the ")
    assert "try a learning rate below 1e+30" in sentence
    assert os.listdir(out.parent) == []
    assert str(out) not in sentence


# -- show and plot


def test_showing_and_plotting_what_is_no_result(command, out, tmp_path):
    for make, words in [
        (lambda path: None, "does not exist"),
        (something_else, "cannot be read as an HDF5 file"),
        (foreign_hdf5, "not one of tinyticket's"),
    ]:
        make(out)
        assert words in one_sentence(command("show", out))
        assert words in one_sentence(command("show", out, "--json"))
        assert words in one_sentence(command("plot", out, "-o", tmp_path / "picture.png"))
        assert not (tmp_path / "picture.png").exists()
        out.unlink(missing_ok=True)
    assert "is a folder" in one_sentence(command("show", tmp_path))


def test_a_truncated_result_is_refused(command, ticket, out):
    whole = ticket.read_bytes()
    out.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read as an HDF5 file" in one_sentence(command("show", out))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("missing/picture.png", "cannot be written: No such file or directory"),
        ("file/picture.png", "cannot be written: Not a directory"),
        (".", "no ending"),
        ("picture", "no ending"),
        ("picture.xyz", "no ending"),
        ("folder.png", "cannot be written: Is a directory"),
    ],
)
def test_pictures_that_cannot_be_written(place, words, command, ticket, tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder.png").mkdir()
    assert words in one_sentence(command("plot", ticket, "-o", f"{tmp_path}/{place}"))
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


def test_nothing_of_all_this_has_harmed_the_result(ticket):
    assert tt.load(ticket).config["model"] == MODEL
