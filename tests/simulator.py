"""Numba's simulator of a CUDA device, several times quicker: a block's threads take turns instead of being polled.

Each thread runs until its next barrier or its end before the next one does, in one order and then in the other, so that a barrier
that is missing shows: somebody reads what somebody else has not written yet. Warps take turns too, at their own barriers. What
kernels compute is what they always do.
"""

import threading

import numpy as np


def install():
    """Put the quicker scheduling in place, if CUDA is simulated here, and barriers of a warp, which numba's does not have."""
    from tinyticket.kernels.cuda import toolkit

    if not toolkit.simulated():
        return
    from numba.cuda.simulator import kernel, kernelapi

    kernel.BlockManager.run = _run_block
    kernel.BlockThread.run = _run_thread
    kernel.BlockThread.syncthreads = lambda thread: _wait(thread, _BLOCK)
    kernelapi.FakeCUDAModule.syncwarp = lambda module: _wait(threading.current_thread(), _WARP)


_BLOCK, _WARP = "block", "warp"
"""Whom a thread waits for at its barrier."""


def _run_block(manager, grid_point, *args):
    from numba.cuda.simulator.kernel import BlockThread

    manager.stopped = threading.Semaphore(0)
    points = list(np.ndindex(*manager._block_dim))
    threads = [BlockThread(lambda: manager._f(*args), manager, grid_point, p, manager._debug) for p in points]
    for thread in threads:
        thread.go, thread.waits_for, thread.ended = threading.Semaphore(0), None, False
    warps = [threads[start : start + 32] for start in range(0, len(threads), 32)]
    begun, traced = False, threading.gettrace()
    threading.settrace(None)  # coverage would count the lines of what is not Python on a device
    try:
        while True:
            for warp in warps:
                _run_warp(manager, warp, begun, threads)
            begun, running = True, [thread for thread in threads if not thread.ended]
            if not running:
                return
            for thread in running:
                thread.waits_for = None
            warps = [warp[::-1] for warp in reversed(warps)]
    finally:
        threading.settrace(traced)


def _run_warp(manager, warp, begun, threads):
    """Let the threads of a warp run until each is at a barrier of the block, or at its end."""
    running = [thread for thread in warp if not thread.ended]
    while running:
        for thread in running:
            thread.waits_for = None
            thread.go.release() if begun else thread.start()
            manager.stopped.acquire()
            if thread.exception:
                _abort(threads)
                raise thread.exception[0].with_traceback(thread.exception[1])
        running, begun = [thread for thread in reversed(running) if thread.waits_for is _WARP], True
        assert not running or len(running) == sum(not thread.ended for thread in warp), "a warp waits at two barriers"


def _run_thread(thread):
    try:
        thread._target()
    except BaseException as error:
        where = f"thread {tuple(thread.threadIdx)} of block {tuple(thread.blockIdx)}"
        error.add_note(where)
        thread.exception = error, error.__traceback__
    finally:
        thread.ended = True
        thread._manager.stopped.release()


def _wait(thread, whom):
    thread.waits_for = whom
    thread._manager.stopped.release()
    thread.go.acquire()
    if thread.abort:
        raise RuntimeError("another thread of the block has failed")


def _abort(threads):
    for thread in threads:
        if thread.waits_for is not None:
            thread.abort = True
            thread.go.release()
