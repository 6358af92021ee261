"""Receptive fields of the first layer over the rounds: how clustered they are, and which pixels units still see."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.report.masks import mask_images
from tinyticket.report.pictures.figure import Picture, against_density, finish, plain, style
from tinyticket.report.pictures.masks import SIGNED
from tinyticket.report.styles import title_of
from tinyticket.results import Result
from tinyticket.results.analyses.fields import fields as analysis
from tinyticket.results.analyses.fields import first_layer

SHOWN, ACROSS = 6, 2
"""Rounds whose fields are shown, the first and the last among them, and how many stand in a row."""

SIZE = (13.0, 5.2)
"""In inches."""


RULED = SIGNED.with_extremes(bad="0.75")
"""The colours of weights, and of the lines between fields."""


def fields(result: Result) -> Picture:
    """Return how often pixels of one unit are neighbours, of tickets and of other masks, and what units of the first trial see."""
    _, shape = first_layer(result)
    rounds = result.trials[0].rounds
    places = np.unique(np.linspace(0, len(rounds) - 1, min(SHOWN, len(rounds))).round().astype(int))
    chosen = [rounds[place] for place in places]
    figure, down = Picture(figsize=SIZE, layout="constrained"), -(-len(chosen) // ACROSS)
    grid = figure.add_gridspec(down, 1 + ACROSS, width_ratios=(1.2, *[1] * ACROSS))
    rows = analysis(result).rows
    _draw_adjacency(figure.add_subplot(grid[:, 0]), rows)
    axes = [figure.add_subplot(grid[place // ACROSS, 1 + place % ACROSS]) for place in range(len(chosen))]
    for axis, round, images in zip(
        axes, chosen, mask_images(result, result.trials[0].number, chosen).values(), strict=True
    ):
        (values,) = [image.values for image in images if image.name.startswith("receptive fields")]
        axis.imshow(_ruled(values, shape), cmap=RULED, vmin=-1, vmax=1, interpolation="nearest")
        axis.set_axis_off()
        axis.set_title(f"{100 * round.density:.3g}% left", fontsize=9)
    note = "Right: trained weights of the units of the first layer that keep most in the last round, one colour for each sign."
    last = [row for row in rows if row["network"] == "ticket"][-1]
    more = (
        f", {last['adjacency']:.2f} times chance at {last['density']:.1%} of the weights" if last["adjacency"] else ""
    )
    finish(figure, f"{title_of(result)}: neighbours in receptive fields{more}", note)
    return figure


def _draw_adjacency(axis: Any, rows: list[dict[str, Any]]) -> None:
    axis.axhline(1, color="0.45", linestyle="--", linewidth=1, label="by chance")
    for network in dict.fromkeys(row["network"] for row in rows):
        of_network = [row for row in rows if row["network"] == network and row["adjacency"] is not None]
        xs, ys = [100 * row["density"] for row in of_network], [row["adjacency"] for row in of_network]
        axis.plot(xs, ys, label=plain(network), **style(network))
    against_density(
        axis, [100 * row["density"] for row in rows], "neighbours among a unit's pixels, relative to chance"
    )
    axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)


def _ruled(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return fields side by side with the lines between them marked as missing."""
    ruled = values.copy()
    ruled[shape[-2] :: shape[-2] + 1] = ruled[:, shape[-1] :: shape[-1] + 1] = np.nan
    return ruled
