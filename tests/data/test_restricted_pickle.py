"""Pickles from anywhere: plain values come out, nothing else happens."""

import contextlib
import os
import pickle
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tinyticket.data import pickle_machine
from tinyticket.data.restricted_pickle import read_pickle
from tinyticket.errors import InputError

from .cifar_files import like_python_2
from .strangers import memory_below

IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("write", [like_python_2, lambda values: pickle.dumps(values, protocol=2)])
@pytest.mark.parametrize("images", [IMAGES, np.asfortranarray(IMAGES), np.arange(5), np.arange(3, dtype="i4")])
def test_plain_values_and_arrays_come_out(write, images):
    found = read_pickle(write({b"data": images, "labels": [1, 2], b"name": b"x", "nested": {"a": (1, 2.5, None)}}), "f")
    np.testing.assert_array_equal(found.pop(b"data"), images)
    assert found == {"labels": [1, 2], b"name": b"x", "nested": {"a": (1, 2.5, None)}}


def test_texts_of_python_2_are_bytes():
    assert read_pickle(b"(dp0\nS'labels'\np1\n(lp2\nI3\nas.", "f") == {b"labels": [3]}
    assert read_pickle(rb"S'a\\b\'\n\x00\xff\u'" + b"\n.", "f") == b"a\\b'\n\0\xff\\u"


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
        b"c\x1b[31mred\nx\n.",
        b"\x8c\x03\xe2\x80\xae\x8c\x01x\x93.",  # what follows would be read from right to left
        pickle.dumps(date(2020, 1, 1)),
        pickle.dumps({"set": {1}}, protocol=2),
        pickle.dumps(np.array([None, {}], object), protocol=2),
        pickle.dumps(np.zeros(2, ">i8"), protocol=2),
        pickle.dumps(np.zeros(2, "f4"), protocol=2),
        pickle.dumps(np.zeros(2, [("a", "u1")]), protocol=2),
    ],
)
def test_other_names_are_refused(content):
    with pytest.raises(InputError, match=r"f is (a pickle that asks for|truncated or damaged)") as caught:
        read_pickle(content, "f")
    assert str(caught.value).isprintable()


NESTED = b")q\0" + b"h\0h\0\x86q\0" * 60  # a tuple of two that are two ..., whose hash or repr takes 2^60 steps


@pytest.mark.parametrize(
    "content",
    [
        b"}q\1" + NESTED + b"h\1h\0K\1s.",
        NESTED + b"Q.",
        b"cnumpy\ndtype\n" + NESTED + b"h\0\x85R.",
        b"cnumpy\ndtype\nU\2u1K\0K\1\x87Rq\1" + NESTED + b"h\1K\3h\0N\x87b.",
        b"\x8f(" + NESTED + b"h\0\x90.",
        b"]r\xff\xff\xff\xff.",  # a place among those kept for later, and 64 GB of others before it
        b"]p99999999999\n.",
        b"N" + b"".join(b"p%d\n" % (number * (2**61 - 1)) for number in range(100_000)),  # all of one hash
        b"}"
        + b"".join(b"\x8a\x0a" + (number * (2**61 - 1)).to_bytes(10, "little") + b"Ns" for number in range(60_000)),
        b"c_codecs\nencode\nq\1X\0\0\x10\0" + b"x" * (1 << 20) + b"q\2" + b"h\1h\2U\6latin1\x86R" * 1000 + b".",
        b"X\0\0\x10\0" + b"x" * (1 << 20),
        b"S'" + b"\\x00" * 2_000_000 + b"'\n.",
        b"V" + b"\\u0000" * 1_000_000 + b"\n.",
        b"F" + b"1" * 10_000_000 + b"\n",
        b"I" + b"1" * 10_000_000 + b"\n",
        b"]" + b"\x8e" + (2**40).to_bytes(8, "little"),
        b"T\xff\xff\xff\xff",
    ],
)
def test_what_would_take_for_ever_or_all_memory(content):
    started = time.process_time()
    with memory_below(1.5e8), pytest.raises(InputError, match=r"f is (a pickle that asks for|truncated or damaged)"):
        read_pickle(content, "f")
    assert time.process_time() - started < 10


def test_more_operations_than_any_published_file_has(monkeypatch):
    monkeypatch.setattr(pickle_machine, "MOST_STEPS", 1000)
    assert read_pickle(b"]" * 999 + b".", "f") == []
    with pytest.raises(InputError, match="more than 1000 operations"):
        read_pickle(b"]" * 1000 + b".", "f")


def test_a_value_within_itself_is_left_as_it_is():
    content = b"}q\0" + b"}q\1h\1U\1ah\0sh\1U\1bh\0sh\1q\0" * 60 + b"h\0."  # twice in the next, twice in the next, ...
    assert set(read_pickle(content, "f")) == {b"a", b"b"}
    looped = read_pickle(b"}q\0U\1ah\0s.", "f")
    assert set(looped) == {b"a"}


def test_wide_characters_cannot_make_long_texts_larger():
    with pytest.raises(InputError, match="other than Latin letters"):
        read_pickle(pickle.dumps("\U0001f600", protocol=4), "f")
    assert read_pickle(pickle.dumps("\xff", protocol=4), "f") == "\xff"


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
