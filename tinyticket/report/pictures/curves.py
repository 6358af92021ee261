"""The learning curves of a round beside those of the dense network and the controls."""

from __future__ import annotations

from tinyticket.report import curves as learning
from tinyticket.report.pictures.figure import Picture, finish, picture, plain, style
from tinyticket.report.series import telling_round
from tinyticket.report.styles import label_of, title_of
from tinyticket.results import Result


def curves(result: Result, round: int | None = None, trial: int | None = None) -> Picture:
    """Return validation loss and test accuracy over the iterations of a round, in means over trials or of one trial."""
    number = telling_round(result) if round is None else round
    figure, axes = picture(len(learning.QUANTITIES))
    for axis, (quantity, label) in zip(axes[0], learning.QUANTITIES.items(), strict=True):
        found = learning.curves(result, number, quantity, trial)
        for curve in found:
            drawn = style(curve.network) | {"marker": ""}
            axis.plot(curve.iterations, curve.mean, label=plain(label_of(result, curve.network)), **drawn)
            axis.fill_between(curve.iterations, curve.low, curve.high, color=drawn["color"], alpha=0.13, linewidth=0)
            height = curve.mean[abs(curve.iterations - curve.stop).argmin()]
            axis.plot([curve.stop], [height], "o", color=drawn["color"], markersize=5.5, label="_stop")
        axis.set_ylim(*learning.limits([found]))
        axis.set_xlabel("iteration")
        axis.set_ylabel(label.format(result.metric.title))
        axis.grid(alpha=0.25)
    chosen = result.round(result.trials[0].number if trial is None else trial, number)
    which = (
        f"trial {trial}"
        if trial is not None
        else f"{len(result.trials)} trials"
        if len(result.trials) > 1
        else "1 trial"
    )
    several = trial is None and len(result.trials) > 1
    note = "Means; shaded from the lowest trial to the highest. " if several else ""
    title = f"{title_of(result)}, round {number} ({chosen.density:.1%} of the weights left), {which}"
    finish(figure, title, f"{note}Dots: early stop, chosen on the validation set.", axes[0][0])
    return figure
