"""A file that is whole at every instant: all of a commit or nothing of it."""

import errno
import os
import signal
import subprocess
import sys
from textwrap import dedent

import h5py
import pytest

from tests.cli.commands import ENVIRONMENT
from tinyticket.errors import InputError
from tinyticket.store import Archive


def add(name, value=1):
    """Return a writer of one small dataset."""

    def write(file):
        file.attrs["format"], file.attrs["format_version"] = "tinyticket", 1
        file.create_dataset(name, data=value)

    return write


def names_in(archive):
    with archive.read() as root:
        return sorted(root.names())


@pytest.fixture(params=["file", "memory"])
def archive(request, path):
    return Archive(path if request.param == "file" else None)


@pytest.fixture
def on_disk(path):
    archive = Archive(path)
    archive.commit(add("first"))
    return archive


# -- commits


def test_commits_add_up(archive):
    assert not archive.exists
    for count, name in enumerate(["a", "b", "c"], start=1):
        archive.commit(add(name))
        assert archive.exists
        assert names_in(archive) == ["a", "b", "c"][:count]


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), KeyboardInterrupt(), MemoryError()])
def test_a_writer_that_raises_leaves_the_file_as_it_was(archive, error, tmp_path):
    archive.commit(add("first"))
    archive.save(tmp_path / "before.h5")

    def write(file):
        add("second")(file)
        del file["first"]
        raise error

    with pytest.raises(type(error)):
        archive.commit(write)
    archive.save(tmp_path / "after.h5")
    assert (tmp_path / "after.h5").read_bytes() == (tmp_path / "before.h5").read_bytes()
    archive.commit(add("second"))
    assert names_in(archive) == ["first", "second"]


def test_a_writer_that_raises_leaves_nothing_where_nothing_was(path):
    with pytest.raises(ZeroDivisionError):
        Archive(path).commit(lambda file: 1 / 0)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "I/O error")])
@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_disk_that_refuses_is_one_sentence_and_leaves_the_file_as_it_was(error, place, on_disk, monkeypatch):
    def refuse(*_):
        raise error

    before = on_disk.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, place, refuse)
        with pytest.raises(
            InputError, match=rf"ticket\.h5 cannot be written: {error.strerror}.*is untouched"
        ) as raised:
            on_disk.commit(add("second"))
    assert "\n" not in str(raised.value)
    assert on_disk.path.read_bytes() == before
    assert os.listdir(on_disk.path.parent) == ["ticket.h5"]


def test_nothing_but_the_file_is_left(on_disk):
    with on_disk.locked():
        on_disk.commit(add("second"))
    assert os.listdir(on_disk.path.parent) == ["ticket.h5"]


@pytest.mark.parametrize("stale", [b"", b"half a file", b"\x89HDF\r\n\x1a\n" + bytes(2000)])
def test_what_a_killed_run_left_beside_the_file_does_no_harm(on_disk, stale):
    partial = on_disk.path.with_name(".ticket.h5.partial")
    lock = on_disk.path.with_name(".ticket.h5.lock")
    partial.write_bytes(stale)
    lock.write_bytes(b"")
    with on_disk.locked():
        on_disk.commit(add("second"))
    assert names_in(on_disk) == ["first", "second"]
    assert os.listdir(on_disk.path.parent) == ["ticket.h5"]


def test_what_a_killed_first_run_left_does_no_harm_either(path):
    path.with_name(".ticket.h5.partial").write_bytes(b"half a file")
    Archive(path).commit(add("first"))
    assert names_in(Archive(path)) == ["first"]


def test_a_link_stays_a_link_to_the_file(on_disk, tmp_path):
    link = tmp_path / "elsewhere" / "link.h5"
    link.parent.mkdir()
    link.symlink_to(on_disk.path)
    Archive(link).commit(add("second"))
    assert link.is_symlink()
    assert names_in(on_disk) == ["first", "second"]


# -- kills

KILLED = """
    import builtins, os, signal, sys
    from tinyticket.store import Archive

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def write(file):
        file.create_dataset("second", data=list(range(10_000)))
        if point == "while the round is put together":
            file.flush()
            die()

    def open_half(name, mode="r", *more, open=open, **options):
        stream = open(name, mode, *more, **options)
        if mode == "xb":
            def write_half(content, write=stream.write):
                write(content[: len(content) // 2])
                stream.flush()
                die()
            stream.write = write_half
        return stream

    def replace_and_die(source, target, replace=os.replace):
        replace(source, target)
        die()

    path, point = sys.argv[1:]
    archive = Archive(path)
    with archive.locked():
        if point == "while it is written":
            builtins.open = open_half
        elif point == "before the disk has it":
            os.fsync = die
        elif point == "before the renaming":
            os.replace = die
        elif point == "after the renaming":
            os.replace = replace_and_die
        archive.commit(write)
"""


@pytest.mark.parametrize(
    ("point", "committed"),
    [
        ("while the round is put together", False),
        ("while it is written", False),
        ("before the disk has it", False),
        ("before the renaming", False),
        ("after the renaming", True),
    ],
)
def test_a_kill_at_any_point_of_a_commit_leaves_the_old_state_or_the_new(point, committed, on_disk):
    before = on_disk.path.read_bytes()
    died = subprocess.run(
        [sys.executable, "-c", dedent(KILLED), str(on_disk.path), point], check=False, env=ENVIRONMENT
    )
    assert died.returncode == -signal.SIGKILL
    assert names_in(on_disk) == (["first", "second"] if committed else ["first"])
    assert committed or on_disk.path.read_bytes() == before
    with on_disk.locked():
        on_disk.commit(add("third"))
    assert names_in(on_disk) == (["first", "second", "third"] if committed else ["first", "third"])
    assert os.listdir(on_disk.path.parent) == ["ticket.h5"]


