"""What tests of bad files need: things that are no files, zeros that are gzipped, and how much memory something takes."""

import contextlib
import gzip
import os
import socket
import tracemalloc


def not_a_file(path, kind):
    """Put something in a file's place from which nothing, or no end of it, comes."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "symlink":
        os.mkfifo(path.with_name("a pipe"))
        path.symlink_to(path.with_name("a pipe"))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as server:  # such a path may not be long
            server.bind(path.name)


def zeros_gz(before, count, after=b""):
    """Return bytes and many zeros, gzipped."""
    return gzip.compress(before, 1) + gzip.compress(bytes(1 << 24), 1) * (count >> 24) + gzip.compress(after, 1)


@contextlib.contextmanager
def memory_below(most):
    """Fail if more than so many bytes are taken at once meanwhile."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak} bytes"
