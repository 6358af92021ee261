import hashlib
import random
import socket

import pytest

from tinyticket.data import download as room
from tinyticket.data.download import MirrorError, download
from tinyticket.data.published import PublishedFile

from .loopback import Mirror

CONTENT = random.Random(1).randbytes(200_000)
FILE = PublishedFile("some.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def serve(monkeypatch):
    """Start mirrors that are closed after the test."""
    monkeypatch.setenv("no_proxy", "*")
    mirrors = []

    def start(content=CONTENT, **habits):
        mirrors.append(Mirror({FILE.name: content}, **habits))
        return mirrors[-1]

    yield start
    for mirror in mirrors:
        mirror.close()


@pytest.fixture
def stream(tmp_path):
    with (tmp_path / "some.gz.part").open("a+b") as stream:
        yield stream


def receive(mirror, stream):
    """Download from a mirror; return the progress."""
    seen = []
    download(mirror.url + FILE.name, FILE, stream, seen.append)
    return seen


def content(stream):
    stream.seek(0)
    return stream.read()


@pytest.mark.parametrize("habits", [{}, {"resumes": False}, {"announces": False}])
def test_whole(serve, stream, habits):
    mirror = serve(**habits)
    seen = receive(mirror, stream)
    assert content(stream) == CONTENT
    assert mirror.ranges == [None]
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_resumes_after_cuts(serve, stream):
    mirror = serve(cut_after=70_000, cuts=2)
    receive(mirror, stream)
    assert content(stream) == CONTENT
    assert mirror.ranges == [None, "bytes=70000-", "bytes=140000-"]


def test_resumes_what_an_earlier_call_left(serve, stream):
    stream.write(CONTENT[:1000])
    mirror = serve()
    seen = receive(mirror, stream)
    assert content(stream) == CONTENT
    assert mirror.ranges == ["bytes=1000-"]
    assert seen[0] > 1000


def test_a_mirror_that_ignores_ranges_starts_over(serve, stream):
    mirror = serve(resumes=False, cut_after=70_000)
    receive(mirror, stream)
    assert content(stream) == CONTENT
    assert mirror.ranges == [None, "bytes=70000-"]


def test_a_mirror_that_always_cuts_at_the_same_place_is_given_up(serve, stream):
    mirror = serve(resumes=False, cut_after=70_000, cuts=1000)
    with pytest.raises(MirrorError, match="cut after 70000 of 200000 bytes"):
        receive(mirror, stream)
    assert content(stream) == CONTENT[:70_000]
    assert len(mirror.ranges) == 2


def test_a_mirror_that_cuts_too_often_is_given_up(serve, stream):
    mirror = serve(cut_after=100, cuts=1000)
    with pytest.raises(MirrorError, match="cut 10 times"):
        receive(mirror, stream)
    assert content(stream) == CONTENT[:1000]


def test_everything_is_there_already(serve, stream):
    stream.write(CONTENT)
    mirror = serve()
    receive(mirror, stream)
    assert mirror.ranges == []


@pytest.mark.parametrize("left", [b"rubbish", bytes(len(CONTENT)), bytes(len(CONTENT) + 1)])
def test_rubbish_left_by_an_earlier_call_is_replaced(serve, stream, left):
    stream.write(left)
    receive(serve(), stream)
    assert content(stream) == CONTENT


def test_wrong_bytes(serve, stream):
    mirror = serve(flips=True)
    with pytest.raises(MirrorError, match="SHA-256 digest is not the published one"):
        receive(mirror, stream)
    assert content(stream) == b""
    assert mirror.ranges == [None]


@pytest.mark.parametrize("length", [100, 199_999, 200_001])
def test_a_file_of_another_length(serve, stream, length):
    mirror = serve((CONTENT * 2)[:length])
    with pytest.raises(MirrorError, match=f"offers a file of {length} bytes instead of the published 200000"):
        receive(mirror, stream)


def test_more_bytes_than_published_without_a_length(serve, stream):
    with pytest.raises(MirrorError, match="sends more than the published 200000 bytes"):
        receive(serve(CONTENT + b"!", announces=False), stream)
    assert content(stream) == b""


def test_fewer_bytes_than_published_without_a_length(serve, stream):
    with pytest.raises(MirrorError, match="cut after 500 of"):
        receive(serve(CONTENT[:500], announces=False, resumes=False), stream)


def test_416_starts_over(serve, stream):
    stream.write(CONTENT[:1000])
    mirror = serve(CONTENT[:1000])  # which has no byte 1000
    with pytest.raises(MirrorError, match="offers a file of 1000 bytes"):
        receive(mirror, stream)
    assert mirror.ranges == ["bytes=1000-", None]
    assert content(stream) == CONTENT[:1000]  # another mirror may go on from there


@pytest.mark.parametrize(
    ("content_range", "sentence"),
    [
        ("bytes 0-199999/200000", "the range 'bytes 0-199999/200000' where bytes from 1000 on"),
        ("nonsense", "the range 'nonsense'"),
        ("bytes 1000-1999/2000", "offers a file of 2000 bytes"),
    ],
)
def test_another_range_than_asked_for(serve, stream, content_range, sentence):
    stream.write(CONTENT[:1000])
    with pytest.raises(MirrorError, match=sentence):
        receive(serve(content_range=content_range), stream)
    assert content(stream) == CONTENT[:1000]


def test_a_range_of_unknown_total(serve, stream):
    stream.write(CONTENT[:1000])
    receive(serve(content_range="bytes 1000-199999/*"), stream)
    assert content(stream) == CONTENT


@pytest.mark.parametrize("status", [404, 403, 500, 503, 416])
def test_refusals(serve, stream, status):
    mirror = serve(status=status)
    with pytest.raises(MirrorError, match=f"HTTP {status} "):
        receive(mirror, stream)
    assert len(mirror.ranges) == 1


def test_no_answer_in_time(serve, stream, monkeypatch):
    monkeypatch.setattr(room, "TIMEOUT", 0.1)
    with pytest.raises(MirrorError, match=r"no answer within 0\.1 s"):
        receive(serve(stalls=True), stream)


def test_silence_in_the_middle_of_an_answer(serve, stream, monkeypatch):
    monkeypatch.setattr(room, "TIMEOUT", 0.1)
    with pytest.raises(MirrorError, match=r"no answer within 0\.1 s"):
        receive(serve(cut_after=10, cuts=1000, resumes=False, holds=True), stream)
    assert content(stream) == CONTENT[:10]


def test_nobody_listens(stream):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(MirrorError, match="Connection refused"):
        download(f"http://127.0.0.1:{port}/some.gz", FILE, stream, lambda done: None)


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:port/", "http://127.0.0.1/a b", "http://127.0.0.1/ü"])
def test_addresses_that_are_none(stream, url):
    with pytest.raises(MirrorError):
        download(url, FILE, stream, lambda done: None)
