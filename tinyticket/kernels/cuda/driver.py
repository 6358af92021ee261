"""What the driver can do and numba does not offer: more shared memory for a block, and graphs of launches.

Both go through NVIDIA's bindings, on which numba-cuda is built. A target without them has less shared memory, and starts every
launch from Python, as the simulator does.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tinyticket.kernels.cuda.toolkit import cuda, simulated

if TYPE_CHECKING:
    from tinyticket.kernels.cuda.launch import Launch

SHARED, MOST = 48 * 1024, 227 * 1024
"""Bytes of shared memory that every device gives to a block, and that an H100 gives if asked."""

ALONE = 2
"""Times that launches are started one by one: recording costs as much as a start or two, and compiles nothing."""

_allowed: set[Any] = set()


@functools.cache
def _bindings() -> tuple[Any, Any] | None:
    """Return numba's driver, whose functions raise errors, and NVIDIA's constants; None where they are not there."""
    if simulated():
        return None
    with contextlib.suppress(ImportError, AttributeError):
        module = importlib.import_module(f"{cuda.__name__}.cudadrv.driver")
        return module.driver, module.binding
    return None


@functools.cache
def shared_memory() -> int:
    """Return the bytes of shared memory that a block can have."""
    if simulated():
        return MOST
    return int(cuda.get_current_device().MAX_SHARED_MEMORY_PER_BLOCK_OPTIN) if _bindings() else SHARED


def allow_shared_memory(kernel: Any, arguments: tuple[Any, ...]) -> None:
    """Let the blocks of a kernel, with arguments of these types, have all the shared memory that there is."""
    found = _bindings()
    if found is None or kernel in _allowed:
        return
    driver, binding = found
    compiled = kernel.compile(tuple(map(kernel.typeof_pyval, arguments)))
    function = compiled._codelibrary.get_cufunc()
    attribute = binding.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    most = shared_memory() - compiled.shared_mem_per_block
    driver.cuKernelSetAttribute(attribute, most, function.handle, function.device.id)
    _allowed.add(kernel)


class LaunchGraph:
    """Launches that are started again and again, in their order: at first one by one, from the third time on all at once.

    From Python a launch costs 30 to 100 microseconds; a graph of them, recorded from a stream, a few for all. Routines of a library
    cannot be recorded through every binding, so the launches between them are graphs of their own.
    """

    def __init__(self, launches: Sequence[Launch]):
        self._launches, self._started = launches, 0
        self._starts: list[Callable[[], Any]] = []

    def run(self) -> None:
        """Start all of them; they have finished once the device has been waited for."""
        if not self._starts and self._started == ALONE and _bindings():
            self._record()  # kernels are compiled by now
        if self._starts:
            for start in self._starts:
                start()
            return
        for launch in self._launches:
            launch.run()
        self._started = min(self._started + 1, ALONE)

    def _record(self) -> None:
        """Make what starts the launches from now on: graphs, and routines between them."""
        starts: list[Callable[[], Any]] = []
        for recorded, launches in itertools.groupby(self._launches, lambda launch: launch.recordable):
            if recorded:
                start, destroy = _recorded(list(launches))
                weakref.finalize(self, destroy)
                starts.append(start)
            else:
                starts += [launch.run for launch in launches]
        self._starts = starts


def _recorded(launches: list[Launch]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Record launches; return what starts their graph, and what destroys it."""
    found, stream = _bindings(), _stream()
    assert found is not None
    driver, binding = found
    driver.cuStreamBeginCapture(stream.handle, binding.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
    try:
        for launch in launches:
            launch.run(stream)
    except BaseException:
        with contextlib.suppress(Exception):  # the first error counts
            driver.cuGraphDestroy(driver.cuStreamEndCapture(stream.handle))
        raise
    recorded = driver.cuStreamEndCapture(stream.handle)
    try:
        made = driver.cuGraphInstantiate(recorded, 0)
    finally:
        driver.cuGraphDestroy(recorded)
    start = functools.partial(driver.cuGraphLaunch, made, stream.handle)
    return start, functools.partial(driver.cuGraphExecDestroy, made)


@functools.cache
def _stream() -> Any:
    """Return the stream that graphs run on; it and the default stream wait for each other."""
    return cuda.stream()
