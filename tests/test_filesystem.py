"""Locks on open files, and moving them, where the system allows it and where not."""

import pytest

from tests import windows
from tinyticket import filesystem


@pytest.fixture(params=["here", "windows"])
def system(request, monkeypatch):
    if request.param == "windows":
        windows.install(monkeypatch.setattr)
    return request.param


def test_a_second_handle_gets_no_lock_until_the_first_is_closed(tmp_path):
    with open(tmp_path / "file", "w") as second:
        with open(tmp_path / "file", "w") as first:
            assert filesystem.lock(first)
            assert not filesystem.lock(second)
        assert filesystem.lock(second)


def test_an_open_file_is_renamed_with_what_was_written(system, tmp_path):
    with open(tmp_path / "old", "w") as file:
        assert filesystem.lock(file)
        file.write("content")
        file.flush()
        filesystem.rename_open(file, tmp_path / "old", tmp_path / "new")
        assert file.closed == (system == "windows")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("new", "content")]


def test_a_renamed_file_keeps_its_lock(tmp_path):
    with open(tmp_path / "old", "w") as file:
        filesystem.lock(file)
        filesystem.rename_open(file, tmp_path / "old", tmp_path / "new")
        with open(tmp_path / "new", "r+") as other:
            assert not filesystem.lock(other)


@pytest.mark.usefixtures("system")
def test_an_open_file_is_removed_even_if_it_is_gone_already(tmp_path):
    for _ in range(2):
        with open(tmp_path / "file", "w") as file:
            filesystem.remove_open(file, tmp_path / "file")
            filesystem.remove_open(file, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("system")
def test_a_folder_is_brought_to_disk(tmp_path):
    filesystem.sync_folder(tmp_path)


def test_windows_refuses_what_it_is_said_to_refuse(monkeypatch, tmp_path):
    windows.install(monkeypatch.setattr)
    with open(tmp_path / "file", "w"), pytest.raises(PermissionError):
        (tmp_path / "file").rename(tmp_path / "other")
    with pytest.raises(PermissionError):
        filesystem.os.open(tmp_path, filesystem.os.O_RDONLY)
