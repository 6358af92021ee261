"""Pruning before training: one entry for SNIP, GraSP, SynFlow, magnitude and random masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.nn import Module
from tinyticket.prune import gradients
from tinyticket.prune.densities import allocate, keep_density
from tinyticket.prune.saliency import grasp_scores, snip_scores, synflow_scores
from tinyticket.prune.selection import Masks

Scores = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Task:
    """A working copy of the model, whose masks grow, and what else scores may need."""

    model: Module
    data: tuple[Any, Any] | None
    input_shape: tuple[int, ...]
    rng: np.random.Generator | None

    def weights(self) -> Scores:
        return {name: weight.data for name, weight in self.model.prunable().items()}


def _snip(task: _Task) -> Scores:
    assert task.data
    return snip_scores(task.weights(), gradients.loss_gradients(task.model, *task.data))


def _grasp(task: _Task) -> Scores:
    assert task.data
    return grasp_scores(task.weights(), gradients.hessian_gradient_product(task.model, *task.data))


def _synflow(task: _Task) -> Scores:
    return synflow_scores(task.weights(), gradients.flow_gradients(task.model, task.input_shape))


def _magnitude(task: _Task) -> Scores:
    return {name: np.abs(weight) for name, weight in task.weights().items()}


def _random(task: _Task) -> Scores:
    assert task.rng
    return {name: task.rng.random(weight.shape) for name, weight in task.weights().items()}


METHODS: dict[str, Callable[[_Task], Scores]] = {
    "snip": _snip,
    "grasp": _grasp,
    "synflow": _synflow,
    "magnitude": _magnitude,
    "random": _random,
}
NEED_DATA = frozenset({"snip", "grasp"})
ROUNDS = {"synflow": 100}
"""How often a method scores what is left and prunes on; once if it is not listed."""


def prune_at_init(
    method: str,
    model: Module,
    density: float,
    *,
    data: tuple[Any, Any] | None = None,
    input_shape: tuple[int, ...] | None = None,
    allocation: str | Mapping[str, float] = "global",
    rounds: int | None = None,
    invert: bool = False,
    rng: Any = None,
) -> Masks:
    """Prune an untrained model to a density.

    Parameters
    ----------
    method : {"snip", "grasp", "synflow", "magnitude", "random"}
    model
        Scored as it is, with what its own masks prune already; the model itself, its masks and its statistics stay as they are.
    density
        Share of the prunable weights that is kept, in (0, 1).
    data : (x, y)
        One batch: inputs and integer labels. SNIP and GraSP need it, the others do not look at it. The batch is evaluated as in
        training, batch normalisation with its own statistics, dropout off.
    input_shape
        For SynFlow: shape of one example, if neither `data` nor a first Linear layer tells.
    allocation
        How layers share the density: "global" (as published), another of `ALLOCATIONS`, or densities by layer; see `allocate`.
    rounds
        Prune in so many rounds, round t to density**(t/rounds) (SynFlow, algorithm 1), with scores of what is left. Default 100
        for SynFlow and 1 for the others. From a model that is pruned already to the density s: s (density / s)**(t/rounds).
    invert
        Keep the smallest scores instead: a sanity check (Frankle et al. 2021, "Missing the mark").
    rng : Generator or int
        For "random" only.

    Returns
    -------
    dict of boolean arrays
        Exactly floor(density * weights + 1/2) True values, in all or per layer as allocated. Layers may be empty under "global":
        `collapsed` names them.

    Raises
    ------
    InputError
        If the method is unknown, or lacks what it needs; if the density cannot be met.

    Examples
    --------
    >>> import numpy as np
    >>> import tinyticket as tt
    >>> model = tt.models.create("mlp-4-8-3", input_shape=(4,), classes=3, rng=0)
    >>> masks = prune_at_init("magnitude", model, density=0.25)
    >>> sum(int(mask.sum()) for mask in masks.values()), 4 * 8 + 8 * 3
    (14, 56)
    """
    if method not in METHODS:
        raise InputError(f"no method prunes at initialisation by the name {method!r}{near(method, METHODS)}")
    if method in NEED_DATA and data is None:
        raise InputError(f"{method} scores weights by a batch of examples: give data=(x, y)")
    if data is not None and (not isinstance(data, tuple | list) or len(data) != 2 or len(data[0]) != len(data[1])):
        raise InputError("data is one batch, (x, y): as many inputs as labels")
    if method == "random" and rng is None:
        raise InputError("random masks need rng, a generator or a seed")
    rounds = ROUNDS.get(method, 1) if rounds is None else rounds
    if rounds < 1:
        raise InputError(f"pruning at initialisation takes at least 1 round, not {rounds}")
    shapes = {name: weight.shape for name, weight in model.prunable().items()}
    if not shapes:
        raise InputError("the model has no weights that could be pruned")
    target = allocate(shapes, density, allocation)
    shape = _input_shape(model, data, input_shape) if method == "synflow" else ()
    twin = gradients.working_copy(model)
    if method == "synflow":
        gradients.linearise(twin)
    task = _Task(twin, data, shape, np.random.default_rng(rng) if method == "random" else None)
    masks = start = {
        name: np.ones(weight.shape, bool) if weight.mask is None else weight.mask
        for name, weight in model.prunable().items()
    }
    for t in range(1, rounds + 1):
        for name, weight in twin.prunable().items():
            weight.mask = masks[name]
        scores = METHODS[method](task)
        if invert:
            scores = {name: -score for name, score in scores.items()}
        masks = keep_density(scores, _on_the_way(start, target, t / rounds), masks)
    return masks


def _on_the_way(masks: Masks, target: float | Mapping[str, float], way: float) -> float | dict[str, float]:
    """Return the density, or that of each layer, a part of the way from what masks keep to a target, on an exponential."""
    if isinstance(target, Mapping):
        return {name: _between(np.mean(masks[name]), share, way) for name, share in target.items()}
    return _between(np.mean(np.concatenate([mask.ravel() for mask in masks.values()])), target, way)


def _between(start: Any, target: float, way: float) -> float:
    return float(start * (target / start) ** way) if way < 1 and start > 0 else target


def _input_shape(model: Module, data: tuple[Any, Any] | None, given: tuple[int, ...] | None) -> tuple[int, ...]:
    if given is not None:
        return tuple(given)
    if data is not None:
        return np.shape(data[0])[1:]
    first = next(iter(model.prunable().values())).shape
    if len(first) != 2:
        raise InputError("synflow needs the shape of one example to pass ones through a convolution: give input_shape=")
    return first[1:]
