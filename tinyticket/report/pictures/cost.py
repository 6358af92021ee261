"""What networks cost: the seconds of their trainings, multiply-adds and bytes, against density."""

from __future__ import annotations

from matplotlib import colormaps

from tinyticket.report.pictures.figure import Picture, against_density, dodged, finish, picture, plain, style
from tinyticket.report.series import controls, mean_seconds
from tinyticket.report.styles import COLOURS, STAMP, label_of, title_of
from tinyticket.results import Result
from tinyticket.results.analyses import cost as costs


def cost(result: Result) -> Picture:
    """Return seconds of a training, and multiply-adds and bytes of weights in percent of the dense network's."""
    rows = costs(result).rows
    densities = [100 * row["density"] for row in rows]
    figure, axes = picture(2)
    time, work = axes[0]
    dense, names = mean_seconds(result, "ticket")[0][1], ("ticket", *controls(result))
    time.axhline(dense, color=COLOURS[0], linestyle="--", linewidth=1.2, label=label_of(result, "dense"))
    for place, name in enumerate(names):
        points = mean_seconds(result, name)[name == "ticket" :]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        moved = dodged(time, place, len(names))
        time.plot(xs, ys, label=plain(label_of(result, name)), transform=moved, **style(name))
    time.set_ylim(0, None)
    against_density(time, densities[1:] or densities, "seconds of a training")
    work.axhline(100, color=COLOURS[0], linestyle="--", linewidth=1.2)
    operations = [100 * row["share_of_dense"] for row in rows]
    size = [100 * row["sparse_bytes"] / row["dense_bytes"] for row in rows]
    shares = {"multiply-adds": operations, "bytes of weights (value and position)": size}
    for place, (name, values) in enumerate(shares.items()):
        work.plot(densities, values, "o-", color=colormaps["viridis"](0.3 + 0.55 * place), markersize=4, label=name)
    work.set_ylim(0, None)
    against_density(work, densities, "of the dense network's (%)")
    work.legend(frameon=False, fontsize=9, loc="upper right")
    finish(figure, f"{title_of(result)}: what a training and a forward pass cost", STAMP, time)
    return figure
