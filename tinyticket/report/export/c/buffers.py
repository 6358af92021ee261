"""Buffers between layers: one is used again as soon as nobody reads it any more."""

from __future__ import annotations

INPUT = "x"
"""The caller's array, which is only read."""


class Buffers:
    """The arrays that a program computes in, with how many floats each holds at most."""

    def __init__(self):
        self.sizes: dict[str, int] = {}
        self._readers: dict[str, int] = {}

    def take(self, size: int) -> str:
        """Return a buffer that nobody reads, of so many floats at least, with one reader to come."""
        free = [name for name in self.sizes if not self._readers[name]]
        name = max(free, key=self.sizes.__getitem__, default=f"buffer{len(self.sizes)}")
        self.sizes[name] = max(size, self.sizes.get(name, 0))
        self._readers[name] = 1
        return name

    def keep(self, name: str) -> None:
        """Let a buffer have one more reader."""
        if name != INPUT:
            self._readers[name] += 1

    def drop(self, name: str) -> None:
        """Say that a reader has done."""
        if name != INPUT:
            self._readers[name] -= 1

    def may_change(self, name: str) -> bool:
        """Whether its only reader may write into it."""
        return name != INPUT and self._readers[name] == 1
