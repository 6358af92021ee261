"""Commits to a large file: they wait in a journal, with which it is read, until they are packed into the file."""

import errno
import io
import itertools
import json
import os
import pickle
import shutil
import threading

import h5py
import numpy as np
import pytest

from tests.lottery.experiments import contents, differing, find
from tests.store.faults import SIZES, read, write_round
from tinyticket import filesystem
from tinyticket.errors import InputError
from tinyticket.store import Archive, archive, journal

FIRST = SIZES[0]


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch):
    monkeypatch.setattr(archive, "JOURNAL_FROM", 0)


def add(number):
    return lambda file: write_round(file, number)


@pytest.fixture
def running(path):
    """An archive in the middle of a run: a round in the file and two in the journal."""
    held = Archive(path)
    with held.locked():
        for number in range(3):
            held.commit(add(number))
        yield held


@pytest.fixture
def killed(running, tmp_path_factory):
    """What such a run leaves if it is killed, in a folder of its own."""
    folder = tmp_path_factory.mktemp("killed")
    for name in ("ticket.h5", ".ticket.h5.journal"):
        source = running.path.with_name(name)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return folder / "ticket.h5"


def entries(path):
    return [entry.name for entry in journal.entries_of(path)]


def test_a_commit_writes_what_it_changes_and_leaves_the_file_whole(running):
    assert read(running.path) == (3, 1)
    assert entries(running.path) == ["000001", "000002"]
    sizes = [entry.stat().st_size for entry in journal.entries_of(running.path)]
    assert sizes[1] < 16 * SIZES[2] + 20_000
    assert running.path.stat().st_mode == journal.entries_of(running.path)[0].stat().st_mode


def test_they_are_packed_when_they_are_as_large_as_the_file_and_at_the_end(path):
    held, seen = Archive(path), []
    with held.locked():
        for number in range(len(SIZES)):
            held.commit(add(number))
            seen.append(read(path))
    assert seen == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 5), (6, 5), (7, 5)]
    assert read(path) == (7, 7)
    assert os.listdir(path.parent) == [path.name]


