"""A full disk, played by a limit on the size of files: one sentence, and what was there is still there."""

import os
import resource

import pytest

from tests.cli.commands import call, find_arguments, one_sentence
from tests.lottery.experiments import contents, differing, find


def limit_files_to(size):
    """Return what makes a process unable to write beyond that size, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("room", [0, 1000, 5000])
def test_a_disk_that_fills_up_leaves_the_finished_rounds(room, npz, path):
    find(data=str(npz), rounds=0, out=path)
    before = path.read_bytes()
    arguments = find_arguments(npz, path, "--quiet")
    sentence = one_sentence(call(arguments, preexec_fn=limit_files_to(len(before) + room)))
    assert f"{path} cannot be written: " in sentence
    assert "untouched" in sentence
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_with_room_again_the_same_command_goes_on(npz, path):
    arguments = find_arguments(npz, path, "--quiet", rounds=1)
    find(data=str(npz), rounds=0, out=path)
    assert call(arguments, preexec_fn=limit_files_to(path.stat().st_size)).code == 2
    assert call(arguments).code == 0
    whole = path.with_name("whole.h5")
    find(data=str(npz), rounds=1, out=whole)
    assert differing(contents(path), contents(whole)) == []


@pytest.mark.parametrize("size", [1000, 3000])
def test_where_there_was_no_room_at_all_no_file_appears(size, npz, path):
    arguments = find_arguments(npz, path, "--quiet")
    assert "cannot be written" in one_sentence(call(arguments, preexec_fn=limit_files_to(size)))
    assert os.listdir(path.parent) == []


def test_a_picture_that_does_not_fit_leaves_the_old_one(written, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"the old one")
    sentence = one_sentence(call(["plot", written, "-o", picture, "--force"], preexec_fn=limit_files_to(10_000)))
    assert f"{picture} cannot be written" in sentence
    assert picture.read_bytes() == b"the old one"
    assert os.listdir(tmp_path) == [picture.name]
