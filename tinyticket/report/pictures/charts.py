"""The charts of a result as pictures: accuracy and early stop as in the paper's figures, learning curves, layers, costs."""

from __future__ import annotations

from collections.abc import Sequence

from tinyticket.errors import InputError
from tinyticket.report import charts
from tinyticket.report import curves as learning
from tinyticket.report.pictures.figure import Picture, draw, finish, picture
from tinyticket.report.series import telling_round
from tinyticket.report.styles import STAMP, title_of
from tinyticket.results import Result
from tinyticket.results.analyses import cost as costs

PAIRED = "Bars: the verdict's 95% intervals, of the difference to the dense network of the same trial."
CHOSEN = "Early stops are chosen on the validation set."


def overview(result: Result) -> Picture:
    """Return accuracy and, where iterations compare, early stop side by side."""
    return _drawn([charts.accuracy(result), charts.early_stop(result)], _finding(result), _note(result))


def accuracy(result: Result) -> Picture:
    """Return test accuracy against density."""
    return _drawn([charts.accuracy(result)], _finding(result), _note(result))


def early_stop(result: Result) -> Picture:
    """Return early stop against density; InputError where it says nothing."""
    chart = charts.early_stop(result)
    if chart is None:
        why = "stop at iteration 0" if result.networks.timed else "do not compare in iterations with the dense one"
        raise InputError(f"the networks of {result.archive.name} {why}: there is no early stop to draw")
    return _drawn([chart], _finding(result), _note(result))


def curves(result: Result, round: int | None = None, trial: int | None = None) -> Picture:
    """Return validation loss and test accuracy over the iterations of a round, in means over trials or of one trial."""
    number = telling_round(result) if round is None else round
    found = {name: learning.curves(result, number, name, trial) for name in learning.QUANTITIES}
    drawn = [charts.curves(result, each, name, learning.limits([each])) for name, each in found.items()]
    chosen = result.round(result.trials[0].number if trial is None else trial, number)
    which = _trials(result) if trial is None else f"trial {trial}"
    several = trial is None and len(result.trials) > 1
    note = "Means; shaded from the lowest trial to the highest. " if several else ""
    title = f"{title_of(result)}, round {number} ({chosen.density:.1%} of the weights left), {which}"
    return _drawn(drawn, title, f"{note}Dots: early stop, chosen on the validation set.")


def layers(result: Result) -> Picture:
    """Return each layer's share of surviving weights against the network's."""
    return _drawn([charts.layers(result)], f"{title_of(result)}: density of every layer")


def cost(result: Result) -> Picture:
    """Return seconds of a training, and multiply-adds and bytes of weights in percent of the dense network's."""
    shown = [charts.time(result), charts.cost(costs(result).rows)]
    figure = _drawn(shown, f"{title_of(result)}: what a training and a forward pass cost", STAMP)
    for axis in figure.axes[1:]:
        axis.legend(frameon=False, fontsize=9, loc="upper right")
    return figure


def _drawn(shown: Sequence[charts.Chart | None], title: str, note: str = "") -> Picture:
    """Return charts side by side, with the legend of the first."""
    there = [chart for chart in shown if chart is not None]
    figure, axes = picture(len(there))
    for axis, chart in zip(axes[0], there, strict=True):
        draw(axis, chart)
    finish(figure, title, note, axes[0][0])
    return figure


def _finding(result: Result) -> str:
    """Return the title that says what an experiment found."""
    smallest = result.verdict["smallest_winning_density"]
    found = f"none proved to be a {result.networks.sought}" if smallest is None else (
        f"{result.networks.sought} at {smallest:.1%} of the weights"
    )  # fmt: skip
    return f"{title_of(result)}, {_trials(result)}: {found}"


def _note(result: Result) -> str:
    return f"{PAIRED} {CHOSEN}" if len(result.trials) > 1 else f"One trial: no intervals. {CHOSEN}"


def _trials(result: Result) -> str:
    trials = len(result.trials)
    return f"{trials} {'trial' if trials == 1 else 'trials'}"
