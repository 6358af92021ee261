"""`tinyticket data`: what there is and where it lies."""

import contextlib
import gzip
import hashlib
import re
from functools import partial

import pytest

from tests.cli.commands import Terminal, one_sentence
from tests.data.loopback import Mirror
from tests.data.writers import small_mnist, write_mnist
from tinyticket import cli
from tinyticket.data import digits
from tinyticket.data.catalogue import CATALOGUE, Entry
from tinyticket.data.mnist import load_mnist
from tinyticket.data.published import Publication, PublishedFile


def test_the_list_has_every_data_set_and_where_it_lies(command, tmp_path):
    place = write_mnist(tmp_path)
    outcome = command("data", "list", "--data-folder", tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert "…" not in outcome.out
    lines = dict(each.split(": ", 1) for each in re.split(r"\n(?=\S)", outcome.out.strip()))
    assert set(lines) == {"digits", "digits-360", "mnist", "fashion-mnist", "cifar10", "cifar100", "cifar100-coarse"}
    assert str(place) in lines["mnist"]
    assert str(digits.locate_digits()) in lines["digits"]
    assert "not here: tinyticket data fetch fashion-mnist" in lines["fashion-mnist"]


def test_brackets_in_a_path_are_part_of_it(command, tmp_path):
    place = write_mnist(tmp_path / "[old]")
    assert str(place) in command("data", "list", "--data-folder", tmp_path / "[old]").out


def test_a_path_is_printed_alone(command, tmp_path):
    place = write_mnist(tmp_path)
    assert command("data", "path", "mnist", "--data-folder", tmp_path) == (0, f"{place}\n", "")
    assert command("data", "path", "digits") == (0, f"{digits.locate_digits()}\n", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("path mnits", "unknown data set 'mnits' (did you mean 'mnist'?"),
        ("fetch mnits", "unknown data set 'mnits' (did you mean 'mnist'?"),
        ("fetch digits", "digits needs no download"),
        ("path nowhere.npz", "nowhere.npz does not exist"),
    ],
)
def test_what_is_not_known_or_not_there_is_refused(words, expected, command):
    assert expected in one_sentence(command("data", *words.split()))


def test_a_path_that_is_missing_names_the_command_that_brings_it(command, tmp_path):
    assert "tinyticket data fetch mnist" in one_sentence(command("data", "path", "mnist", "--data-folder", tmp_path))


def test_a_folder_that_cannot_be_written_is_refused_by_fetch(command, tmp_path):
    (tmp_path / "file").write_text("kept")
    assert "cannot write to" in one_sentence(command("data", "fetch", "mnist", "--data-folder", tmp_path / "file"))


# -- fetch, from a mirror on this machine

FILES = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in small_mnist().items()}


@pytest.fixture
def mirror(monkeypatch):
    """Serve a data set "tiny" that is published nowhere else."""
    monkeypatch.setenv("no_proxy", "*")
    serving = Mirror(FILES)
    files = tuple(PublishedFile(name, len(c), hashlib.sha256(c).hexdigest()) for name, c in FILES.items())
    tiny = Publication("tiny", files, (serving.url,))
    monkeypatch.setitem(CATALOGUE, "tiny", Entry("small", partial(load_mnist, tiny), tiny.locate, tiny))
    yield serving
    serving.close()


def test_fetch_downloads_and_says_where_it_is(mirror, command, tmp_path):
    place = tmp_path / "tiny"
    assert command("data", "fetch", "tiny", "--data-folder", tmp_path) == (0, f"tiny is in {place}\n", "")
    assert {path.name: path.read_bytes() for path in place.iterdir()} == FILES
    assert command("data", "fetch", "tiny", "--data-folder", tmp_path, "--quiet") == (0, "", "")
    assert len(mirror.ranges) == len(FILES)  # nothing was asked for twice
    assert command("data", "path", "tiny", "--data-folder", tmp_path).out == f"{place}\n"


def test_on_a_terminal_fetch_shows_a_bar_a_file(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    screen = Terminal()
    with contextlib.redirect_stderr(screen):
        assert cli.run(["data", "fetch", "tiny", "--data-folder", str(tmp_path)]) == 0
    assert all(name in screen.getvalue() for name in FILES)


def test_a_mirror_that_sends_something_else_is_named(mirror, command, tmp_path):
    mirror.flips = True
    sentence = one_sentence(command("data", "fetch", "tiny", "--data-folder", tmp_path))
    assert mirror.url.rstrip("/") in sentence
    assert not list(tmp_path.glob("tiny/*.gz"))


def test_words_of_a_mirror_are_not_obeyed_by_the_terminal(mirror, command, tmp_path):
    mirror.speaks = lambda path, write: write(b"HTTP/1.1 500 \x1b[31mred\x07\r\n\r\n") and None
    sentence = one_sentence(command("data", "fetch", "tiny", "--data-folder", tmp_path))
    assert "HTTP 500 ?[31mred?" in sentence
    assert "\x1b" not in sentence
