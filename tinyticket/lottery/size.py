"""How large an experiment with a network by name is that was never dense, before anything of it is drawn."""

from __future__ import annotations

import math

from tinyticket.errors import InputError
from tinyticket.nn import models
from tinyticket.nn.models.mlp import memory

BARE, BYTES = 140, 200
"""Of memory that each connection takes in an experiment of one process, without controls and at most: its weight in theta_0, in
networks, in a step with an optimizer's slots and gradients, its places, and what waits for a commit. Measured with 5.2 million
connections of 42,000 neurons, Adam and batches of 60: 121 without controls, 138 with `reinit`, 181 with `rewired`; with momentum
and `set` 146; with momentum and batches of 2, which have smaller activations, 79."""

LANES = 16
"""Samples whose time a step takes at least: few samples wait for the weights of a network that no cache holds."""


def bytes_each(controls: object, method: str) -> int:
    """Return the bytes that each connection takes; controls are names, or how they are given."""
    return BARE if controls in ((), "none", ["none"]) and method == "tickets" else BYTES


def check_fits(model: str, each: int) -> None:
    """Raise InputError if connections of so many bytes each take more memory than there is, with what would fit in their place."""
    connections, there = _connections(model), memory()
    if each * connections <= there:
        return
    found = _fitting(model, there // each)
    fits = f"{_connections(found):,} connections fit, as {found} has" if found else "no density of it would fit"
    raise InputError(
        f"{model} has {connections:,} connections, for which an experiment takes about {each * connections / 1e9:,.1f} GB of "
        f"memory, and there are {there / 1e9:,.1f} GB: {fits}"
    )


def _connections(model: str) -> int:
    return sum(layer.connections for layer in models.layers_of(model))


def _fitting(model: str, most: float) -> str:
    """Return the name of the network with the largest density, to two digits, that has at most so many connections, or nothing."""
    name, _, amount = model.partition("@")
    kind, high = amount[: amount.startswith("e")], float(amount.removeprefix("e"))
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _connections(f"{name}@{kind}{middle:.15f}") <= most else (low, middle)
    digits = 1 - math.floor(math.log10(low)) if low > 1e-12 else 99
    found = f"{name}@{kind}{math.floor(low * 10**digits) / 10**digits:.{max(0, digits)}f}"
    return found if low > 1e-12 and all(layer.connections for layer in models.layers_of(found)) else ""


def words(model: str, batch_size: int, each: int) -> str:
    """Return how large a network by name is and how long a step of it takes, empty for other networks."""
    layers = models.layers_of(model)
    if not layers:
        return ""
    connections = _connections(model)
    found = f"{connections:,} connections, which take up to {each * connections / 1e6:,.0f} MB of memory"
    try:
        from tinyticket.sparse import choice
    except ImportError:  # without Numba nothing says how long its kernels take
        return found
    seconds = sum(
        choice.expected(layer[1::-1], layer.connections / math.prod(layer[:2]), not place, sparse=True)
        for place, layer in enumerate(layers)
    ) * (max(LANES, batch_size) / 64 / 1e9)
    return f"{found} and about {1000 * seconds:,.3g} ms a step of {batch_size} examples on one core"
