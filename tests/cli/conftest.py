import pytest

from tests.cli.commands import Outcome, find_arguments
from tests.lottery.experiments import find
from tinyticket import cli


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    """Keep the data sets of whoever runs the tests out of them, and the tests out of their cache."""
    monkeypatch.delenv("TINYTICKET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Let commands be silent, however slow a machine is."""
    monkeypatch.setattr("tinyticket.cli.waiting.PATIENCE", 600)


@pytest.fixture(scope="session")
def ticket(npz, tmp_path_factory):
    """The path of a finished experiment with two trials; not to be modified."""
    path = tmp_path_factory.mktemp("ticket") / "ticket.h5"
    find(data=str(npz), trials=2, controls="reinit,random", out=path)
    return path


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "ticket.h5"


@pytest.fixture
def command(capsys):
    """Run a command in this process."""

    def run(*arguments):
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def find_command(command, npz, out):
    """Run the small experiment with some settings changed."""

    def run(*more, **changes):
        return command(*find_arguments(changes.pop("data", npz), changes.pop("out", out), *more, **changes))

    return run
