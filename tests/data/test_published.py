import pytest

from tinyticket.data.mnist import MNIST
from tinyticket.errors import InputError

from .writers import write_mnist


def test_the_first_folder_that_has_everything(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYTICKET_DATA", str(tmp_path / "named"))
    cached = write_mnist(tmp_path / "cache" / "tinyticket" / "data")
    assert MNIST.locate() == cached
    named = write_mnist(tmp_path / "named")
    assert MNIST.locate() == named
    (named / "t10k-labels-idx1-ubyte.gz").unlink()
    assert MNIST.locate() == cached


def test_paths_prefer_what_is_unpacked(tmp_path):
    place = write_mnist(tmp_path)
    (place / "t10k-labels-idx1-ubyte").touch()
    assert [path.name for path in MNIST.paths(tmp_path)] == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte",
    ]


def test_a_missing_file_is_named_with_the_places_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYTICKET_DATA", str(tmp_path / "named"))
    place = write_mnist(tmp_path / "named")
    (place / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError) as caught:
        MNIST.locate()
    sentence = str(caught.value)
    assert sentence.startswith("mnist: t10k-labels-idx1-ubyte.gz not found in ")
    assert str(place) in sentence
    assert str(tmp_path / "cache" / "tinyticket" / "data" / "mnist") in sentence
    assert "`tinyticket data fetch mnist`" in sentence


def test_an_explicit_folder_is_the_only_place(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYTICKET_DATA", str(tmp_path / "named"))
    write_mnist(tmp_path / "named")
    with pytest.raises(InputError, match=r"train-images.*t10k-labels.* not found in \S*elsewhere/mnist \(gzipped"):
        MNIST.locate(tmp_path / "elsewhere")


def test_a_folder_of_that_name_is_no_file(tmp_path):
    place = write_mnist(tmp_path)
    (place / "t10k-labels-idx1-ubyte.gz").unlink()
    (place / "t10k-labels-idx1-ubyte.gz").mkdir()
    with pytest.raises(InputError, match="t10k-labels"):
        MNIST.locate(tmp_path)
