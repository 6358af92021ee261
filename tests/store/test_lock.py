"""One run at a time into a file, also where the file system has no locks, and nobody else's files harmed."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.store.test_archive import add, names_in
from tinyticket import filesystem
from tinyticket.errors import InputError
from tinyticket.report.export import export
from tinyticket.results import load
from tinyticket.store import Archive, replace


@pytest.fixture
def on_disk(path):
    archive = Archive(path)
    archive.commit(add("first"))
    return archive


def test_a_signal_while_the_lock_is_taken_leaves_none(on_disk, tmp_path, monkeypatch):
    def lock(file, plain=filesystem.lock):
        signal.raise_signal(signal.SIGINT)
        return plain(file)

    monkeypatch.setattr(filesystem, "lock", lock)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background hear none otherwise
    try:
        with pytest.raises(KeyboardInterrupt), on_disk.locked():
            pytest.fail("the signal was not heard")
    finally:
        signal.signal(signal.SIGINT, before)
    assert os.listdir(tmp_path) == ["ticket.h5"]


# -- what lies where the lock and the new content will be


@pytest.mark.parametrize("name", [".ticket.h5.lock", ".ticket.h5.partial", ".ticket.h5.owner"])
def test_what_a_planted_link_points_to_stays_as_it_is(name, on_disk, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / name).symlink_to(victim)
    if name.endswith("lock"):
        with pytest.raises(InputError, match=r"ticket\.h5 cannot be written"), on_disk.locked():
            pytest.fail("the lock was given")
    else:
        with on_disk.locked():
            on_disk.commit(add("second"))
        assert names_in(on_disk) == ["first", "second"]
    assert victim.read_text() == "precious"


def test_a_lock_with_something_in_it_keeps_it(on_disk, tmp_path):
    """It may be another name of somebody's file."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    os.link(victim, tmp_path / ".ticket.h5.lock")
    with on_disk.locked():
        on_disk.commit(add("second"))
    assert victim.read_text() == "precious"


def test_a_pipe_in_the_place_of_the_lock_does_not_hang(on_disk, tmp_path):
    os.mkfifo(tmp_path / ".ticket.h5.lock")
    with pytest.raises(InputError, match="cannot be written"), on_disk.locked():
        pytest.fail("the lock was given")


# -- results stay


def test_a_read_only_file_stays(on_disk):
    before = on_disk.path.read_bytes()
    on_disk.path.chmod(0o444)
    with pytest.raises(InputError, match="is read-only"), on_disk.locked():
        pytest.fail("the lock was given")
    with pytest.raises(InputError, match="is read-only"):
        on_disk.commit(add("second"))
    assert on_disk.path.read_bytes() == before


def test_a_file_keeps_who_may_read_it(on_disk):
    on_disk.path.chmod(0o640)
    on_disk.commit(add("second"))
    assert on_disk.path.stat().st_mode & 0o777 == 0o640


def test_what_is_exported_or_saved_replaces_no_result(written, path):
    path.write_bytes(before := written.read_bytes())
    result = load(written)
    for write in (lambda: export(result, path), lambda: result.save(path), lambda: replace(path, b"picture")):
        with pytest.raises(InputError, match=r"ticket\.h5 is a result file"):
            write()
    assert path.read_bytes() == before
    other = path.with_name("other.h5")
    for _ in range(2):  # an exported network is no result
        export(result, other)


# -- file systems without locks


@pytest.fixture(params=[errno.ENOLCK, errno.EWOULDBLOCK])
def no_locks(request, monkeypatch):
    """Make the system say that there are no locks, or as some do that another process always has the lock."""

    def refuse(*_):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_where_there_are_no_locks_a_file_names_the_owner(on_disk, tmp_path):
    with on_disk.locked():
        words = rf"is being written by process {os.getpid()} of {socket.gethostname()}; .*\.ticket\.h5\.owner"
        with pytest.raises(InputError, match=words), Archive(on_disk.path).locked():
            pytest.fail("the lock was given")
        on_disk.commit(add("second"))
    with on_disk.locked():
        pass
    assert os.listdir(tmp_path) == ["ticket.h5"]


@pytest.mark.usefixtures("no_locks")
def test_what_a_dead_owner_has_left_is_taken_over(on_disk, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / ".ticket.h5.owner").write_text(f"{socket.gethostname()} {dead.pid}\n")
    with on_disk.locked():
        on_disk.commit(add("second"))
    assert os.listdir(tmp_path) == ["ticket.h5"]


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("content", ["elsewhere 1\n", "\x1b[31m 12345678901\n", ""])
def test_an_owner_on_another_machine_is_not_taken_for_dead(content, on_disk, tmp_path):
    (tmp_path / ".ticket.h5.owner").write_text(content)
    with pytest.raises(InputError, match="is being written by process") as error, on_disk.locked():
        pytest.fail("the lock was given")
    assert str(error.value).isprintable()
    assert (tmp_path / ".ticket.h5.owner").read_text() == content
