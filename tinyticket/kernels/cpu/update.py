"""SGD, momentum, Nesterov momentum and Adam over a flat array of weights, as PyTorch defines them, and an L1 penalty's gradient.

The rule is a run-time number: a branch for each vector that the CPU always predicts costs nothing beside the arithmetic, and four
compiled versions would. The last weights of an array go through the same vector operations as all others, with fewer lanes, so
where threads cut the array never shows in the bits. Moments that have decayed below the smallest normal number are set to zero:
arithmetic on subnormals is a hundred times slower, and a weight that no gradient reaches would otherwise drag the whole step down
after some hundred iterations. What changes from step to step comes to the kernels as an array, computed in float64 by `scalars_of`.
"""

import math
import struct
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.kernels.cpu.arguments import even_shares, flat, flat_bytes, flat_output
from tinyticket.kernels.cpu.checked import Written
from tinyticket.kernels.cpu.feed import Fed, Feed
from tinyticket.kernels.cpu.job import Bytes, Floats, kernel, run
from tinyticket.kernels.cpu.vector.jit import device
from tinyticket.kernels.cpu.vector.machine import LANES
from tinyticket.kernels.cpu.vector.simd import (
    absolute,
    advance,
    at,
    broadcast,
    load,
    load_part,
    muladd,
    select,
    square_root,
    store,
    store_part,
    surviving,
    zero,
)
from tinyticket.kernels.cpu.vector.transpose import put

SGD, MOMENTUM, NESTEROV, ADAM = range(4)
RULES = {"sgd": SGD, "momentum": MOMENTUM, "nesterov": NESTEROV, "adam": ADAM}
SLOTS = {SGD: 0, MOMENTUM: 1, NESTEROV: 1, ADAM: 2}
"""How many arrays of the weights' size each rule remembers."""

# Places in the array of scalars that `scalars_of` makes.
_RATE, _DECAY, _MOMENTUM, _FIRST, _SECOND_KEPT, _SECOND, _CORRECTION, _EPSILON = range(8)
_SCALARS = struct.Struct("8f")
_TINY = np.float32(np.finfo(np.float32).tiny)


class State(NamedTuple):
    """The arrays of an update, all flat and of the weights' size; those that its rule does not read may be 0."""

    weights: Floats
    first: Floats  # momentum, or Adam's first moment
    second: Floats  # Adam's second moment
    mask: Bytes
    masked: bool  # whether the mask is to be read


@device
def _flushed(x):
    """Return x with subnormal lanes set to zero."""
    return select(absolute(x) < broadcast(_TINY), zero(), x)


@device
def _part(array, place, count):
    """Load sixteen values, or as many as there are."""
    return load(array, place) if count == LANES else load_part(array, place, count)


@device
def _put_part(array, place, value, count):
    """Store sixteen values, or as many as there are."""
    if count == LANES:
        store(array, place, value)
    else:
        store_part(array, place, value, count)


@device
def _keep(array, place, value, state, count):
    """Store values, zero where a weight is pruned."""
    if state.masked:
        value = select(surviving(state.mask, place, count), value, zero())
    _put_part(array, place, value, count)


@device
def update_vector(rule, scalars, state, place, count, gradient):
    """Update weights[place : place + count], at most sixteen, and their slots with a vector of gradients."""
    weight = _part(state.weights, place, count)
    gradient = muladd(broadcast(at(scalars, _DECAY)), weight, gradient)
    rate = zero() - broadcast(at(scalars, _RATE))
    if rule == ADAM:
        first, second = _part(state.first, place, count), _part(state.second, place, count)
        first = _flushed(muladd(broadcast(at(scalars, _FIRST)), gradient - first, first))
        fresh = broadcast(at(scalars, _SECOND)) * gradient
        second = _flushed(muladd(fresh, gradient, broadcast(at(scalars, _SECOND_KEPT)) * second))
        _keep(state.first, place, first, state, count)
        _keep(state.second, place, second, state, count)
        root = square_root(second)
        gradient = first / muladd(root, broadcast(at(scalars, _CORRECTION)), broadcast(at(scalars, _EPSILON)))
    elif rule != SGD:
        momentum = broadcast(at(scalars, _MOMENTUM))
        first = _flushed(muladd(momentum, _part(state.first, place, count), gradient))
        _keep(state.first, place, first, state, count)
        gradient = muladd(momentum, first, gradient) if rule == NESTEROV else first
    _keep(state.weights, place, muladd(rate, gradient, weight), state, count)


class Update(NamedTuple):
    """The job of `update`, whose share are weights."""

    gradient: Floats
    state: State
    rule: int  # of RULES
    size: int  # from a part of the gradient to the next
    feed: Fed  # scalars, parts


@kernel(Update)
def _update(job, first, last):
    gradient, state, rule, size = job.gradient, job.state, job.rule, job.size
    scalars, parts = job.feed.scalars, job.feed.parts
    for place in range(first, last, LANES):
        count = min(LANES, last - place)
        total = _part(gradient, place, count)
        for part in range(1, parts):
            total = total + _part(gradient, part * size + place, count)
        update_vector(rule, scalars, state, place, count, total)


class StorePart(NamedTuple):
    """The job of `store_part`: a turn's gradient becomes a part of its step's; the share are weights."""

    gradient: Floats
    parts: Floats
    size: int  # from a part to the next
    feed: Fed  # part


