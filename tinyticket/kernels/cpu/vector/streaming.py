"""Stores past the caches: for results that are larger than a cache and are read again only when they have long left it.

An ordinary store first brings the line that it writes into the cache. A kernel that writes a large result once and does little
work for each number is bound by memory, and that line's way in is then a third of its time. A streaming store sends whole lines
straight to memory. It needs addresses that are multiples of a line, which arrays of `packing.empty` have and others need not.
"""

from numba import types

from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import I32, I64, VECTOR, floats, intrinsic

LINE = 4 * LANES
"""Bytes of a vector: a cache line."""

LARGE = 2 * 1024 * 1024
"""Bytes from which a result is streamed: twice a second-level cache."""


@intrinsic
def _on_a_line(typing, place):
    """Return whether an address is a multiple of a line; nothing is read there, so nothing is hidden from the optimiser."""

    def codegen(context, builder, sig, args):
        return builder.icmp_unsigned("==", builder.and_(builder.ptrtoint(args[0], I64), I64(LINE - 1)), I64(0))

    return types.boolean(floats), codegen


@device
def streams(place, size):
    """Return whether a result of so many floats, whose vectors start a multiple of a line after `place`, is to be streamed."""
    return size * 4 > LARGE and _on_a_line(place)


def stream_at(builder, value, base, offset=0):
    """Emit a store past the caches to an address that is a multiple of a line."""
    pointer = builder.gep(base, [I64(offset)]) if offset else base
    store = builder.store(value, builder.bitcast(pointer, VECTOR.as_pointer()), align=LINE)
    store.set_metadata("nontemporal", builder.module.add_metadata([I32(1)]))


@intrinsic
def drain(typing):
    """Let all threads see what was streamed before anything that follows."""

    def codegen(context, builder, sig, args):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen
