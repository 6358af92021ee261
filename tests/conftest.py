"""What every test gets.

A check that it leaves nothing behind, the real data and PyTorch where they are there, and CUDA, if only simulated.
"""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from tinyticket.autograd.tape import recording

DEVICE = any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
"""Whether this machine has an NVIDIA GPU, under Linux or under Windows's subsystem for it."""

if not DEVICE:  # numba reads this once, when it is first imported; CPU kernels do not care
    os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")


@pytest.fixture(autouse=True)
def nothing_leaks():
    """Fail a test that leaves global state changed for the next one."""
    errors, folder, level = np.geterr(), os.getcwd(), logging.getLogger().level
    yield
    assert recording(), "the test left gradient recording switched off"
    assert np.geterr() == errors, "the test changed NumPy's error handling"
    assert os.getcwd() == folder, "the test changed the working folder"
    logging.getLogger().setLevel(level)


@pytest.fixture(scope="session")
def torch():
    """PyTorch, for tests that compare with it."""
    return pytest.importorskip("torch", reason="comparing with PyTorch needs it: pip install 'tinyticket[peers]'")


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The small experiment, finished, with two trials and both controls; not to be modified."""
    from tests.lottery.experiments import DATA, find

    return find(trials=2, data=DATA, out=tmp_path_factory.mktemp("small") / "small.h5")


@pytest.fixture(scope="session")
def npz(tmp_path_factory):
    """The data of the small experiment as a file."""
    from tests.cli.commands import save_npz

    return save_npz(tmp_path_factory.mktemp("data") / "mine.npz")


@pytest.fixture
def out(tmp_path):
    """Where an experiment may write its result file."""
    return tmp_path / "ticket.h5"


EXTRA = {
    "cuda",
    "test_device.py",
    "test_machine_code.py",
    "test_neon.py",
    "test_tensorboard.py",
    "test_browser.py",
    "test_checks.py",
}
"""Folders and files of tests that run on a device, if only a simulated one, look at the machine code of other processors, need a
package of an extra, or are the many of scikit-learn."""


LONG = ("test_examples.py", "test_kills.py", "test_full_disk.py")
"""Files whose tests, long ones, come first: at the end of a run in several processes all others would wait for one of them."""


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONG)
    for item in items:
        parts = set(item.path.relative_to(Path(__file__).parent).parts)
        if EXTRA & parts or "torch" in item.fixturenames:
            item.add_marker(pytest.mark.extra)
        if DEVICE and "cuda" in parts:  # where there is one, the tests of CUDA kernels are tests on it
            item.add_marker(pytest.mark.gpu)
    for item in items:
        if item.get_closest_marker("gpu") and not DEVICE:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
    if not os.environ.get("TINYTICKET_DATA"):
        reason = "needs the real MNIST files: set TINYTICKET_DATA to the folder that holds mnist/"
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason=reason))
