"""Compile beforehand what a network needs, once for a machine."""

from __future__ import annotations

import copy
import logging
import re

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn import Module, models

log = logging.getLogger(__name__)

ONCE = "compiling kernels for this machine: this takes some seconds, once"

SHAPES = ((3, 32, 32), (1, 28, 28))
"""Examples that are tried on a network of which only the name is known; machine code is the same for all."""


def warmup(model: str | Module | None = None, input_shape: tuple[int, ...] | None = None) -> None:
    """Compile all kernels of compiled steps now, or load them from the cache: dense and sparse layers, training and evaluation.

    Steps do so by themselves when they first need a kernel; after this they start at once.

    Parameters
    ----------
    model
        A network, or the name of one (`tt.models.create`), whose kernels are wanted. Its values and masks do not matter, and it is
        left as it is. None for those of fully-connected networks.
    input_shape
        Of one example, such as (3, 32, 32), where neither name nor network tells.

    Raises
    ------
    InputError
        If there is no such network, or it does not take such examples.
    """
    if model is None:
        _warm_linear()
        return
    from tinyticket.compiler.mlp.model import MLPModel
    from tinyticket.compiler.network.model import NetworkModel
    from tinyticket.compiler.tape import UnsupportedError

    twin = _created(model, input_shape) if isinstance(model, str) else copy.deepcopy(model)
    try:
        MLPModel.of(twin, input_shape)
    except UnsupportedError:
        pass
    else:
        _warm_linear()
        return
    try:
        network = NetworkModel.of(twin, input_shape)
    except UnsupportedError as reason:
        log.warning("the model runs eagerly, so there is nothing to compile: %s", reason)
        return
    except ValueError as error:
        raise InputError(f"the model takes no examples of shape {input_shape}: {error}") from error
    _warm_network(network)


def _warm_network(network) -> None:
    """Make programs of a network with all kernels that it may need, and evaluate one example of zeros."""
    announce_if_cold()
    rng = np.random.default_rng(0)
    network.with_gradients = True
    for sparse in (False, True):
        for weight in network.weights.values():
            weight.mask = rng.random(weight.shape) < 0.1 if sparse else None
        program = network.program(dict.fromkeys(network.weights, sparse), batch_size=1, rule="sgd")
        program.evaluate(program.bind(np.zeros((1, *network.input_shape), np.float32), np.zeros(1, np.int64)))


def _created(name: str, input_shape: tuple[int, ...] | None) -> Module:
    if input_shape is not None:
        return models.create(name, input_shape)
    if re.fullmatch(r"mlp(-\d+){2,}", name):
        sizes = [int(size) for size in name.split("-")[1:]]
        return models.create(name, (sizes[0],), sizes[-1])
    for shape in SHAPES[:-1]:
        try:
            return models.create(name, shape)
        except InputError:
            continue  # the last one says what is wrong
    return models.create(name, SHAPES[-1])


def _warm_linear() -> None:
    from tinyticket.compiler.mlp.step import MLPStep

    announce_if_cold()
    rng = np.random.default_rng(0)
    sizes = [(16, 16), (16, 16), (16, 16), (4, 16)]
    masks = [rng.random(size) < 0.5 for size in sizes]
    sparse = [True, True, False, False]
    x, y = rng.random((32, 16), np.float32), rng.integers(0, 4, 32)
    for first in (sparse, sparse[::-1]):  # the first layer has kernels of its own
        step = MLPStep(sizes, masks, first, [True] * 4, batch_size=16)
        data = step.bind(x, y)
        step.step(data, np.arange(16), 1e-3)
        step.evaluate(data)
        step.predict(x)


def announce_if_cold() -> None:
    """Say that compiling takes a while where nothing has been compiled yet."""
    from tinyticket.kernels.cpu.vector.jit import cache_folder

    folder = cache_folder()
    if folder is None or not any(folder.rglob("*.nbi")):
        log.warning(ONCE)
