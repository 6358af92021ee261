import pytest

from tests.lottery.experiments import find


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The path of a finished experiment's file; not to be modified."""
    path = tmp_path_factory.mktemp("written") / "ticket.h5"
    find(trials=2, controls=["reinit", "random", "reinit-2"], out=path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ticket.h5"
