import gzip
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits as reference

from tinyticket.data import digits, load
from tinyticket.data.digits import load_digits, locate_digits
from tinyticket.errors import InputError


def test_same_images_as_scikit_learn():
    data = load_digits()
    pixels, labels = reference(return_X_y=True)
    expected = {(image.astype(np.float32).tobytes(), label) for image, label in zip(pixels / 16, labels, strict=True)}
    for x, y in (data.x_train, data.y_train), (data.x_test, data.y_test):
        found = {(image.tobytes(), label) for image, label in zip(x, y, strict=True)}
        assert len(found) == len(x)
        assert found <= expected
        expected -= found
    assert not expected


def test_shapes():
    data = load_digits()
    assert (data.name, data.classes, data.input_shape) == ("digits", 10, (1, 8, 8))
    assert data.sizes == {"train": 1198, "test": 599}
    assert load("digits-360").sizes == {"train": 1437, "test": 360}
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)


def test_the_split_is_fixed_and_stratified():
    data = load_digits()
    assert data.fingerprints() == load_digits().fingerprints()
    test, train = np.bincount(data.y_test), np.bincount(data.y_train)
    assert np.abs(test - (test + train) / 3).max() < 1


def test_scikit_learn_stays_unimported():
    code = "import sys, tinyticket.data as d; d.load('digits'); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r"scikit-learn, which is not installed; pip install 'tinyticket\[app\]'"):
        load_digits()


def test_the_file_has_moved(monkeypatch, tmp_path):
    expected = load_digits().fingerprints()
    spec = importlib.util.find_spec("sklearn")
    monkeypatch.setattr(spec, "submodule_search_locations", [str(tmp_path)])
    monkeypatch.setattr(digits.importlib.util, "find_spec", lambda name: spec)
    assert locate_digits() == tmp_path
    assert load_digits().fingerprints() == expected


ROW = b",".join([b"0"] * 65) + b"\n"


@pytest.mark.filterwarnings("ignore:loadtxt")  # what NumPy says of an empty file
@pytest.mark.parametrize("text", [b"", b"0,1\n", b"zero," + ROW[2:], ROW * 1796, ROW * 1798])
@pytest.mark.parametrize("cut", [0, 5])
def test_a_damaged_file(monkeypatch, tmp_path, text, cut):
    copy = tmp_path / "digits.csv.gz"
    content = gzip.compress(text)
    copy.write_bytes(content[: len(content) - cut])
    monkeypatch.setattr(digits, "locate_digits", lambda: copy)
    with pytest.raises(InputError, match=r"digits.csv.gz is damaged"):
        load_digits()
