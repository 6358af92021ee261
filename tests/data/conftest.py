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
    """The folder with the real MNIST, for tests marked `data`: others have no business with it."""
    return Path(REAL_FOLDER)
