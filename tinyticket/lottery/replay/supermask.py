"""Networks that classify though nothing in them was trained: a mask of a trained network, put on its initial weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyticket import prune
from tinyticket.compiler import EagerStep
from tinyticket.data import Dataset
from tinyticket.lottery.algorithm import Masks, State, reset
from tinyticket.lottery.inputs import split
from tinyticket.lottery.losses import make_loss
from tinyticket.lottery.pruning import ties_of
from tinyticket.lottery.replay.again import data_of
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.streams import stream
from tinyticket.nn import Module
from tinyticket.nn.sources import signed_deviation
from tinyticket.optim import SGD
from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.naming import Metric
from tinyticket.results.result import Result

WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"initial": np.copy, "constant": signed_deviation}
PRUNINGS = (1, 2, 4, 6, 8, 10, 13, 16)  # one-shot, as much as so many rounds would remove


def supermask(
    result: Result, data: str | Dataset | tuple | None = None, folder: str | os.PathLike | None = None
) -> Analysis:
    """Return the accuracy of m * theta_0, untrained, for every criterion's mask m (Zhou et al. 2019, section 5).

    The masks are pruned from the trained dense network in one shot, by each of `prune.CRITERIA` and, for a baseline, at random, to
    the densities that iterative pruning by 20% a round passes (the output layer: 10%). The weights under them are the initial
    ones, or their signs times the deviation of their layer ("constant"). Numbers are means over trials. The best mask is the one
    with the best validation accuracy: the test set chooses nothing.

    Parameters
    ----------
    result
        Only theta_0 and the dense network of every trial are looked at.
    data
        The data set of the experiment, as `find` was given it; found by its name if not given.
    folder
        Where to look for it.

    Raises
    ------
    InputError
        If the data are not found, or not those of the experiment.
    """
    dataset, settings = data_of(result, data, folder), Settings.from_plain(result.config)
    examples = split(dataset, settings)
    loss = make_loss(settings, dataset, examples.train[1])
    held: dict[tuple[str, float], list[list[float]]] = {}
    for trial in result.trials:
        model = result.network()
        step, initial = EagerStep(model, SGD(model.parameters(), 0.0), loss=loss), result.init(trial.number)
        for criterion, density, masks in _masks(model, trial.rounds[0].trained, initial, result.seed, trial.number):
            scores = []
            for make in WEIGHTS.values():
                weights = {name: make(value) if name in masks else value for name, value in initial.items()}
                model.load_state_dict(reset(weights, masks))
                scores += [step.evaluate(part)[1] for part in (examples.validation, examples.test)]
            held.setdefault((criterion, density), []).append(scores)
    columns = [f"{kind}_{part}" for kind in WEIGHTS for part in ("validation_accuracy", "test_accuracy")]
    rows: list[dict[str, Any]] = []
    for (criterion, density), found in sorted(held.items(), key=lambda item: item[0][0]):
        means = dict(zip(columns, np.mean(found, axis=0).tolist(), strict=True))
        rows.append({"mask": criterion, "density": density, **means})
    drawn, metric = tuple(f"{kind}_test_accuracy" for kind in WEIGHTS), result.metric
    return Analysis(_title(rows, metric), rows, "density", drawn, "mask", metric=metric)


def _masks(model: Module, trained: State, initial: State, seed: int, trial: int) -> Iterator[tuple[str, float, Masks]]:
    """Yield (criterion, density, masks)."""
    names = list(model.prunable())
    final, first = ({name: state[name] for name in names} for state in (trained, initial))
    for rounds in PRUNINGS:
        fractions = {name: 1 - (0.9 if name == names[-1] else 0.8) ** rounds for name in names}
        for criterion in (*prune.CRITERIA, "random"):
            rng = stream(seed, trial, "supermask-random", rounds)
            masks = prune.prune_by(criterion, final, first, fraction=fractions, rng=rng, ties=ties_of(criterion))
            kept = sum(int(np.count_nonzero(mask)) for mask in masks.values())
            yield criterion, kept / sum(mask.size for mask in masks.values()), masks


def _title(rows: list[dict[str, Any]], metric: Metric) -> str:
    def best(among: list[dict[str, Any]]) -> tuple[float, dict[str, Any], str]:
        validated = [(row, kind) for row in among for kind in WEIGHTS]
        row, kind = max(validated, key=lambda each: each[0][f"{each[1]}_validation_accuracy"])
        return row[f"{kind}_test_accuracy"], row, kind

    accuracy, row, kind = best(rows)
    chance, _, _ = best([row for row in rows if row["mask"] == "random"])
    return (
        f"Untrained weights under masks of the trained network: at best {accuracy:.1%} test {metric.title} "
        f"({row['mask']}, {kind} weights, density {row['density']:.1%}), random masks at best {chance:.1%}; "
        "both chosen on validation"
    )
