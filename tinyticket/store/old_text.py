"""Text of variable length, as earlier versions wrote their attributes, read from the bytes of the file.

HDF5 keeps such text in a heap, and waits for ever if the sizes in there have been changed. So the attribute is looked up here in
the header of its object, and the text in its heap, where every step goes forward (HDF5 File Format Specification 3.0, sections
III.E, IV.A.1.a and IV.A.2.m).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

ATTRIBUTE, CONTINUATION = 0x0C, 0x10
LARGEST = 1 << 24
"""Bytes of the largest header or heap that is looked at."""

BytesAt = Callable[[int, int], bytes]


def read_old_text(
    bytes_at: BytesAt,  # from an address and a count to bytes of the file; raises ValueError outside of it
    header: int,  # the address of the header of the object that has the attribute
    name: bytes,  # of the attribute
    longest: int,  # how long it may be
) -> bytes:
    """Return a text of variable length; raise ValueError or struct.error if it is not there, longer, or its heap is damaged."""
    for kind, content in _messages(bytes_at, header):
        if kind == ATTRIBUTE and (found := _attribute(content))[0] == name:
            length, address, index = struct.unpack_from("<IQI", found[1])
            text = _heap(bytes_at, address).get(index, b"")
            if not length <= min(len(text), longest):
                raise ValueError(f"a text of {length} bytes is not there")
            return text[:length]
    raise ValueError("its text is not in its header")


def _messages(bytes_at: BytesAt, header: int) -> Iterator[tuple[int, bytes]]:
    """Yield (kind, content) of the messages of an object's header, which has version 1."""
    version, size = struct.unpack("<B7xI4x", bytes_at(header, 16))
    if version != 1:
        raise ValueError("its header is of a version that has no such text")
    blocks, total = [(header + 16, size)], 0
    for start, size in blocks:
        total += size
        if total > LARGEST or [at for at, _ in blocks].count(start) > 1:
            raise ValueError("its header has no end")
        block, at = bytes_at(start, size), 0
        while at + 8 <= size:
            kind, length = struct.unpack_from("<HH", block, at)
            content = block[at + 8 : at + 8 + length]
            if kind == CONTINUATION:
                blocks.append(struct.unpack_from("<QQ", content))
            yield kind, content
            at += 8 + length


def _attribute(message: bytes) -> tuple[bytes, bytes]:
    """Return the name of an attribute and its value."""
    version, *sizes = struct.unpack_from("<BxHHH", message)
    if version not in (1, 2, 3):
        raise ValueError("an attribute is of an unknown version")
    start = 9 if version == 3 else 8
    name = message[start : start + sizes[0]].partition(b"\0")[0]
    return name, message[start + sum(-(-size // 8) * 8 if version == 1 else size for size in sizes) :]


def _heap(bytes_at: BytesAt, address: int) -> dict[int, bytes]:
    """Return what is in a global heap, all of it, by number."""
    signature, size = struct.unpack("<4s4xQ", bytes_at(address, 16))
    if signature != b"GCOL" or size > LARGEST:
        raise ValueError("its text is in no heap")
    block, at, found = bytes_at(address, size), 16, dict[int, bytes]()
    while at + 16 <= size:
        index, length = struct.unpack_from("<H6xQ", block, at)
        if index == 0 and length == size - at:  # the rest is free; its length counts its header
            break
        if index == 0 or index in found or length > size - at - 16:
            raise ValueError("the heap of its text is damaged")
        found[index] = block[at + 16 : at + 16 + length]
        at += 16 + -(-length // 8) * 8
    return found
