"""Connections to servers that may be slow on purpose, never come to an end, or send elsewhere."""

import http.client
import math
import socket
import time
import urllib.request
from io import BufferedReader, RawIOBase
from typing import Any

from tinyticket.data.files import printable

LEAST = 1 << 15  # bytes of a file that have to come within a connection's time limit, or else its end


class MirrorError(Exception):
    """A mirror does not deliver; the message says why. It is no OSError, as those are the disk's."""

    def __init__(self, message: str):
        super().__init__(printable(message))  # much of it may be the server's words


class SlowError(MirrorError):
    """A mirror delivers, but so slowly that it is not asked again."""


def opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https addresses, and no others."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.UnknownHandler, urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor, _Redirects, _Handler, _SecureHandler,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener


class _Pace(RawIOBase):
    """A connection's bytes, as long as enough of them are the file's: not a trickle of it, and no endless headers."""

    def __init__(self, raw: RawIOBase, patience: float):
        self.raw, self.patience = raw, patience
        self.start()

    def start(self) -> None:
        self.missing, self.until = LEAST, time.monotonic() + self.patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self.until:
            raise SlowError(f"sends less than {LEAST} bytes in {self.patience:g} s")
        return self.raw.readinto(buffer)

    def came(self, count: int) -> None:
        """Note that bytes of the file have come; when they are enough, as many may take as long again."""
        self.missing -= count
        if self.missing <= 0:
            self.start()

    def close(self) -> None:
        self.raw.close()
        super().close()


class Response(http.client.HTTPResponse):
    """An answer whose reader tells its `pace` what has come of the file: `LEAST` bytes within each time limit of the connection."""

    def __init__(self, connection: socket.socket, *arguments: Any, **options: Any):
        super().__init__(connection, *arguments, **options)
        self.pace = _Pace(self.fp.detach(), connection.gettimeout() or math.inf)
        self.fp = BufferedReader(self.pace)


class _Connection(http.client.HTTPConnection):
    response_class = Response


class _SecureConnection(http.client.HTTPSConnection):
    response_class = Response


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_Connection, request)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_SecureConnection, request)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, answer, code, words, headers, url):
        """Follow to the same scheme or a safer one; what the answer holds besides is not read."""
        answer.close()
        if not url.lower().startswith(("https:", f"{request.type}:")):
            raise MirrorError(f"sends elsewhere, to {url!r}; expected an address that starts with {request.type}")
        return super().redirect_request(request, answer, code, words, headers, url)
