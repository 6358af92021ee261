"""SGD, momentum, Nesterov momentum and Adam over a flat array of weights, as PyTorch defines them.

Scalars that change from step to step (learning rate, bias corrections) come to the kernels in a small array, computed
by `settings` in float64.
"""

import math

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.kernels.cpu.arguments import even_bounds, flat, flat_output
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.threads import thread_count
from tinyticket.kernels.cpu.update import ADAM, MOMENTUM, NESTEROV, SGD, State, update_all

RULES = {"sgd": SGD, "momentum": MOMENTUM, "nesterov": NESTEROV, "adam": ADAM}
SLOTS = {SGD: 0, MOMENTUM: 1, NESTEROV: 1, ADAM: 2}
"""How many arrays of the weights' size each rule remembers."""

_NO_MASK = np.zeros(1, np.uint8)


def settings(
    rule: str,
    step: int,
    learning_rate: float,
    *,
    momentum: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> np.ndarray:
    """Return the scalars of one step as the float32 array that kernels take.

    Parameters
    ----------
    rule : {"sgd", "momentum", "nesterov", "adam"}
    step : int
        Counts from 1; Adam's bias corrections depend on it.
    learning_rate, momentum, betas, epsilon, weight_decay
        As in PyTorch; weight decay is added to the gradient.

    References
    ----------
    Kingma and Ba, Adam, ICLR 2015, algorithm 1; Sutskever et al., ICML 2013, section 2 (Nesterov momentum).
    """
    if rule not in RULES:
        raise InputError(f"unknown optimizer {rule!r}{near(rule, RULES)}")
    first, second = betas
    rate = learning_rate / (1 - first**step) if rule == "adam" else learning_rate
    correction = 1 / math.sqrt(1 - second**step)
    return np.array(
        [rate, weight_decay, momentum, 1 - first, second, 1 - second, correction, epsilon],
        np.float32,
    )


def update(
    rule: str,
    scalars: np.ndarray,
    weights: np.ndarray,
    slots: tuple[np.ndarray, ...],
    gradient: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    threads: int | None = None,
) -> None:
    """Take one step of an optimizer in place.

    Parameters
    ----------
    rule : {"sgd", "momentum", "nesterov", "adam"}
    scalars : array of shape (8,)
        What `settings` returned for this step.
    weights : float32 array
        Updated in place.
    slots : tuple of float32 arrays of the weights' shape
        Momentum (one), or Adam's first and second moments (two); updated in place, zero before the first step.
    gradient : array of the weights' shape
    mask : bool array of the weights' shape, optional
        Weights and slots become +0.0 where it is false.
    threads : int, optional
    """
    state = state_of(rule, weights, slots, mask)
    bounds = even_bounds(state.weights.size, thread_count(threads), LANES)
    update_all(bounds, RULES[rule], flat(scalars, (8,), "scalars"), state, flat(gradient, weights.shape, "gradient"))


def state_of(rule: str, weights: np.ndarray, slots: tuple[np.ndarray, ...], mask: np.ndarray | None) -> State:
    """Return weights, slots and mask flat and checked; the weights stand in for slots that the rule never touches."""
    if rule not in RULES:
        raise InputError(f"unknown optimizer {rule!r}{near(rule, RULES)}")
    if len(slots) != SLOTS[RULES[rule]]:
        raise InputError(f"{rule} keeps {SLOTS[RULES[rule]]} slots, but {len(slots)} were given")
    w = flat_output(weights, weights.shape, "weights")
    first, second = ([flat_output(slot, weights.shape, "slot") for slot in slots] + [w, w])[:2]
    return State(w, first, second, _NO_MASK if mask is None else flat_mask(mask, weights.shape), mask is not None)


def flat_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a bool mask as the flat, writable bytes that kernels read."""
    mask = np.asarray(mask)
    if mask.shape != shape or mask.dtype != np.bool_:
        raise InputError(f"mask is {mask.dtype} of shape {mask.shape}, but bool of shape {shape} was expected")
    flattened = np.ascontiguousarray(mask).reshape(-1).view(np.uint8)
    return flattened if flattened.flags.writeable else flattened.copy()
