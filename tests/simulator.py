"""Numba's simulator of a CUDA device, several times quicker: a block's threads take turns instead of being polled.

Each thread runs until its next barrier or its end before the next one does, in one order and then in the other, so that a barrier
that is missing shows: somebody reads what somebody else has not written yet. What kernels compute is what they always do.
"""

import threading

import numpy as np


def install():
    """Put the quicker scheduling in place, if CUDA is simulated here."""
    from tinyticket.kernels.cuda import toolkit

    if not toolkit.simulated():
        return
    from numba.cuda.simulator import kernel

    kernel.BlockManager.run = _run_block
    kernel.BlockThread.run = _run_thread
    kernel.BlockThread.syncthreads = _wait


def _run_block(manager, grid_point, *args):
    from numba.cuda.simulator.kernel import BlockThread

    manager.stopped = threading.Semaphore(0)
    points = list(np.ndindex(*manager._block_dim))
    threads = [BlockThread(lambda: manager._f(*args), manager, grid_point, p, manager._debug) for p in points]
    for thread in threads:
        thread.go = threading.Semaphore(0)
    running, begun = threads, False
    while running:
        for thread in running:
            thread.syncthreads_blocked = False
            thread.go.release() if begun else thread.start()
            manager.stopped.acquire()
            if thread.exception:
                _abort(threads)
                raise thread.exception[0].with_traceback(thread.exception[1])
        running, begun = [thread for thread in reversed(running) if thread.syncthreads_blocked], True


def _run_thread(thread):
    try:
        thread._target()
    except BaseException as error:
        where = f"thread {tuple(thread.threadIdx)} of block {tuple(thread.blockIdx)}"
        error.add_note(where)
        thread.exception = error, error.__traceback__
    finally:
        thread._manager.stopped.release()


def _wait(thread):
    thread.syncthreads_blocked = True
    thread._manager.stopped.release()
    thread.go.acquire()
    if thread.abort:
        raise RuntimeError("another thread of the block has failed")


def _abort(threads):
    for thread in threads:
        if thread.syncthreads_blocked:
            thread.abort = True
            thread.go.release()
