"""Small images of one or two colours on any paper: PNG with a palette of sixteen, whose opacity is the value."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from tinyticket.report.styles import INK, NEGATIVE, POSITIVE


def data_uri(values: np.ndarray) -> str:
    """Return an image as a data URI; values are in [0, 1], or from -1 to 1 for two colours."""
    return f"data:image/png;base64,{base64.b64encode(png(values)).decode()}"


def png(values: np.ndarray) -> bytes:
    """Return a PNG (ISO/IEC 15948): four bits a pixel, 0 transparent."""
    signed, steps = bool((values < 0).any()), 15
    if signed:
        steps = 7
    levels = np.rint(np.abs(values) * steps).astype(np.uint8)
    levels = np.where((levels > 0) & (values > 0), levels, 0) | np.where((levels > 0) & (values < 0), levels + 7, 0)
    colours = [INK, *([POSITIVE] * 7 + [NEGATIVE] * 7 if signed else [INK] * 15)]
    opacity = [0, *(round(255 * (place % steps + 1) / steps) for place in range(len(colours) - 1))]
    height, width = values.shape
    even = np.pad(levels, [(0, 0), (0, width % 2)]).astype(np.uint8)
    packed = even[:, ::2] << 4 | even[:, 1::2]
    rows = np.pad(packed, [(0, 0), (1, 0)])  # before each row a byte says that it is not filtered
    header = struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)
    parts = {
        b"IHDR": header,
        b"PLTE": bytes(channel for colour in colours for channel in colour),
        b"tRNS": bytes(opacity),
        b"IDAT": zlib.compress(rows.tobytes(), 9),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts.items())


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
