from pathlib import Path

import pytest

from tinyticket.data.folders import fetch_folder, search_folders
from tinyticket.errors import InputError


def test_an_explicit_folder_alone(monkeypatch):
    monkeypatch.setenv("TINYTICKET_DATA", "/named")
    assert search_folders("here") == [Path("here")]
    assert fetch_folder(Path("here")) == Path("here")


def test_the_variable_then_the_cache(monkeypatch):
    monkeypatch.setenv("TINYTICKET_DATA", "/named")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cached")
    assert search_folders() == [Path("/named"), Path("/cached/tinyticket/data")]
    assert fetch_folder() == Path("/named")


def test_an_empty_variable_names_nothing(monkeypatch):
    monkeypatch.setenv("TINYTICKET_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cached")
    assert search_folders() == [fetch_folder()] == [Path("/cached/tinyticket/data")]


def test_the_cache_folder_by_default(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    for value in "", "relative":
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert fetch_folder() == Path("/home/somebody/.cache/tinyticket/data")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert fetch_folder() == Path("/home/somebody/.cache/tinyticket/data")


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("TINYTICKET_DATA", "~/data")
    assert search_folders()[0] == search_folders("~/data")[0] == Path("/home/somebody/data")


def test_the_home_of_nobody():
    with pytest.raises(InputError, match="the folder '~nobody-of-that-name/x' starts with the name of nobody"):
        search_folders("~nobody-of-that-name/x")
