"""The words and tables of a page: the verdict in a few numbers, every round, every training, times and costs, provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tinyticket.errors import InputError
from tinyticket.lottery.settings.table import SETTINGS
from tinyticket.lottery.settings.toml import to_toml
from tinyticket.report.series import controls, series
from tinyticket.report.styles import STAMP
from tinyticket.report.summary import rows
from tinyticket.results import Result
from tinyticket.results.analyses.layers import layers
from tinyticket.results.naming import TICKETS
from tinyticket.results.result import runs_of


class Cell(NamedTuple):
    """What a cell shows, and what it is sorted by."""

    text: str
    value: float | str


@dataclass(frozen=True)
class Table:
    """A table that sorts by any column."""

    caption: str
    headings: list[str]
    rows: list[list[Cell]]


class Fact(NamedTuple):
    """A number, what it is, and its interval if there is one."""

    number: str
    words: str
    bounds: str = ""


def facts(result: Result) -> list[Fact]:
    """Return the verdict in a few numbers."""
    verdict, networks = result.verdict, result.networks
    count = verdict["trials"]
    trials = Fact(str(count), f"{'trial' if count == 1 else 'trials'}, each from other initial weights")
    smallest = min(verdict["winning_rounds"], key=lambda number: _density(verdict, number)["density"], default=None)
    if smallest is None:
        return [Fact("none", f"no {networks.sought} is proved"), trials]
    found = _density(verdict, smallest)
    shown = [
        Fact(f"{found['density']:.1%}", f"of the weights left: the smallest {networks.sought}"),
        Fact(
            *_interval(
                found["accuracy_difference"],
                100,
                "+.2f",
                f"{result.metric.unit} on the test set against the dense network",
            )
        ),
    ]
    if found["early_stop_ratio"]:
        shown.append(Fact(*_interval(found["early_stop_ratio"], 1, ".2f", "times the dense network's early stop")))
    if (control := found["controls"].get("reinit")) and networks == TICKETS:
        words = f"{result.metric.unit} against the same mask with new initial weights"
        shown.append(Fact(*_interval(control["ticket_minus_control"], 100, "+.2f", words)))
    return [*shown, trials]


def rounds_table(result: Result) -> Table:
    """Return a row for every kind of network and density, in means over trials."""
    several = len(result.trials) > 1
    standings = {found["round"]: found["standing"] for found in result.verdict["densities"]}
    found = []
    for network in ("ticket", *controls(result)):
        stops = series(result, network, lambda run: run.early_stop_iteration)
        own, final = (
            series(result, network, lambda run, name=name: 100 * getattr(run, name))  # type: ignore[misc]
            for name in ("test_accuracy", "final_test_accuracy")
        )
        left = series(result, network, lambda run: run.weights_left)
        times = series(result, network, lambda run: run.seconds)
        for each in zip(left, stops, own, final, times, strict=True):
            weights, stop, accuracy, last, seconds = each
            dense = weights.round == 0
            spread = f" ({accuracy.low:.2f} to {accuracy.high:.2f})" if len(accuracy.values) > 1 else ""
            found.append([
                Cell(str(weights.round), weights.round),
                _text("dense" if dense else network),
                Cell(f"{weights.density:.1%}", weights.density),
                Cell(f"{weights.mean:,.0f}", weights.mean),
                Cell(f"{stop.mean:,.0f}", stop.mean),
                Cell(f"{accuracy.mean:.2f}{spread}", accuracy.mean),
                Cell(f"{last.mean:.2f}", last.mean),
                Cell(f"{seconds.mean:.2f}", seconds.mean),
                _text(standings.get(weights.round, "") if network == "ticket" else ""),
            ])  # fmt: skip
    headings = ["round", "network", "density", "weights left", "early stop", f"test {result.metric.title} % there",
                "% after the last iteration", "seconds", "verdict"]  # fmt: skip
    caption = "Means over trials; in brackets from the smallest to the largest." if several else "One trial."
    return Table(caption, headings, found)


def trainings_table(result: Result) -> Table:
    """Return a row for every training."""
    found = [
        [
            Cell(str(row["trial"]), row["trial"]),
            Cell(str(row["round"]), row["round"]),
            _text(row["network"] if row["round"] else "dense"),
            Cell(f"{row['density']:.1%}", row["density"]),
            Cell(f"{row['weights_left']:,}", row["weights_left"]),
            Cell(f"{row['early_stop_iteration']:,}", row["early_stop_iteration"]),
            Cell(f"{row['validation_loss']:.4f}", row["validation_loss"]),
            Cell(f"{100 * row['test_accuracy']:.2f}", row["test_accuracy"]),
            Cell(f"{100 * row['final_test_accuracy']:.2f}", row["final_test_accuracy"]),
            Cell(f"{row['seconds']:.2f}", row["seconds"]),
        ]
        for row in rows(result)
    ]
    headings = ["trial", "round", "network", "density", "weights left", "early stop", "validation loss there",
                f"test {result.metric.title} % there", "% after the last iteration", "seconds"]  # fmt: skip
    return Table(f"All {len(found):,} trainings.", headings, found)


def times_table(result: Result) -> Table:
    """Return where the wall time went: in dense networks, tickets and every control."""
    held = {"dense": [trial.rounds[0] for trial in result.trials]}
    for network in ("ticket", *controls(result)):
        held[network] = [run for number, runs in runs_of(result, network).items() if number for run in runs.values()]
    total = sum(run.seconds for runs in held.values() for run in runs) or 1.0
    found = []
    for network, runs in held.items():
        seconds = sum(run.seconds for run in runs)
        each = seconds / max(len(runs), 1)
        found.append([
            _text(network),
            Cell(f"{len(runs):,}", len(runs)),
            Cell(f"{seconds:,.1f}", seconds),
            Cell(f"{each:.2f}", each),
            Cell(f"{seconds / total:.0%}", seconds),
        ])  # fmt: skip
    return Table(
        STAMP,
        ["network", "trainings", "seconds", "seconds each", "share"],
        found,
    )


def layers_table(result: Result) -> Table:
    """Return what every layer keeps in the last round."""
    found = layers(result).rows
    last = [row for row in found if row["round"] == found[-1]["round"]]
    rows = [
        [
            _text(row["layer"]),
            Cell(f"{row['weights']:,}", row["weights"]),
            Cell(f"{row['weights_left']:,.0f}", row["weights_left"]),
            Cell(f"{row['layer_density']:.2%}", row["layer_density"]),
        ]
        for row in last
    ]
    headings = ["layer", "weights", "left", "density"]
    return Table(f"In round {found[-1]['round']}, in means over trials.", headings, rows)


def saved(row: dict[str, Any], dense: dict[str, Any]) -> str:
    """Return in a sentence what a round costs and what that saves, given the costs of the dense network."""
    operations, before = row["multiply_adds"], dense["multiply_adds"]
    sparse, whole = row["sparse_bytes"] / 1000, row["dense_bytes"] / 1000
    return (
        f"With {row['density']:.1%} of the weights left one example takes {operations:,.0f} multiply-adds instead of "
        f"{before:,.0f} ({1 - row['share_of_dense']:.0%} saved), and the weights {sparse:,.1f} kB instead of {whole:,.1f}."
    )


def cost_table(result: Result, found: list[dict[str, Any]]) -> Table:
    """Return multiply-adds and bytes by density."""
    plans = {number: next(iter(runs.values())).plan for number, runs in runs_of(result).items()}
    shown = [
        [
            Cell(str(row["round"]), row["round"]),
            Cell(f"{row['density']:.1%}", row["density"]),
            Cell(f"{row['multiply_adds']:,.0f}", row["multiply_adds"]),
            Cell(f"{1 - row['share_of_dense']:.1%}", row["share_of_dense"]),
            Cell(f"{row['sparse_bytes'] / 1000:,.1f}", row["sparse_bytes"]),
            Cell(f"{1 - row['sparse_bytes'] / row['dense_bytes']:.1%}", row["sparse_bytes"]),
            _text(_kernels(plans[row["round"]])),
        ]
        for row in found
    ]
    headings = ["round", "density", "multiply-adds", "saved", "kilobytes sparse", "saved", "kernels"]
    return Table(
        "For one example's forward pass; a sparse weight is stored as its value and its position, 8 bytes.",
        headings,
        shown,
    )


def _kernels(plan: dict[str, Any]) -> str:
    """Return how a training was executed: "eager", or which layers ran sparse."""
    kernels = plan.get("kernels")
    if not isinstance(kernels, dict):
        return str(plan.get("mode", ""))
    sparse = [str(name).removesuffix(".weight") for name, kernel in kernels.items() if kernel == "sparse"]
    if len(sparse) in (0, len(kernels)):
        return "all sparse" if sparse else "all dense"
    return f"sparse: {', '.join(sparse)}"


def provenance(result: Result) -> tuple[list[Fact], str]:
    """Return where a result comes from, fact by fact, and its settings as TOML."""
    data = result.data
    examples = data["examples"]
    shown = {
        "data": f"{data['name']}: {examples['train']:,} examples to train, {examples['validation']:,} to validate, "
        f"{examples['test']:,} to test",
        "seed": str(result.seed),
        **{f"version of {name}": str(value) for name, value in result.versions.items()},
        **{name: str(value) for name, value in result.machine.items()},
        "digest of the result": result.digest,
        **{f"digest of {name}": value for name, value in data["fingerprints"].items()},
    }
    try:
        settings = to_toml(result.config)
    except InputError:  # of a later version, or a criterion of somebody's own
        settings = "".join(f"# {line}\n" for line in json.dumps(result.config, indent=1).splitlines())
    return [Fact(value, name) for name, value in shown.items()], settings


def differing(results: Iterable[Result]) -> list[dict[str, str]]:
    """Return for each result the settings in which it differs from any other."""
    configs = [result.config for result in results]
    names = dict.fromkeys(name for config in configs for name in config)
    absent = {name: SETTINGS[name].absent for name in names if name in SETTINGS}
    values = {name: [config.get(name, absent.get(name)) for config in configs] for name in names}
    shown = [name for name, found in values.items() if any(value != found[0] for value in found)]
    return [{name: _plain(values[name][i]) for name in shown} for i in range(len(configs))]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value)


def _text(words: str) -> Cell:
    return Cell(words, words)


def _interval(found: dict[str, Any], scale: float, form: str, words: str) -> tuple[str, str, str]:
    mean, low, high = (value if value is None else f"{scale * value:{form}}" for value in found.values())
    return str(mean), words, f"{low} to {high}" if low and high else ""


def _density(verdict: dict[str, Any], number: int) -> dict[str, Any]:
    return next(found for found in verdict["densities"] if found["round"] == number)
