"""From the options that somebody gave to the settings of an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyticket.errors import InputError, near
from tinyticket.lottery.methods import METHODS
from tinyticket.lottery.methods.early_bird import SCALE_PENALTY
from tinyticket.lottery.pruning import AT_INIT, ties_of
from tinyticket.lottery.settings.declare import BySize, Open
from tinyticket.lottery.settings.table import RUNNING, SETTINGS, Running, Settings
from tinyticket.prune import parse_fractions

LARGE = 10_000
"""From so many training examples on data are large."""

Options = dict[str, Any]


def separate(options: Mapping[str, Any]) -> tuple[Running, Options]:
    """Return how an experiment is run, and the options that decide its result; raise InputError for what is neither."""
    for name in options:
        if name not in SETTINGS and name not in RUNNING:
            raise InputError(f"no setting is called {name!r}{near(name, [*SETTINGS, *RUNNING])}")
    running = Running(**{name: value for name, value in options.items() if name in RUNNING})
    return running, {name: value for name, value in options.items() if name in SETTINGS}


def read(options: Mapping[str, Any]) -> Options:
    """Return options as an experiment works with them; None is not given."""
    return {name: SETTINGS[name].read(value) for name, value in options.items() if value is not None}


def merge(options: Mapping[str, Any], given: Mapping[str, Any]) -> Options:
    """Return options with those that are given in their place; one-shot and rounds of pruning replace each other."""
    several, once = {"rounds", "prune"}, {"one_shot"}
    replaced = (several if given.keys() & once else set()) | (once if given.keys() & several else set())
    return {**{name: value for name, value in options.items() if name not in replaced}, **given}


def resolve(*, training_examples: int, **options: Any) -> Settings:
    """Fill in what was left open: the paper's Lenet recipe, shortened for data sets below 10,000 examples such as the digits.

    docs/verdict.md says why the digits have 12 trials, and small data a margin of half a point.
    """
    given, large = read(options), training_examples >= LARGE
    known = {name: _of_size(setting.default, large) for name, setting in SETTINGS.items()}
    by_data = {
        "trials": 1 if large else 12 if given["data"] == "digits" else 3,
        "validation": 5_000 if large else max(1, min(200, training_examples // 5)),
    }
    values = {name: value for name, value in known.items() if value is not None} | by_data | _by_method(given) | given
    return Settings(**{**values, **_pruning(given, values["prune"], values["scope"])})


def _of_size(default: Any, large: bool) -> Any:
    if isinstance(default, BySize):
        return default.large if large else default.small
    return None if isinstance(default, Open) else default


def _by_method(given: Options) -> Options:
    scope = "global" if given.get("criterion") in AT_INIT else "layer"
    penalty = SCALE_PENALTY if given.get("early_bird_by") == "channels" else 0.0
    ties = ties_of(given.get("criterion", "magnitude"))
    general = {
        "scope": scope,
        "ties": ties,
        "controls": ["reinit", "random"],
        "score_lr": 0.0,
        "scale_penalty": penalty,
    }
    return general | METHODS[given.get("method", "tickets")].defaults


def _pruning(given: Options, fraction: Any, scope: str) -> Options:
    """Return rounds and fractions, as far as others decide them."""
    densities = given.get("one_shot")
    if densities is not None:
        if other := [name for name in ("rounds", "prune") if name in given]:
            raise InputError(
                f"{other[0]} and one-shot exclude each other: one-shot prunes the dense network once to each density"
            )
        if not densities or len(set(densities)) < len(densities):
            raise InputError(f"one-shot wants one or more different densities; got {densities}")
        return {"rounds": len(densities), "prune": {}}
    return {"one_shot": (), "prune": parse_fractions(fraction, scope) if fraction != {} else {}}
