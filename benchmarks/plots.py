"""Pictures of a run: time against density with the density where sparse starts to win, against size and batch, and a roofline."""

import importlib.util
import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.arguments import Options
from benchmarks.probe import Probe
from benchmarks.rows import Row, threads_in_words
from tinyticket.errors import InputError

QUICK = "--quick: these figures mean nothing"

LINEAR = re.compile(r"linear-(\d+)x(\d+)-b(\d+)")
"""Names of the rows that time forward and backward pass of a linear layer together: inputs, outputs and batch."""


def require() -> None:
    """Complain if there is nothing to draw with, before anything is measured."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("--plot needs the package matplotlib: pip install matplotlib")


def draw(options: Options, rows: Sequence[Row]) -> Iterator[Path]:
    """Write the pictures of a run and yield where they are."""
    folder = Path(options.plot or ".")
    folder.mkdir(parents=True, exist_ok=True)
    stamp = _stamp(options, rows)
    curves = {r["case"]: [] for r in rows if r["density"] is not None}
    for r in rows:
        if r["density"] is not None:
            curves[r["case"]].append(r)
    for case, found in curves.items():
        if len({r["density"] for r in found}) > 1:
            yield _density_curve(folder / f"{options.benchmark}-{case}.png", case, found, stamp)
    yield from _growth_curves(folder, options.benchmark, rows, stamp)
    if any("flops" in r for r in rows):
        yield _roofline(folder / "roofline.png", [r for r in rows if "flops" in r], options.threads, stamp)


def break_even(densities: Sequence[float], ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Return the density at which two curves cross, straight between points on logarithmic axes; None if they do not.

    Where they cross more than once, the smallest.
    """
    points = sorted(zip(densities, ours, theirs, strict=True))
    gaps = [(math.log(d), math.log(a / b)) for d, a, b in points]
    for (left, low), (right, high) in pairwise(gaps):
        if low <= 0 < high:
            return math.exp(left + (right - left) * -low / (high - low))
    return None


def _density_curve(path: Path, case: str, rows: Sequence[Row], stamp: str) -> Path:
    from matplotlib.ticker import NullLocator

    figure, axes = _figure()
    lines = _curves(rows)
    sparse = lines.get("tinyticket, sparse kernels") or lines["tinyticket"]
    _plot_times(axes, lines)
    dense = lines.get("tinyticket, dense kernels") or lines.get("numpy") or lines.get("torch")
    if dense and dense is not sparse:
        shared = sorted({d for d, _ in sparse} & {d for d, _ in dense})
        crossing = break_even(shared, [dict(sparse)[d] for d in shared], [dict(dense)[d] for d in shared])
        if crossing:
            axes.axvline(crossing, color="0.6", lw=1, label=f"break-even with dense: {crossing:.2f}")
    axes.set(xlabel="density (share of weights left)", title=case)
    densities = sorted({r["density"] for r in rows})
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(densities, [f"{density:.3g}" for density in densities], fontsize=8)
    axes.invert_xaxis()
    _legend(figure, threads_in_words(rows[0]["threads"]))
    return _save(figure, path, stamp)


def _growth_curves(folder: Path, benchmark: str, rows: Sequence[Row], stamp: str) -> Iterator[Path]:
    """Draw the time of linear layers that differ in size alone, or in batch alone, where there are three and more."""
    curves: dict[tuple[str, str, str], dict[float, list[Row]]] = {}  # by the file's name, the title and what grows
    for r in rows:
        if found := LINEAR.fullmatch(r["case"]):
            inputs, outputs, batch = map(int, found.groups())
            weights, samples = "weights, the pruned ones included", "samples"
            by_size = f"b{batch}-by-size", f"linear layers, batch {batch}", weights
            by_batch = f"{inputs}x{outputs}-by-batch", f"a linear layer of {inputs} by {outputs}", samples
            curves.setdefault(by_size, {}).setdefault(inputs * outputs, []).append(r)
            curves.setdefault(by_batch, {}).setdefault(batch, []).append(r)
    for (name, title, label), groups in curves.items():
        if len(groups) > 2:
            yield _growth_curve(folder / f"{benchmark}-linear-{name}.png", title, label, groups, stamp)


