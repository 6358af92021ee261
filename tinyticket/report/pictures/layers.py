"""The density of every layer against that of the network."""

from __future__ import annotations

from matplotlib import colormaps

from tinyticket.report.layers import layer_lines
from tinyticket.report.pictures.figure import Picture, against_density, finish, picture, plain
from tinyticket.report.styles import title_of
from tinyticket.results import Result


def layers(result: Result) -> Picture:
    """Return each layer's share of surviving weights against the network's."""
    lines = layer_lines(result)
    figure, axes = picture()
    for place, (name, points) in enumerate(lines.items()):
        colour = colormaps["viridis"](0.9 * place / max(len(lines) - 1, 1))
        xs, ys = zip(*points, strict=True)
        axes[0][0].plot(xs, ys, "o-", color=colour, markersize=3.5, label=plain(name))
    axes[0][0].set_ylim(0, None)
    against_density(axes[0][0], [x for points in lines.values() for x, _ in points], "the layer's weights left (%)")
    finish(figure, f"{title_of(result)}: density of every layer", legend=axes[0][0])
    return figure
