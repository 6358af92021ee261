"""A result in plain values: nested for JSON, flat for CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from tinyticket.results import Result, Round


def summary(result: Result) -> dict[str, Any]:
    """Return trials, rounds and controls, the verdict, the configuration and the digest as JSON values (docs/format.md)."""
    return {
        "trials": [
            {"trial": trial.number, "seed": result.seed, "rounds": [_round(round) for round in trial.rounds]}
            for trial in result.trials
        ],
        "verdict": result.verdict,
        "config": result.config,
        "digest": result.digest,
    }


def _round(round: Round) -> dict[str, Any]:
    controls = {name: {"round": round.number, **control.scalars()} for name, control in round.controls.items()}
    return {"round": round.number, **round.scalars(), "controls": controls}


def rows(result: Result) -> Iterator[dict[str, Any]]:
    """Yield one flat row per training: trial, round, network ("ticket" or a control's name) and its numbers."""
    for trial in result.trials:
        for round in trial.rounds:
            for name, run in {"ticket": round, **round.controls}.items():
                yield {"trial": trial.number, "round": round.number, "network": name, **run.scalars()}


def to_csv(result: Result) -> str:
    """Return the rows as comma-separated text with a header."""
    table = list(rows(result))
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(table[0]) if table else ["trial"])
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()
