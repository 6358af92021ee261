"""A result, or a folder of results, as one HTML page that needs no network."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from tinyticket import store
from tinyticket._version import __version__
from tinyticket.errors import InputError, printable
from tinyticket.report import charts
from tinyticket.report.against_dense import accuracy_limits
from tinyticket.report.page import drawn, parts
from tinyticket.report.page.svg import svg
from tinyticket.report.series import telling_round
from tinyticket.report.styles import COLOURS, DARK, LAYERS, LAYERS_DARK, title_of
from tinyticket.results import Result
from tinyticket.results.analyses import cost


def report(results: Result | Sequence[Result], path: str | os.PathLike | None = None) -> str:
    """Return a result as an HTML page, or several as one page that sets them side by side.

    The page holds all that it shows: nothing is fetched, and nothing but its own script runs, whatever a file says.

    Parameters
    ----------
    results
        A result, or several, such as those of a sweep.
    path
        Where to write the page too, if anywhere: an .html file.

    Raises
    ------
    InputError
        If there is no result, the path has another ending, or the file cannot be written.
    """
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"the page {path} has no ending that says what it is: .html")
    for each in [results] if isinstance(results, str | Result) else results:
        if not isinstance(each, Result):
            raise InputError(f"a page is made of results, as tt.load returns them, not of {each!r:.60}")
    if isinstance(results, Result):
        page = _render("result.html", _result(results))
    elif not results:
        raise InputError("a page is about at least one result")
    else:
        page = _render("sweep.html", _sweep(results))
    if path is not None:
        store.replace(Path(path), page.encode())
    return page


def _result(result: Result) -> dict[str, Any]:
    facts, settings = parts.provenance(result)
    layers = charts.layers(result)
    chosen = telling_round(result)
    try:
        costs, unknown = cost(result).rows, ""
    except InputError as error:  # the network is of a class of its own, which is not in the file
        costs, unknown = [], str(error)
    cost_chart = charts.cost(costs) if costs else None
    name = Path(result.path).name if result.path else result.archive.name
    return {
        **_summary(result),
        "learning": drawn.learning_frames(result),
        "masks": drawn.mask_frames(result),
        "chosen": chosen,
        "first_trial": result.trials[0].number,
        "layers": svg(layers),
        "layers_legend": _legend(layers),
        "layers_table": parts.layers_table(result),
        "time": svg(charts.time(result)),
        "times": parts.times_table(result),
        "costs": parts.cost_table(result, costs) if costs else None,
        "cost": svg(cost_chart),
        "cost_legend": [("n0", "dense network"), *(_legend(cost_chart) if cost_chart else ())],
        "saved": parts.saved(costs[chosen], costs[0]) if costs else unknown,
        "trainings": parts.trainings_table(result),
        "provenance": facts,
        "settings": settings,
        "name": name,
    }


def _summary(result: Result) -> dict[str, Any]:
    """Return what stands about a result on every page."""
    lead, *more = result.verdict["text"].split("; ")
    judged, metric = bool(result.verdict["densities"]), result.metric
    return {
        "title": title_of(result),
        "how": result.networks.how,
        "lead": lead,
        "more": more,
        "facts": parts.facts(result),
        "winning": bool(result.verdict["winning_rounds"]),
        "margin": result.verdict["margin"],
        "several": len(result.trials) > 1,
        "timed": result.networks.timed,
        "metric": metric.title[0].upper() + metric.title[1:],
        "unit": metric.unit,
        "accuracy": svg(charts.accuracy(result)) if judged else "",
        "early_stop": svg(charts.early_stop(result)) if judged else "",
        "legend": drawn.legend(result),
        "networks": drawn.legend(result, each=True),
        "rounds": parts.rounds_table(result),
    }


def _sweep(results: Sequence[Result]) -> dict[str, Any]:
    names = [Path(result.path).stem if result.path else title_of(result) for result in results]
    settings = parts.differing(results)
    judged = [result for result in results if result.verdict["densities"]]
    limits = [accuracy_limits(result) for result in judged]
    shared = min((low for low, _ in limits), default=0.0), max((high for _, high in limits), default=1.0)
    small = [_small(result, shared) if result in judged else "" for result in results]
    columns = list(dict.fromkeys(name for each in settings for name in each))
    index = []
    for number, (name, result, own) in enumerate(zip(names, results, settings, strict=True)):
        smallest = result.verdict["smallest_winning_density"]
        index.append([
            parts.Cell(name, name),
            *(parts.Cell(own.get(column, ""), own.get(column, "")) for column in columns),
            parts.Cell("none proved" if smallest is None else f"{smallest:.1%}", 2 if smallest is None else smallest),
            parts.Cell(str(len(result.trials)), len(result.trials)),
            parts.Cell(str(number), number),
        ])  # fmt: skip
    return {
        "title": f"{len(results)} experiments",
        "headings": ["experiment", *columns, "smallest winning density", "trials"],
        "index": index,
        "legend": list(dict.fromkeys(entry for result in results for entry in drawn.legend(result))),
        "experiments": [
            {**_summary(result), "name": name, "own": own, "small": chart}
            for name, result, own, chart in zip(names, results, settings, small, strict=True)
        ],
    }


def _legend(chart: charts.Chart) -> list[tuple[str, str]]:
    return [(line.style, line.label) for line in chart.series]


def _small(result: Result, y: tuple[float, float]) -> str:
    """Return the accuracies of a result beside others', between the same limits."""
    shown = replace(charts.accuracy(result), y=(100 * y[0], 100 * y[1]), y_label=f"{result.metric.title} (%)")
    return svg(shown, 260, 190)


def _render(template: str, values: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(__package__, "assets")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_visible)
    environment.trim_blocks = environment.lstrip_blocks = True
    script, style = _asset("page.js"), _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()  # the page runs this script alone
    light, dark = _variables(COLOURS, LAYERS), _variables(DARK, LAYERS_DARK)
    shared = {"script": script, "style": style, "digest": digest, "version": __version__, "light": light, "dark": dark}
    return environment.get_template(template).render(**shared, **values)


def _variables(networks: Sequence[str], layers: Sequence[str]) -> str:
    """Return the colours of networks and layers as variables of a style sheet."""
    named = {f"--{kind}{i}": colour for kind, held in (("n", networks), ("l", layers)) for i, colour in enumerate(held)}
    return "".join(f"{name}:{colour};" for name, colour in named.items())


def _visible(value: Any) -> Any:
    """Return text of which every character but the end of a line is one that can be seen; what is HTML stays as it is."""
    return "\n".join(map(printable, value.split("\n"))) if type(value) is str else value


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")
