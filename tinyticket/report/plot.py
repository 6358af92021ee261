"""The pictures of a result by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinyticket.errors import InputError, near
from tinyticket.report.pictures.charts import accuracy, cost, curves, early_stop, layers, overview
from tinyticket.report.pictures.fields import fields
from tinyticket.report.pictures.figure import checked, write
from tinyticket.report.pictures.masks import masks
from tinyticket.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS: dict[str, Callable[..., Any]] = {
    "overview": overview,
    "accuracy": accuracy,
    "early-stop": early_stop,
    "curves": curves,
    "masks": masks,
    "layers": layers,
    "fields": fields,
    "cost": cost,
}
OF_ONE = ("curves", "masks")
"""Pictures of one round, or of one trial's."""


def plot(
    result: Result,
    path: str | os.PathLike | None = None,
    kind: str = "overview",
    round: int | None = None,
    trial: int | None = None,
) -> Figure:
    """Return a picture of a result, which notebooks show.

    Parameters
    ----------
    result
    path
        Where to write it too, if anywhere: PNG, SVG or PDF, by the ending.
    kind : {"overview", "accuracy", "early-stop", "curves", "masks", "layers", "fields", "cost"}
        Accuracy and early stop against density, or one of the two; learning curves or masks of a round; the density of every
        layer; receptive fields of the first layer over the rounds; time, multiply-adds and bytes.
    round, trial
        Of "curves" and "masks"; else the smallest winning round or the last, and the mean of all trials or the first one's masks.

    Raises
    ------
    InputError
        If there is no such kind, round or trial, nothing to draw, or the file cannot be written.
    """
    if kind not in KINDS:
        raise InputError(f"no picture is called {kind!r}{near(kind, KINDS)}")
    chosen = {name: value for name, value in {"round": round, "trial": trial}.items() if value is not None}
    if chosen and kind not in OF_ONE:
        raise InputError(
            f"the picture {kind} is of all rounds and trials; {' and '.join(OF_ONE)} take a {next(iter(chosen))}"
        )
    target = None if path is None else checked(path)
    figure = KINDS[kind](result, **chosen)
    if target is not None:
        write(figure, target)
    return figure
