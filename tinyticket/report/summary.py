"""A result in plain values: nested for JSON, flat for CSV."""

from __future__ import annotations

from typing import Any

from tinyticket.report.text import csv_text
from tinyticket.results import Result, Round
from tinyticket.results.frame import rows


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


def to_csv(result: Result) -> str:
    """Return the rows as comma-separated text with a header."""
    return csv_text(list(rows(result)))
