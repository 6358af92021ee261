import pytest

from tests.lottery.experiments import DATA, find


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The small experiment, finished, with two trials and both controls; not to be modified."""
    return find(trials=2, data=DATA, out=tmp_path_factory.mktemp("small") / "small.h5")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "ticket.h5"
