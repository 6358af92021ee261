"""Where an axis has ticks, and which of their words have room."""

from __future__ import annotations

import math
from collections.abc import Sequence

CHARACTER, GAP = 6.6, 6
"""The width of a character, and the least room between two words."""


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round values between two, at most so many: multiples of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-12)
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * i for i in range(first, last + 1)]


def labels(values: Sequence[float]) -> list[str]:
    """Return the words of ticks, all with as many decimals as their distance needs."""
    step = values[1] - values[0] if len(values) > 1 else abs(values[0]) if values else 1
    decimals = max(0, -math.floor(math.log10(step or 1) + 1e-9))
    return [f"{value + 0.0:,.{decimals}f}" for value in values]


def apart(centres: Sequence[float], names: Sequence[str]) -> list[int]:
    """Return which words have room beside each other: the first, the last, and as many between as fit."""
    halves = [CHARACTER * len(name) / 2 + GAP / 2 for name in names]
    kept: list[int] = []
    for i in [0, len(names) - 1, *range(1, len(names) - 1)] if names else []:
        if all(abs(centres[i] - centres[other]) >= halves[i] + halves[other] for other in kept):
            kept.append(i)
    return sorted(kept)