def test_no_more_wait_than_a_reader_can_open(path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_ENTRIES", 2)
    held = Archive(path)
    with held.locked():
        for number, waiting in enumerate([0, 1, 0, 1]):
            held.commit(add(number))
            assert len(entries(path)) == waiting


def test_the_file_has_the_bytes_that_hdf5_makes_in_memory(path):
    """Also where a commit takes away what an earlier one wrote."""

    def other(file):
        del file["rounds/1"]
        file["rounds/0/trained"][:3] = 7
        file.create_group("rounds/1", track_order=True)["again"] = np.zeros(3000)

    writers, image, held = [add(0), add(1), other, add(2)], io.BytesIO(), Archive(path)
    with held.locked():
        for number, write in enumerate(writers):
            held.commit(write)
            with h5py.File(image, "r+" if number else "w") as file:
                write(file)
        assert entries(path)
    assert path.read_bytes() == image.getvalue()


def test_an_experiment_has_the_contents_that_it_has_without(path, monkeypatch):
    added = []
    monkeypatch.setattr(journal, "add_entry", lambda *given, add=journal.add_entry: added.append(add(*given)))
    find(out=path, trials=2)
    assert len(added) >= 2
    monkeypatch.setattr(archive, "JOURNAL_FROM", 1 << 20)
    find(out=(whole := path.with_name("whole.h5")), trials=2)
    assert differing(contents(path), contents(whole)) == []
    assert {*os.listdir(path.parent)} == {path.name, whole.name}


@pytest.mark.parametrize("stopped", [False, True])
def test_where_there_is_no_room_to_pack_they_wait(stopped, path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def run(held, patch):
        with held.locked():
            for number in range(3):
                held.commit(add(number))
            patch.setattr(archive, "put", refuse)
            if stopped:
                raise KeyboardInterrupt

    words = r"cannot be written: No space left on device; its finished rounds wait in .*\.ticket\.h5\.journal"
    said = pytest.raises(KeyboardInterrupt) if stopped else pytest.raises(InputError, match=words)
    with monkeypatch.context() as patch, said:
        run(Archive(path), patch)
    assert read(path) == (3, 1)
    with Archive(path).locked():
        assert read(path) == (3, 3)


def test_an_archive_can_be_sent_to_another_process(path):
    (sent := pickle.loads(pickle.dumps(Archive(path)))).commit(add(0))
    assert read(path) == (1, 1)
    assert sent.exists


@pytest.mark.parametrize("refuses", [True, False])
def test_what_the_system_copies_in_part_is_copied_to_its_end(refuses, killed, monkeypatch):
    sizes, copy_file_range = itertools.cycle([3000, 0]), os.copy_file_range

    def copy(source, target, count, *places):
        if not (size := next(sizes)) and refuses:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return copy_file_range(source, target, min(count, size), *places) if size else 0

    monkeypatch.setattr(os, "copy_file_range", copy)
    with Archive(killed).locked():
        assert read(killed) == (3, 3)


# -- what a killed run leaves


def test_it_is_read_copied_and_gone_on_with(killed):
    assert read(killed) == (3, 1)
    Archive(killed).save(copy := killed.with_name("copy.h5"))
    assert read(copy) == (3, 3)
    with Archive(killed).locked():
        assert read(killed) == (3, 3)
        assert entries(killed) == []
    assert {*os.listdir(killed.parent)} == {"ticket.h5", "copy.h5"}


def test_a_commit_without_a_run_packs_it_too(killed):
    Archive(killed).commit(add(3))
    assert read(killed) == (4, 4)
    assert os.listdir(killed.parent) == ["ticket.h5"]


def test_it_is_read_through_a_link(killed, tmp_path):
    link = tmp_path / "link.h5"
    link.symlink_to(killed)
    with Archive(link).locked():
        assert read(killed) == (3, 3)
    assert link.is_symlink()


def test_a_folder_that_was_copied_is_gone_on_with(killed, tmp_path):
    shutil.copytree(killed.parent, tmp_path / "copy")
    assert read(tmp_path / "copy" / killed.name) == (3, 1)


@pytest.mark.parametrize("left", [1, 2])
def test_entries_that_the_file_holds_already_are_passed_over(left, killed):
    """A run was killed after packing, before all of them were removed; another went on without removing the rest."""
    kept = [entry.read_bytes() for entry in journal.entries_of(killed)]
    with Archive(killed).locked():
        pass
    journal.folder_of(killed).mkdir()
    for number in range(2 - left, 2):
        (journal.folder_of(killed) / f"{number + 1:06d}").write_bytes(kept[number])
    assert read(killed) == (3, 3)
    with (held := Archive(killed)).locked():
        held.commit(add(3))
        assert read(killed) == (4, 3)
    assert read(killed) == (4, 4)
    assert os.listdir(killed.parent) == ["ticket.h5"]


def test_another_experiment_of_the_name_does_not_pick_it_up(killed):
    killed.unlink()
    with pytest.raises(InputError, match="does not exist"), Archive(killed).read():
        pass
    with (held := Archive(killed)).locked():
        held.commit(add(0))
        held.commit(add(1))
    assert read(killed) == (2, 2)
    assert os.listdir(killed.parent) == ["ticket.h5"]


def test_nor_does_a_file_that_is_saved_in_its_place(killed, tmp_path):
    with (other := Archive(tmp_path / "other.h5")).locked():
        other.commit(add(0))
    killed.unlink()
    other.save(killed)
    assert read(killed) == (1, 1)


@pytest.mark.parametrize("how", ["another file", "a change"])
def test_rounds_of_another_file_are_neither_added_nor_lost(how, killed):
    if how == "a change":
        with h5py.File(killed, "r+") as file:
            file.attrs["note"] = "added by hand"
    else:
        killed.unlink()
        with h5py.File(killed, "w") as file:
            write_round(file, 1)
    before, kept = killed.read_bytes(), entries(killed)
    for use in (Archive(killed).read(), Archive(killed).locked()):
        with pytest.raises(InputError, match=r"is not what it was when .*\.ticket\.h5\.journal") as error, use:
            pass
        assert "\n" not in str(error.value)
    assert (killed.read_bytes(), entries(killed)) == (before, kept)


def test_half_an_entry_that_a_killed_commit_left_goes_with_the_journal(killed):
    (journal.folder_of(killed) / ".000003.0123456789abcdef.partial").write_bytes(b"half of it")
    with Archive(killed).locked():
        pass
    assert not journal.folder_of(killed).exists()
    assert read(killed) == (3, 3)


# -- others write meanwhile


def test_an_entry_that_is_touched_under_a_run_is_noticed(running):
    journal.entries_of(running.path)[-1].unlink()
    with pytest.raises(InputError, match="replaced or changed by another program"):
        running.commit(add(3))
    with pytest.raises(InputError, match="replaced or changed by another program"), running.read():
        pass
    running._own = running._identity()


@pytest.mark.parametrize(("after", "rounds"), [("entries_of", 4), ("_read_entries", 5)])
def test_a_reader_loses_no_round_that_is_packed_meanwhile(after, rounds, running, monkeypatch):
    """Between looking at the journal and opening the file a run packs, commits and packs again."""
    call = getattr(journal, after)

    def called(*given):
        found = call(*given)
        monkeypatch.setattr(journal, after, call)
        for number in (3, 4):
            running._pack()
            running.commit(add(number))
        return found

    with running.read() as root:
        monkeypatch.setattr(journal, after, called)
        with Archive(running.path).read() as other:
            assert len(other.group("rounds").names()) == rounds
        assert len(root.group("rounds").names()) == 3  # what is open stays as it was
    assert read(running.path) == (5, 4)


def test_a_thread_that_reads_while_another_commits_takes_it_for_nobody_else(running, monkeypatch):
    names, sync = [], filesystem.sync_folder

    def look():
        with running.read() as root:
            names.extend(root.group("rounds").names())

    reader = threading.Thread(target=look)

    def synced(folder):
        if reader.ident is None:
            reader.start()
            reader.join(0.05)
            assert read(running.path)[0] == 4  # who does not hold it waits for nobody
        sync(folder)

    monkeypatch.setattr(filesystem, "sync_folder", synced)
    running.commit(add(3))
    reader.join()
    assert len(names) == 4


# -- a journal may be anybody's


def rewritten(**changes):
    def damage(entry):
        line, _, rest = entry.read_bytes().partition(b"\n")
        entry.write_bytes(json.dumps({**json.loads(line), **changes}).encode() + b"\n" + rest)

    return damage


def cut(entry):
    entry.write_bytes(entry.read_bytes()[:-1])


def garbled(entry):
    content = bytearray(entry.read_bytes())
    content[content.index(b"\n") + 1 :] = bytes(len(content) - content.index(b"\n") - 1)
    entry.write_bytes(content)


DAMAGE = {
    "empty": lambda entry: entry.write_bytes(b""),
    "no JSON": lambda entry: entry.write_bytes(b"\x89HDF\r\n\x1a\n" * 100),
    "deep": lambda entry: entry.write_bytes(b"[" * 100_000 + b"\n"),
    "a list": lambda entry: entry.write_bytes(b"[]\n"),
    "cut": cut,
    "garbled": garbled,
    "another version": rewritten(version=2),
    "no pages": rewritten(pages=None),
    "pages beyond the end": rewritten(pages=[0, 1 << 60]),
    "a page twice": rewritten(pages=[0, 0]),
    "pages below zero": rewritten(pages=[-1, 0]),
    "not a number": rewritten(pages=["0", "1"]),
    "terabytes": rewritten(after=[1 << 45, ""]),
    "smaller": rewritten(after=[5, ""]),
    "not of this file": rewritten(before=[88072, "0" * 64]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_one_sentence(damage, killed):
    damage(journal.entries_of(killed)[-1])
    before = killed.read_bytes()
    for use in (Archive(killed).read(), Archive(killed).locked()):
        with pytest.raises(InputError, match=r"ticket\.h5") as error, use as root:
            root.check()
        assert "\n" not in str(error.value)
        if damage is garbled:  # only who looks into it sees that
            return
    assert killed.read_bytes() == before


@pytest.mark.parametrize("what", ["file", "link", "linked entry", "pipe"])
def test_what_lies_in_its_place_is_neither_followed_nor_changed(what, path, tmp_path_factory):
    victim = tmp_path_factory.mktemp("victim")
    (victim / "000001").write_text("precious")
    folder = journal.folder_of(path)
    if what == "file":
        folder.write_text("precious")
    elif what == "link":
        folder.symlink_to(victim)
    else:
        folder.mkdir()
        os.mkfifo(folder / "000001") if what == "pipe" else (folder / "000001").symlink_to(victim / "000001")
    with Archive(path.with_name("other.h5")).locked():
        pass
    with h5py.File(path, "w") as file:
        write_round(file, 0)
    with pytest.raises(InputError, match="cannot be"), (held := Archive(path)).locked():
        held.commit(add(1))
    assert (victim / "000001").read_text() == "precious"
    assert what != "file" or folder.read_text() == "precious"