@kernel(StorePart)
def _store_part(job, first, last):
    gradient, part = job.gradient, advance(job.parts, job.feed.part * job.size)
    for place in range(first, last, LANES):
        count = min(LANES, last - place)
        _put_part(part, place, _part(gradient, place, count), count)


class L1Gradient(NamedTuple):
    """The job of `l1_gradient`, whose share are weights."""

    weights: Floats
    gradient: Floats
    strength: float


@kernel(L1Gradient)
def _l1_gradient(job, first, last):
    weights, gradient, strength = job.weights, job.gradient, np.float32(job.strength)
    for place in range(first, last):
        weight, slope = at(weights, place), at(gradient, place)
        if weight > 0:
            put(gradient, place, slope + strength)
        elif weight < 0:
            put(gradient, place, slope - strength)


# -- functions of arrays


class ScalarOptions(TypedDict, total=False):
    """What an optimizer is made with, as in PyTorch; weight decay is added to the gradient."""

    momentum: float
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float


def scalars_of(
    rule: str,
    step: int,
    learning_rate: float,
    *,
    out: Written[np.ndarray] | None = None,
    **options: Unpack[ScalarOptions],
) -> np.ndarray:
    """Return the scalars of one step as the float32 array of shape (8,) that kernels take.

    Parameters
    ----------
    rule : {"sgd", "momentum", "nesterov", "adam"}
    step : int
        Counts from 1; Adam's bias corrections depend on it.
    learning_rate : float
    out : float32 array of shape (8,), optional
        Written and returned.
    **options
        Those of `ScalarOptions`: momentum, 0 if not given, betas, epsilon and weight_decay.

    Raises
    ------
    InputError
        If there is no such rule, the step is below 1, or betas are not from 0 to below 1.

    References
    ----------
    Kingma and Ba, Adam, ICLR 2015, algorithm 1; Sutskever et al., ICML 2013, section 2 (Nesterov momentum).
    """
    check_rule(rule)
    betas = options.get("betas", ())
    if step < 1 or not all(0 <= beta < 1 for beta in betas):
        raise InputError(f"steps count from 1, and betas are from 0 to below 1; got step {step} and betas {betas}")
    scalars = np.empty(8, np.float32) if out is None else flat_output(out, (8,), "out")
    write_scalars(scalars, rule, step, learning_rate, **options)
    return scalars


def write_scalars(
    scalars: Any,  # a buffer, which annotations of arrays do not say
    rule: str,
    step: int,
    learning_rate: float,
    *,
    momentum: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    """Write what `scalars_of` returns into eight floats, unchecked: every training step does so."""
    first, second = betas
    rate = learning_rate / (1 - first**step) if rule == "adam" else learning_rate
    correction = 1 / math.sqrt(1 - second**step)
    numbers = rate, weight_decay, momentum, 1 - first, second, 1 - second, correction, epsilon
    try:
        _SCALARS.pack_into(scalars, 0, *numbers)
    except OverflowError:  # beyond float32: infinite, as NumPy has it, which takes three times as long
        scalars[:] = numbers


def optimizer_step(
    rule: str,
    scalars: np.ndarray,
    weights: Written[np.ndarray],
    slots: tuple[Written[np.ndarray], ...],
    gradient: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    threads: int | None = None,
) -> None:
    """Take one step of an optimizer in place.

    Parameters
    ----------
    rule, scalars
        What `scalars_of` was given and returned for this step.
    weights : float32 array
    slots : tuple of float32 arrays of the weights' shape
        Momentum, or Adam's first and second moments; updated in place too, zero before the first step.
    gradient : array of the weights' shape
    mask : bool array of the weights' shape, optional
        Weights and slots become +0.0 where it is false.
    threads : int, optional

    Raises
    ------
    InputError
        If there is no such rule.
    """
    state = state_of(rule, weights, slots, mask)
    feed = Feed(scalars=flat(scalars, (8,), "scalars"))
    job = Update(flat(gradient, weights.shape, "gradient"), state, RULES[rule], 0, feed)
    run(job, even_shares(weights.size, threads, LANES))


def l1_gradient(
    weights: np.ndarray, gradient: Written[np.ndarray], strength: float, *, threads: int | None = None
) -> None:
    """Add a subgradient of strength * sum |w|, which is 0 at 0, to a float32 gradient of the weights' shape, in place."""
    w, dw = flat(weights, weights.shape, "weights"), flat_output(gradient, weights.shape, "gradient")
    run(L1Gradient(w, dw, float(strength)), even_shares(weights.size, threads, LANES))


def state_of(rule: str, weights: np.ndarray, slots: tuple[np.ndarray, ...], mask: np.ndarray | None) -> State:
    """Return weights, slots and mask, flat and checked."""
    check_rule(rule)
    if len(slots) != SLOTS[RULES[rule]]:
        raise InputError(f"{rule} keeps {SLOTS[RULES[rule]]} slots, but {len(slots)} were given")
    w = flat_output(weights, weights.shape, "weights")
    first, second = ([flat_output(slot, weights.shape, "slot") for slot in slots] + [0, 0])[:2]
    kept = 0 if mask is None else flat_bytes(mask, weights.shape, "mask")
    return State(w, first, second, kept, mask is not None)


def check_rule(rule: str) -> None:
    """Raise an InputError unless there is such a rule."""
    if rule not in RULES:
        raise InputError(f"unknown optimizer {rule!r}{near(rule, RULES)}")
