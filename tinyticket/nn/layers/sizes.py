"""How sizes of windows are written down."""

from __future__ import annotations


def plain(sizes: tuple[int, int]) -> int | list[int]:
    """Return a pair as JSON knows it and people write it: one number if both are the same."""
    return sizes[0] if sizes[0] == sizes[1] else list(sizes)
