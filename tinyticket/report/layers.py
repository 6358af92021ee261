"""The density of every layer over that of its network, layers that are pruned alike as one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinyticket.errors import printable
from tinyticket.results import Result
from tinyticket.results.analyses.layers import layers

ALIKE = 0.01
"""Densities that lie closer than this are one line."""

Points = list[tuple[float, float]]


def layer_lines(result: Result) -> dict[str, Points]:
    """Return (density, layer's density) in percent by the names of layers, such as "fc1, fc2"."""
    lines: dict[str, Points] = {}
    for row in layers(result).rows:
        name = printable(str(row["layer"]).removesuffix(".weight"))
        lines.setdefault(name, []).append((100 * row["density"], 100 * row["layer_density"]))
    return merged(lines, 100 * ALIKE)


def merged(lines: Mapping[str, Points], within: float) -> dict[str, Points]:
    """Return lines of which those that lie nowhere further apart are one, under all their names."""
    groups: list[list[str]] = []
    for name, points in lines.items():
        same = [names for names in groups if _coincide(lines[names[0]], points, within)]
        if same:
            same[0].append(name)
        else:
            groups.append([name])
    return {", ".join(names): lines[names[0]] for names in groups}


def _coincide(first: Points, second: Points, within: float) -> bool:
    def near(a: Sequence[float], b: Sequence[float]) -> bool:
        return a[0] == b[0] and abs(a[1] - b[1]) <= within

    return len(first) == len(second) and all(map(near, first, second))
