"""Threads that meet inside one parallel region, so that a whole training step needs only one.

Opening a parallel region costs about two microseconds, meeting at a counter a tenth of that; a step of a small sparse
network is fifty. Spinning is only safe among threads that really run side by side, which no threading layer promises. So
they first meet once with a time limit: either all have arrived and go on together, or one gives up, all return without
having done anything, and the caller does the work alone.
"""

import platform
import sys

from llvmlite import ir
from numba import types
from numba.core import cgutils

from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.simd import I32, I64, call, intrinsic

COUNTER, ARRIVED, DECISION, NEXT = 0, 8, 16, 24
"""Places in the shared int64 array, a cache line each; the last is for turns that are dealt out."""

SIZE = 32
UNDECIDED, GO, ALONE = range(3)
_PATIENCE = 2_000_000  # spins, some tens of milliseconds: waking a sleeping thread takes a thousandth of that
_POLITE = 4_000  # spins after which a waiting thread lets others have its core

_X86 = platform.machine() in ("x86_64", "AMD64")
_YIELDS = sys.platform != "win32"
integers = types.CPointer(types.int64)


@intrinsic
def atomic_add(typing, place, offset, value):
    """Add to place[offset] and return what was there before."""

    def codegen(context, builder, sig, args):
        return builder.atomic_rmw("add", builder.gep(args[0], [args[1]]), args[2], "seq_cst")

    return types.int64(integers, types.intp, types.int64), codegen


@intrinsic
def atomic_load(typing, place, offset):
    """place[offset], and everything that its writer had written before."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(builder.gep(args[0], [args[1]]), "acquire", 8)

    return types.int64(integers, types.intp), codegen


@intrinsic
def atomic_decide(typing, place, offset, value):
    """Set place[offset] unless another thread has; return what it holds then."""

    def codegen(context, builder, sig, args):
        where = builder.gep(args[0], [args[1]])
        result = builder.cmpxchg(where, I64(UNDECIDED), args[2], "seq_cst", "seq_cst")
        return builder.select(builder.extract_value(result, 1), args[2], builder.extract_value(result, 0))

    return types.int64(integers, types.intp, types.int64), codegen


@intrinsic
def pause(typing):
    """Tell the core that this is a waiting loop."""

    def codegen(context, builder, sig, args):
        if _X86:
            call(builder, "llvm.x86.sse2.pause", result=ir.VoidType())
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def give_way(typing):
    """Let another thread have this core, where the operating system knows how."""

    def codegen(context, builder, sig, args):
        if _YIELDS:
            builder.call(cgutils.get_or_insert_function(builder.module, ir.FunctionType(I32, []), "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@device
def together(meeting, threads):
    """Meet for the first time: true if all threads are there, false for all of them if one is missing for too long."""
    if atomic_add(meeting, ARRIVED, 1) + 1 == threads:
        return atomic_decide(meeting, DECISION, GO) == GO
    for _ in range(_PATIENCE):
        decision = atomic_load(meeting, DECISION)
        if decision != UNDECIDED:
            return decision == GO
        pause()
    return atomic_decide(meeting, DECISION, ALONE) == GO


@device
def meet(meeting, threads, round_):
    """Wait until every thread has come here for the `round_`-th time; return the next round's number."""
    if threads > 1:
        atomic_add(meeting, COUNTER, 1)
        spins = 0
        while atomic_load(meeting, COUNTER) < round_ * threads:
            pause()
            spins += 1
            if spins > _POLITE:
                give_way()
    return round_ + 1
