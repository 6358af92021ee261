"""`run`: how long the published Lenet experiment takes, here and as a PyTorch loop with masks.

The protocol of the paper's section 2: 16 rounds of 50,000 iterations, 20% of the survivors pruned after each, 5,000
validation and 10,000 test examples evaluated every 100 iterations, the first and the last included. PyTorch needs
half an hour for it, so it is not run here: some hundred steps and some evaluations of each round are measured, in
alternating blocks, and multiplied. What that leaves out, on both sides: pruning and rewinding between rounds
(milliseconds), writing files, and that steps slow down a little as training goes on.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import environment, problems
from benchmarks.arguments import Options
from benchmarks.masks import Masks, masks_for
from benchmarks.own_step import OwnStep
from benchmarks.peers import Peers
from benchmarks.probe import Probe
from benchmarks.problems import Problem
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline, interleave

MODEL = "lenet-300-100"
BATCH_SIZE = 60
ROUNDS = 16
ITERATIONS = 50_000
EVALUATIONS = ITERATIONS // 100 + 1
FRACTION = 0.2

Costs = dict[str, tuple[float, float]]
"""Seconds of a step and of an evaluation, by contestant; "" is tinyticket."""


def measure(options: Options, peers: Peers, discipline: Discipline, probe: Probe) -> Iterator[Row]:
    """Yield a row for every round and peer, and one for the whole experiment."""
    problem = problems.make(MODEL, options.batch_size or BATCH_SIZE, options.examples)
    rounds = [(1 - FRACTION) ** number for number in range(ROUNDS)]
    if options.masks != "uniform":  # that experiment's own rounds, however many
        rounds = [density for density, _ in masks_for(problem.model(), None, options.masks)]
    choices = masks_for(problem.model(), options.densities or rounds, options.masks)
    measured: dict[float, Costs] = {}
    failed = dict(peers.missing)
    with environment.threads(options.threads):
        for density, masks in choices:
            measured[density] = _costs(problem, density, masks, peers, failed, discipline)
            probe.read()
    totals: dict[str, np.ndarray] = {}
    for number, density in enumerate(rounds):
        costs = {name: _at(density, measured, name) for name in next(iter(measured.values()))}
        for name, cost in costs.items():
            totals[name] = totals.get(name, np.zeros(2)) + _seconds(cost)
        extra = {"round": number, "interpolated": density not in measured, "batch_size": problem.batch_size}
        parts = {name: _seconds(cost) for name, cost in costs.items()}
        yield from _rows(MODEL, density, parts, failed, options, extra)
    yield from _rows(f"{MODEL} total", None, totals, failed, options, {"rounds": len(rounds)})


def _costs(
    problem: Problem, density: float, masks: Masks, peers: Peers, failed: dict[str, str], discipline: Discipline
) -> Costs:
    """Measure steps against steps, then evaluations against evaluations."""
    from benchmarks.torch_step import TorchStep

    sides: dict[str, Any] = {"": OwnStep(problem, masks if density < 1 else None)}
    sides |= {name: TorchStep(problem, name, masks) for name in peers.present}
    for side in sides.values():
        side(), side.evaluate()
    steps = interleave(sides, replace(discipline, longest=math.inf))
    evaluations = interleave({name: side.evaluate for name, side in sides.items()}, discipline)
    return {name: (steps[name].median, evaluations[name].median) for name in sides}


def _seconds(cost: tuple[float, float]) -> np.ndarray:
    """Return a round's seconds of training and of evaluation."""
    return np.array(cost) * (ITERATIONS, EVALUATIONS)


def _at(density: float, measured: dict[float, Costs], name: str) -> tuple[float, float]:
    """Return the costs at a density, between those that were measured if it was not."""
    known = sorted(measured)
    step, evaluation = (
        float(np.interp(np.log(density), np.log(known), [measured[d][name][part] for d in known])) for part in (0, 1)
    )
    return step, evaluation


def _rows(
    case: str,
    density: float | None,
    parts: dict[str, np.ndarray],
    failed: dict[str, str],
    options: Options,
    extra: dict[str, Any],
) -> Iterator[Row]:
    """Make a round's rows: training and evaluation together, and each apart in the extra keys."""
    training, evaluation = (float(seconds) for seconds in parts[""])
    extra = {**extra, "masks": options.masks, "extrapolated": True,
             "training_seconds": training, "evaluation_seconds": evaluation}  # fmt: skip
    shared = ("run", case, density, options.threads, training + evaluation)
    for name, peer_parts in parts.items():
        if name:
            theirs = [float(seconds) for seconds in peer_parts]
            yield row(
                *shared, name, sum(theirs), **extra, peer_training_seconds=theirs[0], peer_evaluation_seconds=theirs[1],
                training_ratio=theirs[0] / training, evaluation_ratio=theirs[1] / evaluation,
            )  # fmt: skip
    for name, reason in failed.items():
        yield row(*shared, name, None, **extra, note=reason)
    if len(parts) == 1 and not failed:
        yield row(*shared, **extra)


def remarks(rows: list[Row]) -> list[str]:
    """Say what the figures of this run are and are not."""
    lines = [
        f"Extrapolated: the measured steps times {ITERATIONS:,} and the measured evaluations times {EVALUATIONS} in "
        f"each of {max((r.get('rounds', 0) for r in rows), default=0)} rounds; nothing was run to its end.",
    ]
    if between := sum(r.get("interpolated", False) for r in rows):
        lines.append(f"{between} of these rows lie between densities that were measured.")
    for r in rows:
        if r["density"] is None and "training_seconds" in r:
            own = f"training {r['training_seconds']:.0f} s, evaluation {r['evaluation_seconds']:.0f} s"
            if r["ratio"] is None:
                lines.append(f"Of the total: {own}.")
            else:
                lines.append(
                    f"Of the total: {own}; {r['peer']}: training {r['peer_training_seconds']:.0f} s "
                    f"({r['training_ratio']:.1f}x), evaluation {r['peer_evaluation_seconds']:.0f} s "
                    f"({r['evaluation_ratio']:.1f}x)."
                )
    return lines
