"""A stranger's result file: its words are neither run, opened nor obeyed, and reach the terminal as text."""

import json
import os

import h5py
import pytest

from tests.cli.commands import one_sentence
from tests.lottery.experiments import find
from tests.lottery.networks import Counting

STRANGE = "\x1b[31m[red]$\\frac$"


@pytest.fixture
def strange(ticket, tmp_path):
    """The path of a finished experiment's file that may be changed."""
    path = tmp_path / "strange.h5"
    path.write_bytes(ticket.read_bytes())
    return path


def change(path, text, **values):
    with h5py.File(path, "r+") as file:
        file.attrs[text] = json.dumps({**json.loads(file.attrs[text]), **values})


def test_a_model_that_a_file_names_is_not_loaded(strange, npz, find_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('was-run', 'w')\ndef make(*_):\n    raise SystemExit\n")
    change(strange, "config", model="evil.py:make")
    done = find_command("--masks-from", strange, model=None, rounds=None, trials=None)
    assert (done.code, "evil.py:make on mine.npz" in done.out) == (0, True)  # it is made of its description
    assert not (tmp_path / "was-run").exists()


def test_a_network_of_ones_own_has_to_be_typed(find_command, tmp_path):
    path = tmp_path / "own.h5"
    find(Counting(), rounds=1, out=path)
    assert "give the model (--model" in one_sentence(
        find_command("--masks-from", path, model=None, rounds=None, trials=None)
    )


@pytest.mark.parametrize("command_name", ["verify", "replay"])
def test_data_that_a_file_names_are_not_opened(command_name, strange, command, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe.npz")
    change(strange, "data", name=str(pipe))
    done = command(command_name, strange)
    assert "not in the catalogue: say where the data are (--data)" in done.out + done.err


def test_words_of_a_file_reach_the_terminal_as_text(strange, command, tmp_path):
    change(strange, "config", model=STRANGE, data=STRANGE)
    change(strange, "data", name=STRANGE)
    change(strange, "versions", numpy=STRANGE)
    change(strange, "networks", label=STRANGE, sought=STRANGE, how=STRANGE)
    for arguments in (
        ["show", strange],
        ["list", tmp_path],
        ["compare", strange, strange],
        ["verify", strange],
        ["replay", strange],
        ["analyze", strange, "layers"],
        ["find", "--masks-from", strange, "--dry-run", "--data", tmp_path / "x.npz", "--out", tmp_path / "new.h5"],
    ):
        done = command(*arguments)
        assert done.code in (0, 1 if arguments[0] == "verify" else 2, 2)
        assert "\x1b" not in done.out + done.err
    assert r"\x1b[31m[red]$\frac$ on" in command("show", strange).out
    for arguments in (["plot", strange], ["compare", strange, strange], ["analyze", strange, "layers"]):
        assert command(*arguments, "--force", "-o", tmp_path / "picture.png").code == 0


@pytest.mark.parametrize("name", ["[red]x", "$x$", r"\frac$$\frac"])
def test_controls_may_have_any_printable_name(name, strange, command, tmp_path):
    with h5py.File(strange, "r+") as file:
        for trial in "01":
            file.move(f"trials/{trial}/rounds/01/controls/reinit", f"trials/{trial}/rounds/01/controls/{name}")
    assert f"{name}:" in command("show", strange).out
    assert name in command("show", strange, "--csv").out
    assert command("plot", strange, "-o", tmp_path / "picture.svg").code == 0


def test_names_with_escape_sequences_are_damage(strange, command):
    with h5py.File(strange, "r+") as file:
        file.move("trials/0/rounds/01/controls/reinit", "trials/0/rounds/01/controls/\x1b[31m")
    sentence = one_sentence(command("show", strange))
    assert "is damaged: trials/0/rounds/01/controls" in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("arguments", [["plot"], ["export", "--round", "1"], ["analyze", "layers"]])
def test_what_is_written_from_a_result_replaces_no_result(arguments, strange, ticket, command, tmp_path):
    name, *more = arguments
    place = tmp_path / ("other.h5" if name == "export" else "other.png")
    place.write_bytes(before := ticket.read_bytes())
    assert "is a result file" in one_sentence(command(name, strange, *more, "-o", place))
    assert place.read_bytes() == before
