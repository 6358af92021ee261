"""One file from one mirror over HTTP, however often the connection is cut.

What has arrived is kept in a stream (a .part file) and only what it lacks is asked for. The published length and
SHA-256 digest decide what belongs in it, never the server.
"""

import hashlib
import http.client
import logging
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from io import BufferedRandom

from tinyticket.data.connection import MirrorError, Response, SlowError, opener
from tinyticket.data.published import PublishedFile

TIMEOUT = 30.0  # seconds to wait for an answer, for the next bytes, and for enough of them
ATTEMPTS = 10  # connections to one mirror, as long as each brings new bytes
BLOCK = 1 << 16

log = logging.getLogger(__name__)


def download(url: str, file: PublishedFile, stream: BufferedRandom, progress: Callable[[int], None]) -> None:
    """Complete a stream with what the mirror serves, and check its digest.

    Parameters
    ----------
    url : str
        The file's address.
    file : PublishedFile
        What it must be.
    stream : binary stream
        Open for reading and appending ("a+b"), with what arrived earlier, from any mirror. A wrong digest empties it;
        it keeps what a cut connection brought.
    progress : callable
        Called with the number of bytes so far after each block.

    Raises
    ------
    MirrorError
        If this mirror is of no use.
    OSError
        If the stream cannot be written.
    """
    for _ in range(ATTEMPTS):
        before = _length(stream)
        try:
            _receive(url, file.size, stream, progress)
        except MirrorError as error:
            if _length(stream) <= before or isinstance(error, SlowError):
                raise
            log.info("%s: %s; resuming", url, error)
            continue
        if _digest(stream) == file.sha256:
            return
        stream.truncate(0)
        if not before:
            raise MirrorError("the SHA-256 digest is not the published one")
        # The wrong bytes may have been there before: this mirror gets a chance to send all of them.
        log.info("%s: wrong SHA-256 digest after resuming; starting over", url)
    raise MirrorError(f"the connection was cut {ATTEMPTS} times")


def _receive(url: str, size: int, stream: BufferedRandom, progress: Callable[[int], None]) -> None:
    """Bring the stream to its full size over one connection."""
    if _length(stream) > size:
        stream.truncate(0)
    have = _length(stream)
    if have == size:
        return
    with _connect(url, have) as response:
        have = _first_byte(response, have, size)
        stream.truncate(have)
        while block := _next_block(response):
            have += len(block)
            if have > size:
                stream.truncate(0)
                raise MirrorError(f"sends more than the published {size} bytes")
            stream.write(block)
            progress(have)
    if have < size:
        raise MirrorError(f"the connection was cut after {have} of {size} bytes")


def _connect(url: str, have: int) -> Response:
    """Ask for the file from byte `have` on."""
    request = urllib.request.Request(url, headers={"User-Agent": "tinyticket"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        return opener().open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _connect(url, 0)
        raise MirrorError(f"HTTP {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise MirrorError(_words(error)) from None


def _first_byte(response: Response, asked: int, size: int) -> int:
    """Return where in the file the answer starts, after checking that it is about a file of the published size."""
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        text = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d{1,20})-\d+/(\d+|\*)", text)
        if not match or int(match[1]) != asked:
            raise MirrorError(f"answers with the range {text!r} where bytes from {asked} on were asked for")
        start, total = asked, match[2]
    else:  # a server that ignores ranges sends everything
        start, total = 0, response.headers.get("Content-Length", "")
    if total.isdecimal() and total.lstrip("0") != str(size):
        raise MirrorError(f"offers a file of {total:.20} bytes instead of the published {size}")
    return start


def _next_block(response: Response) -> bytes:
    """Return what has arrived of the body; an early end is a body that is too short."""
    try:
        block = response.read1(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise MirrorError(_words(error)) from None
    response.pace.came(len(block))
    return block


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", error)  # urllib wraps what went wrong
    if isinstance(reason, TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _length(stream: BufferedRandom) -> int:
    return stream.seek(0, os.SEEK_END)


def _digest(stream: BufferedRandom) -> str:
    stream.seek(0)
    return hashlib.file_digest(stream, "sha256").hexdigest()
