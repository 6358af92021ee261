"""Stores past the caches: for results that are larger than a cache and are read again only when they have long left it.

An ordinary store first brings the line that it writes into the cache, a third of the time of a kernel that does little work for
each number. A streaming store sends whole lines straight to memory. It needs addresses that are multiples of a line, which arrays
of `packing.empty` have and others need not.
"""

from numba import types

from tinyticket.kernels.cpu.vector import emit
from tinyticket.kernels.cpu.vector.instruction import I32, I64, floats, instruction
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES, target

LINE = 4 * LANES
"""Bytes of a vector: a cache line."""

LARGE = 2 * 1024 * 1024
"""Bytes from which a result is streamed: twice a second-level cache."""

HOLDS_IMAGES = target()[0] in ("sapphirerapids", "emeraldrapids")
"""Whether the last cache of such a CPU keeps a layer's images until the next layer reads them: there streaming costs a fifth to
a third of a step, of conv-2 at 5 and 2%, where on a Zen 4 it pays."""


@instruction(types.boolean(floats))
def _on_a_line(builder, place):
    """Return whether an address is a multiple of a line; nothing is read there, so nothing is hidden from the optimiser."""
    return builder.icmp_unsigned("==", builder.and_(builder.ptrtoint(place, I64), I64(LINE - 1)), I64(0))


@device
def streams(place, size):
    """Return whether a result of so many floats, whose vectors start a multiple of a line after `place`, is to be streamed."""
    return size * 4 > LARGE and _on_a_line(place)


@device
def streams_images(place, size):
    """Return what `streams` does for images, which the next layer reads soon."""
    return not HOLDS_IMAGES and streams(place, size)


def stream_at(builder, value, base, offset=0):
    """Emit a store past the caches to an address that is a multiple of a line."""
    store = builder.store(value, emit.place(builder, base, offset), align=LINE)
    store.set_metadata("nontemporal", builder.module.add_metadata([I32(1)]))


@instruction(types.void())
def drain(builder):
    """Let all threads see what was streamed before anything that follows."""
    builder.fence("seq_cst")