def _growth_curve(path: Path, title: str, label: str, groups: dict[float, list[Row]], stamp: str) -> Path:
    figure, axes = _figure()
    lines: dict[str, dict[float, float]] = {}
    threads = max(r["threads"] for found in groups.values() for r in found)
    for place, found in groups.items():
        found = sorted((r for r in found if r["threads"] == threads), key=lambda r: r["density"])
        for r in reversed(found):
            if r["seconds"]:
                lines.setdefault(f"tinyticket, {100 * r['density']:.3g}% left", {})[place] = r["seconds"]
        for r in found:  # of peers, which are dense, the time beside all weights
            if r["peer_seconds"]:
                lines.setdefault(r["peer"], {})[place] = r["peer_seconds"]
    _plot_times(axes, {name: sorted(points.items()) for name, points in lines.items()})
    axes.set(xlabel=label, title=f"{title}, forward and both gradients")
    _legend(figure, threads_in_words(threads))
    return _save(figure, path, stamp)


def _curves(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """Return (density, seconds) by what was measured; peers that run on fewer threads say so."""
    lines: dict[str, dict[float, float]] = {}
    most = max(r["threads"] for r in rows)
    for r in rows:
        beside = "" if r["threads"] == most else f", {r['threads']} thread"
        if r["peer_seconds"]:
            lines.setdefault(f"{r['peer']}{beside}", {})[r["density"]] = r["peer_seconds"]
        if not r["seconds"] or beside:
            continue
        lines.setdefault("tinyticket", {})[r["density"]] = r["seconds"]
        for kernel in ("sparse", "dense"):
            if f"{kernel}_seconds" in r:
                lines.setdefault(f"tinyticket, {kernel} kernels", {})[r["density"]] = r[f"{kernel}_seconds"]
    if "tinyticket, sparse kernels" in lines:
        del lines["tinyticket"]  # is one or the other of them
    return {label: sorted(points.items()) for label, points in lines.items()}


def _roofline(path: Path, rows: Sequence[Row], threads: int, stamp: str) -> Path:
    from benchmarks.roofline import LEVELS, peaks

    found, many = peaks(threads), threads_in_words(threads)
    figure, axes = _figure()
    span = [10 ** (k / 20) for k in range(-30, 41)]
    for level in LEVELS:
        rates = [min(found["flops"], found[level] * per_byte) / 1e9 for per_byte in span]
        axes.plot(span, rates, lw=1, label=f"{level}, {found[level] / 1e9:.0f} GB/s")
    done = set()
    for r in rows:
        key = (r["case"], r["density"])
        if r["threads"] != threads or key in done or not r["seconds"]:
            continue
        done.add(key)
        x, y = r["flops"] / r["bytes"], r["flops"] / r["seconds"] / 1e9
        axes.plot([x], [y], "o" if "forward" in r["case"] else "s", color="k", ms=4)
        axes.annotate(f"{r['density']:g}", (x, y), fontsize=6, xytext=(3, 2), textcoords="offset points")
    axes.set(
        xscale="log", yscale="log", xlabel="useful operations per byte between cache and registers", ylabel="GFLOP/s",
        title=f"roofline, {many}, peak {found['flops'] / 1e9:.0f} GFLOP/s; circles forward, squares all passes",
    )  # fmt: skip
    _legend(figure)
    return _save(figure, path, stamp)


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # draws without a window, and changes no global state

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.grid(True, which="both", alpha=0.2)
    return figure, axes


def _plot_times(axes: Any, lines: dict[str, list[tuple[float, float]]]) -> None:
    """Draw seconds over what grows, tinyticket's in bold, on logarithmic axes."""
    for label, points in lines.items():
        places, seconds = zip(*points, strict=True)
        own = label.startswith("tinyticket")
        axes.plot(places, [s * 1e3 for s in seconds], "o-" if own else "s--", label=label, lw=2 if own else 1)
    axes.set(xscale="log", yscale="log", ylabel="milliseconds")


def _legend(figure: Any, title: str | None = None) -> None:
    figure.legend(title=title, fontsize=8, loc="outside right upper")


def _stamp(options: Options, rows: Sequence[Row]) -> str:
    """Return why a run's figures are not to be trusted, or nothing."""
    if options.quick:
        return QUICK
    varied = rows[0].get("probe_variation", {}) if rows else {}
    disturbed = [work for work, share in varied.items() if share > Probe.TOLERANCE[work]]
    return f"disturbed while measured: {', '.join(disturbed)}" if disturbed else ""


def _save(figure: Any, path: Path, stamp: str) -> Path:
    if stamp == QUICK:
        figure.text(0.5, 0.5, stamp, fontsize=22, color="crimson", alpha=0.35, rotation=20, ha="center", va="center")
    elif stamp:
        figure.supxlabel(stamp, fontsize=8, color="crimson")
    figure.savefig(path, dpi=120)
    return path
