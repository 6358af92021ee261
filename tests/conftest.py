"""What every test gets: a check that it leaves nothing behind, and the real data where there are any."""

import logging
import os

import numpy as np
import pytest

from tinyticket.autograd.tape import recording


@pytest.fixture(autouse=True)
def nothing_leaks():
    """Fail a test that leaves global state changed for the next one."""
    errors, folder, level = np.geterr(), os.getcwd(), logging.getLogger().level
    yield
    assert recording(), "the test left gradient recording switched off"
    assert np.geterr() == errors, "the test changed NumPy's error handling"
    assert os.getcwd() == folder, "the test changed the working folder"
    logging.getLogger().setLevel(level)


def pytest_collection_modifyitems(items):
    if not os.environ.get("TINYTICKET_DATA"):
        reason = "needs the real MNIST files: set TINYTICKET_DATA to the folder that holds mnist/"
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason=reason))
