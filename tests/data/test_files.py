"""Files of strangers: no waiting, no more memory than their content needs, and no word of theirs that a terminal obeys."""

import gzip
import io
import os
import tarfile

import pytest

from tinyticket.data import archive, files
from tinyticket.data.archive import read_members
from tinyticket.data.files import open_content, open_regular, printable
from tinyticket.errors import InputError

from .strangers import memory_below, not_a_file, zeros_gz

MB = 1 << 20


def read(path, most=None):
    with open_content(path, "a file", most) as content:
        return content.read()


@pytest.mark.parametrize("kind", ["fifo", "symlink", "device", "socket", "folder"])
def test_only_regular_files_are_opened(tmp_path, kind):
    path = tmp_path / "x"
    not_a_file(path, kind)
    reason = "Is a directory" if kind == "folder" else "it is a pipe, a device or a socket"
    with pytest.raises(InputError, match=f"x cannot be read: {reason}; expected a file"):
        read(path)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_something_else_that_takes_the_place_of_a_file(tmp_path, kind, monkeypatch):
    path = tmp_path / "x"
    not_a_file(path, kind)
    monkeypatch.setattr(os, "stat", lambda path: os.lstat(__file__))  # it was a file a moment ago
    with pytest.raises(InputError, match="x cannot be read: "):
        read(path)


def test_files_that_cannot_be(tmp_path):
    for path, reason in (("a\0b", "zero byte"), ("x" * 300, "too long"), (f"{__file__}/x", "Not a directory")):
        with pytest.raises(InputError, match=f"cannot be read: .*{reason}"), open_regular(tmp_path / path, "a file"):
            pass
    with (
        pytest.raises(InputError, match="none does not exist; expected a file"),
        open_regular(tmp_path / "none", "a file"),
    ):
        pass


@pytest.mark.parametrize(
    "packed",
    [
        lambda content: content,
        gzip.compress,
        lambda content: gzip.compress(content[:100]) + gzip.compress(b"") + gzip.compress(content[100:]),
        lambda content: gzip.compress(content) + bytes(3 * MB),
        lambda content: gzip.compress(content[:7], 0) + bytes(5) + gzip.compress(content[7:]),
    ],
)
def test_content_comes_unpacked(tmp_path, packed):
    content = os.urandom(300) + bytes(2 * MB) + os.urandom(300)
    (tmp_path / "x").write_bytes(packed(content))
    assert read(tmp_path / "x") == content
    with open_content(tmp_path / "x", "a file") as pieces:
        assert b"".join(iter(lambda: pieces.read(1000), b"")) == content


@pytest.mark.parametrize("tail", [b"!", b"\x1f\x8b", gzip.compress(b"x", mtime=0)[:-1], b"\0\0x"])
def test_what_follows_gzip_and_is_none(tmp_path, tail):
    (tmp_path / "x").write_bytes(gzip.compress(b"content") + tail)
    with pytest.raises(InputError, match="x is a broken gzip file, truncated or damaged"):
        read(tmp_path / "x")


def test_more_than_may_come(tmp_path):
    (tmp_path / "x").write_bytes(zeros_gz(b"", 64 * MB))
    (tmp_path / "y").write_bytes(bytes(101))
    with memory_below(8 * MB), pytest.raises(InputError, match="x holds more than 100 bytes; expected a file"):
        read(tmp_path / "x", 100)
    with pytest.raises(InputError, match="y holds more than 100 bytes; expected a file"):
        read(tmp_path / "y", 100)


def test_how_much_may_come_is_known_from_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "HARMLESS", MB)
    (tmp_path / "x").write_bytes(zeros_gz(b"", 64 * MB))
    with pytest.raises(InputError, match=r"x holds more than [0-9]{8} bytes"):
        read(tmp_path / "x")
    (tmp_path / "x").write_bytes(gzip.compress(bytes(MB)))
    assert len(read(tmp_path / "x")) == MB


def test_words_are_short_and_printable():
    assert printable("plain \u00fc \u4e2d") == "plain \u00fc \u4e2d"
    assert printable("\x1b[31m\r\n\x9b\u202e\udc80\0") == "?[31m??????"
    assert printable("x" * 1000) == "x" * 200 + "..."


# -- tar files


def header(name, size=0, kind=tarfile.REGTYPE, link=""):
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = size, kind, link
    return member.tobuf(tarfile.GNU_FORMAT)


def members(path, content, names=("one",), most=MB):
    path.write_bytes(content)
    return dict(read_members(path, names, most))


ONE = header("folder/one", 3) + b"abc" + bytes(509)
END = bytes(1024)


def test_members_are_found_by_their_last_names(tmp_path):
    extended = (
        header("one", 600, tarfile.XHDTYPE)
        + bytes(1024)
        + header("././@LongLink", 5, tarfile.GNUTYPE_LONGNAME)
        + bytes(512)
    )
    found = members(tmp_path / "x", header("folder/", kind=tarfile.DIRTYPE) + extended + ONE + END)
    assert found == {"one": b"abc"}
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
@pytest.mark.parametrize("name", ["one", "../one", "/one"])
def test_members_that_lead_elsewhere_are_none(tmp_path, kind, name):
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(InputError, match="does not hold one"):
        members(tmp_path / "x", header(name, 0, kind, str(tmp_path / "secret")) + END)


@pytest.mark.parametrize("name", ["../../one", "/one", "C:/one"])
def test_members_are_written_nowhere(tmp_path, name):
    (tmp_path / "a").mkdir()
    assert members(tmp_path / "a" / "x", header(name, 3) + b"abc" + bytes(509) + END) == {"one": b"abc"}
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "x"]


@pytest.mark.parametrize(
    "content",
    [
        zeros_gz(b"", 64 * MB),
        zeros_gz(ONE + END, 64 * MB),
        zeros_gz(header("one", 64 * MB), 64 * MB),
        zeros_gz(header("one", 2 * MB), 64 * MB),
        zeros_gz(header("other", 64 * MB), 64 * MB),
        zeros_gz(header("x", 64 * MB, tarfile.XHDTYPE), 64 * MB),
        zeros_gz(header("x", 64 * MB, tarfile.GNUTYPE_LONGNAME), 64 * MB),
        gzip.compress(header("x") * 100_000, 1),
        header("x", 1 << 40),
    ],
)
def test_archives_of_zeros(tmp_path, content):
    with memory_below(16 * MB), pytest.raises(InputError, match=r"holds more than|is truncated or damaged"):
        members(tmp_path / "x", content)


def test_a_member_of_negative_size(tmp_path):
    bad = bytearray(header("one"))
    bad[124:136] = b"\xff" * 12
    bad[148:156] = b"%06o\0 " % (sum(bad[:148]) + 8 * 32 + sum(bad[156:]))
    with pytest.raises(InputError, match="is truncated or damaged \\(a member of -1 bytes"):
        members(tmp_path / "x", bytes(bad) + END)


def test_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    assert members(tmp_path / "x", header("x") * 2 + ONE + END) == {"one": b"abc"}
    with pytest.raises(InputError, match="more than 3 members"):
        members(tmp_path / "x", header("x") * 3 + ONE + END)


def test_an_archive_is_not_kept_in_memory_twice(tmp_path):
    content = os.urandom(8 * MB)
    stream = io.BytesIO()
    with gzip.open(stream, "wb", 1) as packed:
        packed.write(header("one", 8 * MB) + content + END)
    (tmp_path / "x").write_bytes(stream.getvalue())
    with memory_below(14 * MB):
        ((_, found),) = read_members(tmp_path / "x", ("one",), 8 * MB)
    assert found == content
