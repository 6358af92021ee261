import hashlib
import itertools
import random
import socket
import time

import pytest

from tinyticket.data import download as room
from tinyticket.data.connection import MirrorError
from tinyticket.data.download import download
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


# -- servers that mean harm


def endless(start, again, pause=0.0):
    """Speak a start, and then something again and again."""

    def speak(path, write):
        if path:
            write(start)
        write(again)
        time.sleep(pause)
        return ""

    return speak


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "speaks",
    [
        endless(OK + b"\r\n", b"x", 0.02),
        endless(OK + b"X: ", b"x", 0.02),
        endless(b"", b"H", 0.02),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(CHUNKED, b"1\r\nx\r\n", 0.02),
        endless(CHUNKED + b"1;", b"x", 0.02),
        endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: x\r\n"),
    ],
    ids=["body", "header", "status", "continue", "chunks", "extension", "trailers"],
)
def test_a_trickle_is_given_up(serve, stream, monkeypatch, speaks):
    monkeypatch.setattr(room, "TIMEOUT", 0.3)
    mirror = serve(speaks=speaks)
    started = time.monotonic()
    with pytest.raises(MirrorError, match=r"sends less than 32768 bytes in 0\.3 s"):
        receive(mirror, stream)
    assert time.monotonic() - started < 10
    assert len(mirror.ranges) == 1  # and is not asked again


def test_a_slow_mirror_is_waited_for_as_long_as_enough_comes(serve, stream, monkeypatch):
    monkeypatch.setattr(room, "TIMEOUT", 1.0)
    blocks = [CONTENT[start : start + 20_000] for start in range(0, len(CONTENT), 20_000)]

    def speak(left, write):
        if isinstance(left, str):
            write(OK + b"\r\n")
            return blocks
        time.sleep(0.15)
        write(left[0])
        return left[1:] or None

    receive(serve(speaks=speak), stream)
    assert content(stream) == CONTENT


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 \x1b[31mred\x07\x9b" + b"x" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 302 \x1b[31mred\r\nLocation: file:///\x1b[31m\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/\x1b[31m\r\n\r\n",
        b"\x1b[31m\r\n\r\n",
        OK + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 206 OK\r\nContent-Range: \x1b[31m" + b"y" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 206 OK\r\nContent-Range: bytes " + b"1" * 5000 + b"-1/1\r\n\r\n",
    ],
)
def test_its_words_are_short_and_obeyed_by_no_terminal(serve, stream, answer):
    stream.write(CONTENT[:1000])
    with pytest.raises(MirrorError) as caught:
        receive(serve(speaks=lambda path, write: write(answer) and None), stream)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "FTP://127.0.0.1/x", "https:file"]
)
def test_a_redirect_to_another_scheme_is_refused(serve, stream, url):
    answer = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\n\r\n".encode()
    with pytest.raises(MirrorError):
        receive(serve(speaks=lambda path, write: write(answer) and None), stream)
    assert content(stream) == b""


def test_a_redirect_is_followed_and_what_it_says_besides_is_not_read(serve, stream):
    target = serve()
    start = f"HTTP/1.1 302 Found\r\nLocation: {target.url}{FILE.name}\r\nContent-Length: 99999999999\r\n\r\n".encode()
    receive(serve(speaks=endless(start, bytes(1 << 16))), stream)
    assert content(stream) == CONTENT


def test_redirects_in_a_circle(serve, stream):
    numbers = itertools.count()

    def speak(path, write):
        write(f"HTTP/1.1 302 Found\r\nLocation: /files/{next(numbers)}\r\n\r\n".encode())

    with pytest.raises(MirrorError, match="infinite loop"):
        receive(serve(speaks=speak), stream)
    assert next(numbers) < 30


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_only_http_is_spoken(stream, url):
    with pytest.raises(MirrorError, match="unknown url type"):
        download(url, FILE, stream, lambda done: None)
