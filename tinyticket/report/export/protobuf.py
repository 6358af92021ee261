"""Protocol buffers, as far as writing needs them: a message is a row of fields, each with a number, a kind and a value."""

from __future__ import annotations

import struct

VARINT, BYTES, FLOAT = 0, 2, 5
Field = int | float | str | bytes


def message(*fields: tuple[int, Field]) -> bytes:
    """Return a message of fields (number, value), where a message inside is its bytes."""
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: Field) -> bytes:
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | FLOAT) + struct.pack("<f", value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    """Return a whole number from 0 on, seven bits to a byte, the lowest first."""
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
