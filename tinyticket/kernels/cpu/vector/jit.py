"""How kernels are compiled and where their machine code is kept.

A kernel is compiled by itself and called by its address: a step into which all its kernels were compiled would be optimised anew
with each level of helpers and take a minute to compile. None uses fastmath: fused multiply-adds are asked for by name, so the order
of every sum is the one that is written, and NaN propagates.

Numba's cache notices an edit in the file of a function, but not in the files of the helpers inlined into it. Kernels therefore
live in a folder named after a hash of all kernel sources, the version of Numba and the CPU: an edit, an upgrade or another machine
on the same home starts a fresh one. TINYTICKET_CACHE names the parent folder, or switches caching off with "off".
"""

import contextlib
import getpass
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numba.core.config

from tinyticket.filesystem import lock
from tinyticket.kernels.cpu.vector.machine import target

log = logging.getLogger(__name__)

# Numba's annotations know neither all options of njit nor the settings.
_njit: Any = numba.njit
_cfunc: Any = numba.cfunc
_config: Any = numba.core.config

_OPTIONS = {"error_model": "numpy", "nogil": True, "boundscheck": False, "no_cfunc_wrapper": True}
_SERIAL_PARTS = ("comprehension", "reduction", "inplace_binop", "setitem", "numpy", "stencil", "fusion")


def device(function: Callable) -> Any:
    """Compile a helper, which takes addresses and becomes part of every kernel that calls it."""
    return _njit(function, no_cpython_wrapper=True, **_OPTIONS)


def variant(name: str) -> Callable[[Callable], Any]:
    """Compile a helper that closes over a constant, under a name that says which constant.

    Numba tells two closures of one function apart by a number that counts anew in every process. When code that
    different processes have cached meets in a third, the linker would take one for the other, without a word.
    """

    def compile_named(function: Callable) -> Any:
        function.__name__ = function.__qualname__ = name
        return device(function)

    return compile_named


def compile_entry(function: Callable) -> Any:
    """Compile an entry point, which takes arrays: cached, and its `prange`, but nothing else in it, made parallel."""
    return compile_serial(function, parallel=dict.fromkeys(_SERIAL_PARTS, False))


def compile_serial(function: Callable, **options: Any) -> Any:
    """Compile an entry point that opens no parallel region: cached."""
    with _cache_folder() as cached:
        compiled = _njit(function, cache=cached, **options, **_OPTIONS)
    if cached:
        compiled._cache.save_overload = _if_there_is_room()(compiled._cache.save_overload)
    return compiled


@contextlib.contextmanager
def _if_there_is_room() -> Iterator[None]:
    """Go on although machine code could not be kept, on a full disk say, where Numba would raise."""
    try:
        yield
    except OSError as error:
        log.info("machine code is not kept: %s", error)


def compile_by_address(function: Callable, signature: Any) -> int:
    """Compile a function by itself (a second or so), or load it from the cache, and return the address of its machine code."""

    def compiled(cached: bool) -> int:
        return _cfunc(signature, cache=cached, error_model="numpy", boundscheck=False)(function).address

    with _one_process(function.__name__):
        with _if_there_is_room(), _cache_folder() as cached:
            return compiled(cached)
        return compiled(False)


@contextlib.contextmanager
def _one_process(name: str) -> Iterator[None]:
    """Let other processes that want the same machine code wait, so that they find it in the cache instead of compiling it too.

    The lock ends with this process, however that ends; where nothing can be locked or written, nobody waits.
    """
    folder = cache_folder()
    with contextlib.ExitStack() as stack:
        if folder is not None:
            with contextlib.suppress(OSError):
                file = stack.enter_context((folder / f"{name}.lock").open("a"))
                while not lock(file):
                    time.sleep(0.02)
        yield


@cache
def cache_folder() -> Path | None:
    """Return the folder of this version's machine code on this machine; None if caching is off or impossible."""
    wanted = os.environ.get("TINYTICKET_CACHE", "")
    if wanted.lower() in ("off", "0"):
        return None
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyticket"
    parents = [Path(wanted)] if wanted else [home]
    with contextlib.suppress(OSError):  # there may be no place for temporary files either
        parents += [] if wanted else [Path(tempfile.gettempdir()) / f"tinyticket-{getpass.getuser()}"]
    for parent in parents:
        folder = parent / "kernels" / _fingerprint()
        with contextlib.suppress(OSError):
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(parents=True, exist_ok=True)
            # Cached code is run, and another user may have left some in /tmp.
            ours = not hasattr(os, "getuid") or parent.stat().st_uid in (os.getuid(), 0)
            if ours and os.access(folder, os.W_OK):
                return folder
    return None


def _fingerprint() -> str:
    package = Path(__file__).parents[3]
    digest = hashlib.sha256(repr((numba.__version__, target())).encode())
    compiled = [*(package / "kernels" / "cpu").rglob("*.py"), *(package / "compiler" / "cpu").rglob("*.py")]
    for source in sorted([*compiled, package / "kernels" / "geometry.py"]):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _cache_folder() -> Iterator[bool]:
    """Point Numba at our folder while a function is decorated; it asks only then."""
    folder = cache_folder()
    if folder is None:
        yield False
        return
    before, _config.CACHE_DIR = _config.CACHE_DIR, str(folder)
    try:
        yield True
    finally:
        _config.CACHE_DIR = before