# -- the lock


def test_a_second_run_into_the_same_file_is_refused_until_the_first_is_done(on_disk):
    with on_disk.locked():
        with (
            pytest.raises(InputError, match=r"ticket\.h5 is being written by another process"),
            Archive(on_disk.path).locked(),
        ):
            pass
        on_disk.commit(add("second"))
    with Archive(on_disk.path).locked():
        on_disk.commit(add("third"))
    assert names_in(on_disk) == ["first", "second", "third"]


def test_a_second_run_that_is_refused_does_not_disturb_a_commit_under_way(on_disk):
    """Trying whether the file can be written must not touch what the first run is writing."""

    def write(file):
        add("second")(file)
        with pytest.raises(InputError, match="another process"), Archive(on_disk.path).locked():
            pass

    with on_disk.locked():
        on_disk.commit(write)
    assert names_in(on_disk) == ["first", "second"]


def test_an_error_under_the_lock_opens_it(on_disk):
    with pytest.raises(ZeroDivisionError), on_disk.locked():
        1 / 0  # noqa: B018
    with on_disk.locked():
        pass
    assert os.listdir(on_disk.path.parent) == ["ticket.h5"]


def test_another_file_in_the_same_folder_is_not_locked(on_disk):
    with on_disk.locked(), Archive(on_disk.path.with_name("other.h5")).locked():
        pass


def test_memory_needs_no_lock():
    archive = Archive()
    with archive.locked(), archive.locked():
        archive.commit(add("first"))
    assert names_in(archive) == ["first"]


# -- places that cannot be written, before anything is trained


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (".", "is a folder"),
        ("missing/ticket.h5", "cannot be written"),
        ("file/ticket.h5", "cannot be written"),  # stands for a folder that may not be written: root may write anywhere
        ("a" * 300 + ".h5", "cannot be written"),
    ],
)
def test_where_nothing_can_be_written_is_said_at_once(place, words, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InputError, match=words) as error, Archive(tmp_path / place).locked():
        pytest.fail("the lock was given")
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["file"]


# -- reading


def test_reading_what_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"nowhere\.h5 does not exist"), Archive("nowhere.h5").read():
        pass


def test_a_copy_in_another_place_is_the_same_file(archive, tmp_path):
    archive.commit(add("first"))
    archive.save(tmp_path / "copy.h5")
    assert names_in(Archive(tmp_path / "copy.h5")) == ["first"]
    archive.commit(add("second"))
    assert names_in(Archive(tmp_path / "copy.h5")) == ["first"]
    with pytest.raises(InputError, match=r"copy\.h5 is a result file"):
        archive.save(tmp_path / "copy.h5")
    assert names_in(Archive(tmp_path / "copy.h5")) == ["first"]


def test_a_reader_keeps_the_old_state_while_a_new_one_takes_its_place(on_disk):
    with on_disk.read() as root:
        on_disk.commit(add("second"))
        assert root.names() == ["first"]
    assert names_in(on_disk) == ["first", "second"]


def test_messages_call_the_archive_by_its_path_or_the_result(path):
    assert (Archive(path).name, Archive().name) == (str(path), "the result")


def test_the_file_is_an_ordinary_hdf5_file(on_disk):
    with h5py.File(on_disk.path, "r") as file:
        assert file["first"][()] == 1


# -- a file that others write meanwhile


def change(path, how):
    if how == "removed":
        path.unlink()
    elif how == "replaced":
        other = Archive(path.with_name("other.h5"))
        other.commit(add("other"))
        os.replace(other.path, path)
    else:
        with h5py.File(path, "r+") as file:
            file.attrs["note"] = "added by hand"


@pytest.mark.parametrize("how", ["removed", "replaced", "changed"])
@pytest.mark.parametrize("found", [True, False], ids=["found", "written"])
def test_a_file_that_is_held_is_only_added_to_if_nobody_else_touched_it(how, found, path):
    archive = Archive(path)
    if found:
        Archive(path).commit(add("first"))
    with archive.locked():
        if not found:
            archive.commit(add("first"))
        change(path, how)
        now = path.read_bytes() if path.exists() else None
        said = "has disappeared" if how == "removed" else "has been replaced or changed by another program"
        with pytest.raises(InputError, match=said):
            archive.commit(add("second"))
        with pytest.raises(InputError, match=said), archive.read():
            pass
        assert (path.read_bytes() if path.exists() else None) == now


def test_a_file_that_appears_where_none_was_is_not_added_to(path):
    archive = Archive(path)
    with archive.locked():
        Archive(path).commit(add("theirs"))
        with pytest.raises(InputError, match="has been replaced or changed by another program"):
            archive.commit(add("ours"))
    assert names_in(Archive(path)) == ["theirs"]


def test_a_file_that_is_not_held_may_change(on_disk, path):
    with on_disk.locked():
        on_disk.commit(add("second"))
    change(path, "replaced")
    on_disk.commit(add("third"))
    assert names_in(on_disk) == ["other", "third"]
