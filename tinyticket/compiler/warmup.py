"""Compile beforehand what a network needs, once for a machine."""

from __future__ import annotations

import contextlib
import copy
import logging
import re
from typing import Any

import numpy as np

from tinyticket.compiler.network import Network
from tinyticket.compiler.step import KERNELS
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.errors import InputError
from tinyticket.nn import Module, models

log = logging.getLogger(__name__)

ANY_MLP = "mlp-16-16-4"
"""Machine code is the same for all sizes."""

SHAPES = ((3, 32, 32), (1, 28, 28))
"""Examples that are tried on a network of which only the name is known."""


def warmup(model: str | Module | None = None, input_shape: tuple[int, ...] | None = None) -> None:
    """Compile all kernels that steps of a network need now, or load them from the cache.

    Steps do so by themselves when they first need a kernel; after this they start at once, whether layers run dense or sparse, for
    training, dense gradients, evaluation and prediction.

    Parameters
    ----------
    model
        A network, or the name of one (`tt.models.create`). Its values and masks do not matter, and it is left as it is. None for
        fully-connected networks with ReLU, of any size.
    input_shape
        Of one example, such as (3, 32, 32), where neither name nor network tells.

    Raises
    ------
    InputError
        If there is no such network, or it does not take such examples.
    """
    model = ANY_MLP if model is None else model
    if not isinstance(model, str | Module):
        raise InputError(f"the model is a name or a Module, not {model!r:.60}")
    twin = _created(model, input_shape) if isinstance(model, str) else copy.deepcopy(model)
    try:
        network = Network(twin, input_shape)
    except UnsupportedError as reason:
        log.warning("the model runs eagerly, so there is nothing to compile: %s", reason)
        return
    except ValueError as error:
        raise InputError(f"the model takes no examples of shape {input_shape}: {error}") from error
    from tinyticket.compiler.announce import announce_compiling
    from tinyticket.compiler.cpu.walk import predict, predict_together

    announce_compiling()
    for kernel in KERNELS:
        _run_everything(network, kernel, "batch")
        with contextlib.suppress(InputError):  # if it does not train tile by tile
            _run_everything(network, kernel, "tiles")
    for types in predict.signatures:  # of predictions that several threads share, which those above were not
        predict_together.compile(types)


def _run_everything(network: Network, kernel: str, turns: str) -> None:
    """Run every program of a network once, on examples and weights of zeros, under masks that leave nothing if it is sparse."""
    for weight in network.weights.values():
        weight.mask = np.zeros(weight.shape, bool) if kernel == "sparse" else None
    kernels = {
        name: kernel if kernel != "winograd" or network.takes_winograd(name) else "dense" for name in network.weights
    }
    if kernel == "winograd" and kernel not in kernels.values():
        return
    # Two examples, since batch normalisation has no variance to train with in one.
    options: dict[str, Any] = {"batch_size": 2, "rule": "sgd", "threads": 1, "gradients": True, "turns": turns}
    step = network.step(kernels, **options)
    x = np.zeros((2, *network.input_shape), np.float32)
    data = step.bind(x, np.zeros(2, np.int64))
    step.step(data, np.arange(2), 0.0)
    step.dense_gradients(data)
    step.evaluate(data)
    step.predict(x)
    network.step(kernels, batch_size=1, rule="sgd", threads=1, single=True).predict(x[:1])


def _created(name: str, input_shape: tuple[int, ...] | None) -> Module:
    if input_shape is not None:
        return models.create(name, input_shape)
    if re.fullmatch(r"mlp(-\d+){2,}", name):
        sizes = [int(size) for size in name.split("-")[1:]]
        return models.create(name, (sizes[0],), sizes[-1])
    for shape in SHAPES[:-1]:
        with contextlib.suppress(InputError):  # the last one says what is wrong
            return models.create(name, shape)
    return models.create(name, SHAPES[-1])
