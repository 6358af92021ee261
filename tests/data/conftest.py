import os
from pathlib import Path

import pytest

REAL_FOLDER = os.environ.get("TINYTICKET_DATA")  # before the fixture below takes it away


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    """Keep the data sets of whoever runs the tests out of them, and the tests out of their cache."""
    monkeypatch.delenv("TINYTICKET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def mnist_folder():
    """The folder with the real MNIST."""
    if not REAL_FOLDER:
        pytest.skip("needs the real MNIST: set TINYTICKET_DATA to the folder that has mnist/train-images-idx3-ubyte.gz")
    return Path(REAL_FOLDER)
