import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyticket.data as data
from tinyticket.errors import InputError

from .writers import write_mnist


def test_importing_is_cheap():
    slow = "{'sklearn', 'h5py', 'numba', 'urllib.request'}"
    code = f"import sys, tinyticket.data; sys.exit(', '.join({slow} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stderr.strip() == ""


def test_names():
    assert data.names() == ["digits", "digits-360", "mnist", "fashion-mnist", "cifar10", "cifar100", "cifar100-coarse"]


def test_load_by_name(tmp_path):
    assert data.load("digits").name == "digits"
    write_mnist(tmp_path)
    assert data.load("mnist", tmp_path).name == "mnist"
    write_mnist(tmp_path, name="fashion-mnist")
    assert data.load("fashion-mnist", str(tmp_path)).name == "fashion-mnist"


@pytest.mark.parametrize("name", ["mine.npz", "MINE.NPZ"])
def test_load_a_file(tmp_path, name):
    file = tmp_path / name
    with file.open("wb") as stream:
        np.savez(stream, x=np.ones((10, 2)), y=np.arange(10))
    for given in file, str(file):
        assert data.load(given).name == name
        assert data.path(given) == file


@pytest.mark.parametrize("ask", [data.load, data.path, data.fetch])
@pytest.mark.parametrize("name", ["minst", "MNIST"])
def test_an_unknown_name(ask, name):
    with pytest.raises(InputError, match=rf"unknown data set '{name}' \(did you mean 'mnist'\? known: .*\.npz"):
        ask(name)


def test_path(tmp_path):
    assert data.path("digits").name == "digits.csv.gz"
    assert data.path("mnist", write_mnist(tmp_path).parent) == tmp_path / "mnist"
    with pytest.raises(InputError, match=r"fashion-mnist: train-images.* not found"):
        data.path("fashion-mnist", tmp_path)
    with pytest.raises(InputError, match=r"none\.npz does not exist"):
        data.path(tmp_path / "none.npz")


def test_describe(tmp_path):
    write_mnist(tmp_path)
    lines = data.describe(tmp_path)
    assert [line.name for line in lines] == data.names()
    assert all(line.description for line in lines)
    assert [line.path for line in lines] == [
        data.path("digits"),
        data.path("digits"),
        tmp_path / "mnist",
        None,
        None,
        None,
        None,
    ]
    assert isinstance(lines[0].path, Path)


@pytest.mark.parametrize("ask", [data.load, data.path])
@pytest.mark.parametrize("name", ["x" * 300 + ".npz", "a\0b.npz"])
def test_names_that_no_file_has(ask, name):
    with pytest.raises(InputError, match=r"cannot be read|does not exist"):
        ask(name)
    with pytest.raises(InputError, match="not found"):
        ask("mnist", name)


def test_data_larger_than_memory(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError

    np.savez(tmp_path / "mine.npz", x=np.ones((10, 2)), y=np.arange(10))
    monkeypatch.setattr(np, "empty", fail)
    with pytest.raises(InputError, match=r"mine\.npz is larger than the memory that there is"):
        data.load(tmp_path / "mine.npz")
