"""Pickles from anywhere: plain values come out, nothing else happens."""

import contextlib
import os
import pickle
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tinyticket.data.restricted_pickle import read_pickle
from tinyticket.errors import InputError

from .cifar_files import like_python_2

IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("write", [like_python_2, lambda values: pickle.dumps(values, protocol=2)])
@pytest.mark.parametrize("images", [IMAGES, np.asfortranarray(IMAGES), np.arange(5), np.arange(3, dtype="i4")])
def test_plain_values_and_arrays_come_out(write, images):
    found = read_pickle(write({b"data": images, "labels": [1, 2], b"name": b"x", "nested": {"a": (1, 2.5, None)}}), "f")
    np.testing.assert_array_equal(found.pop(b"data"), images)
    assert found == {"labels": [1, 2], b"name": b"x", "nested": {"a": (1, 2.5, None)}}


def test_texts_of_python_2_are_bytes():
    assert read_pickle(b"(dp0\nS'labels'\np1\n(lp2\nI3\nas.", "f") == {b"labels": [3]}


class Runs:
    """What a pickle made of it calls when it is read."""

    def __init__(self, function, *arguments):
        self.asked = function, arguments

    def __reduce__(self):
        return self.asked


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("inside", [lambda bad: bad, lambda bad: {b"data": bad}, lambda bad: {bad: 1}])
def test_nothing_is_called(protocol, inside, tmp_path):
    path = tmp_path / "was here"
    for bad in (
        Runs(os.mkdir, str(path)),
        Runs(eval, f"__import__('os').mkdir({str(path)!r})"),
        Runs(Path.mkdir, path),
        Runs(getattr, "text", "upper"),
        Runs(np.fromfile, str(path)),
    ):
        content = pickle.dumps(inside(bad), protocol=protocol)
        with pytest.raises(InputError, match=r"f is a pickle that asks for \S+, which is not run; .*binary version"):
            read_pickle(content, "f")
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy\nndarray.x\n.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"cbuiltins\nexec\n.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",  # STACK_GLOBAL
        b"(S'true'\nios\nsystem\n.",  # INST
        b"Psomewhere else\n.",  # a persistent identifier
        pickle.dumps(date(2020, 1, 1)),
        pickle.dumps({"set": {1}}, protocol=2),
        pickle.dumps(np.array([None, {}], object), protocol=2),
        pickle.dumps(np.zeros(2, ">i8"), protocol=2),
        pickle.dumps(np.zeros(2, "f4"), protocol=2),
        pickle.dumps(np.zeros(2, [("a", "u1")]), protocol=2),
    ],
)
def test_other_names_are_refused(content):
    with pytest.raises(InputError, match=r"f is (a pickle that asks for|truncated or damaged)"):
        read_pickle(content, "f")


def test_what_it_stands_in_for_cannot_be_changed_for_the_next_reader():
    poisoned = b"cnumpy\ndtype\n(dS'code'\nS'x'\nsb."  # BUILD on the function itself
    with contextlib.suppress(InputError):
        read_pickle(poisoned, "f")
    np.testing.assert_array_equal(read_pickle(like_python_2(IMAGES), "f"), IMAGES)


def test_any_cut_is_noticed_and_any_flipped_byte_is_answered_in_words():
    whole = like_python_2({b"data": IMAGES, b"labels": [1, 2, 3]})
    for length in range(len(whole)):
        with pytest.raises(InputError, match=r"f is (truncated or damaged|a pickle)"):
            read_pickle(whole[:length], "f")
    for place in range(len(whole)):
        for change in (1, 255):
            changed = bytearray(whole)
            changed[place] ^= change
            with contextlib.suppress(InputError):
                read_pickle(bytes(changed), "f")
