"""A mirror on this machine, with the bad habits that mirrors have."""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror:
    """Serves `files` (name to bytes) until it is closed; `ranges` lists the Range header of each request.

    Habits: `resumes` (answers Range), `cut_after` (closes the connection after so many bytes of the body), `cuts` (how
    often it does so), `holds` (falls silent there instead, until it is closed), `flips` (sends wrong bytes of the right
    length), `status` (answers nothing else), `stalls` (sends no answer until it is closed), `announces` (states no
    length if False), `content_range` (states this one), `speaks` (a function that takes a path and a function that writes
    bytes, instead of all this; it is called again with what it returns until it returns None).
    """

    def __init__(self, files, **habits):
        self.files = files
        self.resumes = habits.pop("resumes", True)
        self.cut_after = habits.pop("cut_after", None)
        self.cuts = habits.pop("cuts", 1)
        self.holds = habits.pop("holds", False)
        self.flips = habits.pop("flips", False)
        self.status = habits.pop("status", None)
        self.stalls = habits.pop("stalls", False)
        self.announces = habits.pop("announces", True)
        self.content_range = habits.pop("content_range", None)
        self.speaks = habits.pop("speaks", None)
        assert not habits, habits
        self.ranges = []
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/files/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, name, asked):
        """Return status, headers and the bytes to send, of which the headers may promise more."""
        body = self.files[name]
        headers = {}
        status, start = 200, 0
        if asked and self.resumes:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(body):
                return 416, {"Content-Range": f"bytes */{len(body)}"}, b""
            status = 206
            headers["Content-Range"] = self.content_range or f"bytes {start}-{len(body) - 1}/{len(body)}"
        body = body[start:]
        if self.announces:
            headers["Content-Length"] = str(len(body))
        if self.flips:
            body = bytes(byte ^ 0xFF for byte in body)
        if self.cut_after is not None and self.cuts:
            self.cuts -= 1
            body = body[: self.cut_after]
        return status, headers, body


def _handler(mirror):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            mirror.ranges.append(self.headers.get("Range"))
            name = self.path.removeprefix("/files/")
            if mirror.speaks:
                self.speak()
            elif mirror.stalls:
                mirror.closing.wait(10)
            elif mirror.status or name not in mirror.files:
                self.send_error(mirror.status or 404)
            else:
                status, headers, body = mirror.answer(name, self.headers.get("Range"))
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)
                if mirror.holds:
                    mirror.closing.wait(10)

        def speak(self):
            more = self.path
            with contextlib.suppress(OSError):
                while more is not None and not mirror.closing.is_set():
                    more = mirror.speaks(more, self.wfile.write)
            self.close_connection = True

        def log_message(self, *args):
            pass

    return Handler
