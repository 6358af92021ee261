"""What the file says of a training besides its arrays: the history, where it started, how it was executed, and its numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinyticket.store.reading import Group
from tinyticket.store.run import HISTORY

LARGEST = 10**9  # iterations
METRICS = {"accuracy": 0.0, "r2": -math.inf}
"""What columns of accuracies may hold, and the least of it."""

SCALARS = {
    "density": float,
    "weights_left": int,
    "early_stop_iteration": int,
    "validation_loss": float,
    "test_accuracy": float,
    "final_test_accuracy": float,
    "seconds": float,
}


ORIGIN = {
    **dict.fromkeys(("weights", "mask", "statistics"), (str, dict)),
    "iteration": (int,),
    "drawn": (int,),
    "differs": (dict,),
}


def read_history(group: Group) -> np.ndarray:
    """Return the table of evaluations, of dtype HISTORY: one row at least."""
    history = group.array("history", table=HISTORY)
    iterations = history["iteration"]
    if not len(history) or iterations[0] < 0 or iterations[-1] > LARGEST or (iterations[1:] <= iterations[:-1]).any():
        raise group.damage("its iterations do not go upward from 0 or more", "history")
    least = METRICS[read_metric(group)]
    for name in ("validation_accuracy", "test_accuracy"):
        if ((history[name] < least) | (history[name] > 1)).any():  # NaN where a network diverged
            raise group.damage(f"{name} is not between {least:g} and 1", "history")
    return history


def read_metric(group: Group) -> str:
    """Return what stands in the columns of accuracies."""
    metric = group.text("metric") if group.has("metric") else "accuracy"
    if metric not in METRICS:
        raise group.damage(f"it cannot be {metric!r:.60}", "metric")
    return metric


def read_cpu(group: Group) -> str:
    """Return the kind of CPU that did a training, empty if it is that of the process that wrote the file."""
    return group.text("cpu") if group.has("cpu") else ""


def read_origin(group: Group) -> dict[str, Any]:
    """Return where a training started."""
    origin = group.json("start")
    for name, kinds in ORIGIN.items():
        if not isinstance(origin.get(name, kinds[0]()), kinds):
            raise group.damage(f"{name} of start is {origin[name]!r:.60}")
    if "weights" not in origin or origin.get("iteration", 0) < 0:
        raise group.damage("start does not say where weights came from, or from which iteration on")
    if origin.get("mask") == "early-bird" and not 0 < origin.get("drawn", 0) <= LARGEST:
        raise group.damage("start does not say when the mask was drawn")
    return origin


def read_plan(group: Group) -> dict[str, Any]:
    """Return how a training was executed."""
    plan = group.json("plan")
    before = plan.get("before", [])
    phases = isinstance(before, list) and all(_is_plan(one) and isinstance(one.get("until"), int) for one in before)
    if not (phases and _is_plan(plan)):
        raise group.damage(f"plan is {plan!r:.60}")
    return plan


def _is_plan(plan: Any) -> bool:
    kernels = plan.get("kernels", {}) if isinstance(plan, dict) else None
    return isinstance(kernels, dict) and {*map(type, (plan.get("mode"), *kernels.values()))} == {str}


def read_scalars(group: Group) -> dict[str, Any]:
    """Return the numbers of a training as Python values."""
    scalars = {name: group.number(name, kind) for name, kind in SCALARS.items()}
    for name, least, most in (
        ("density", 0, 1),
        ("weights_left", 0, math.inf),
        ("early_stop_iteration", 0, LARGEST),
        ("test_accuracy", METRICS[read_metric(group)], 1),
    ):
        if scalars[name] < least or scalars[name] > most:  # NaN where a network diverged
            raise group.damage(f"it cannot be {scalars[name]}", name)
    if math.isnan(scalars["density"]):
        raise group.damage("it is no number", "density")
    return scalars
