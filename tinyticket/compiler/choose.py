"""`tt.compile`: the compiled step of a model, or an eager one where some operation has no kernel."""

from __future__ import annotations

import functools
import logging
from importlib.util import find_spec
from typing import Any

import numpy as np

from tinyticket.compiler.eager import EagerStep
from tinyticket.compiler.network import Network, UnknownShapeError, require_device
from tinyticket.compiler.rule import rule_of
from tinyticket.compiler.step import KERNELS, SUBNORMALS, TURNS, CompiledStep
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.compiler.unread import UnreadStep
from tinyticket.errors import InputError
from tinyticket.nn import Module, functional
from tinyticket.nn.losses import loss_of
from tinyticket.optim import Optimizer

NO_NUMBA = "Numba is not installed"
"""Why nothing compiles where it is missing."""

log = logging.getLogger(__name__)


def compile(
    model: Module,
    loss: Any = functional.cross_entropy,
    optimizer: Optimizer | None = None,
    batch_size: int = 60,
    *,
    threads: int | None = None,
    kernels: dict[str, str] | None = None,
    input_shape: tuple[int, ...] | None = None,
    device: str = "cpu",
    turns: str | None = None,
    exact_convolutions: bool = False,
    subnormals: str | None = None,
) -> CompiledStep | EagerStep | UnreadStep:
    """Compile a model's training step and its predictions, or return an eager step that can say why not, and log it once.

    Parameters
    ----------
    model
        Networks of convolutions, linear layers, batch normalisation, pooling, ReLU, leaky ReLU, SReLU, tanh, sigmoid, additions,
        padding and dropout compile; anything else runs eagerly, and so does everything where Numba is missing.
    loss
        `nn.functional.cross_entropy` or `mse_loss`, or their names; others, such as objects of `nn.losses` with class weights or
        label smoothing, train eagerly.
    optimizer
        SGD or Adam over all of the model's parameters; one over some of them trains eagerly. Its `lr` is read at every step.
        Without one the step does not train.
    batch_size : int
        The largest batch that is trained on; smaller ones may follow. Predictions and evaluations take any number of examples, and
        are quickest for about so many. For 1 or 2, fully-connected networks without an optimizer have kernels of their own.
    threads : int, optional
        All that Numba may use if not given. Results have the same bits for any number.
    kernels : dict, optional
        "dense", "sparse" or "winograd" (of 3 x 3 convolutions) by the name of a weight; for the others the fastest is chosen
        (`explain` says which).
    input_shape : tuple of int, optional
        Of one example, such as (3, 32, 32). If not given, the first batch tells.
    turns : {"batch", "tiles"}, optional
        Whether a training step on the CPU takes its batch at once, or tile after tile (16 samples of images, 64 of features)
        through all layers and back; if not given, tiles where they then stay in a cache. Gradients differ in their last bits, so
        result files say which it was.
    exact_convolutions : bool
        Choose no "winograd": direct sums, whose errors are a half to a thirteenth (`kernels.reference.winograd_error_bound`).
    subnormals : {"zero", "kept"}, optional
        Whether steps on the CPU take numbers nearer to zero than 1.2e-38 for zeros, as they do if it is not given, or compute with
        them, which takes up to fifty times as long. Result files say which it was.
    device : {"cpu", "cuda"}
        "cuda" keeps weights, optimizer and data on an NVIDIA GPU (docs/cuda.md); nothing runs eagerly there.

    Returns
    -------
    CompiledStep, EagerStep, or UnreadStep, which becomes one of them with the first batch
        step(x, y) and step(dataset, indices) train and return the loss; `predict`, `evaluate`, `gradients`, `explain`.

    Raises
    ------
    InputError
        If something given cannot be used, there is no such device, or the model has something that no kernel of it does.

    Examples
    --------
    >>> import numpy as np
    >>> import tinyticket as tt
    >>> model = tt.models.create("mlp-4-8-3", input_shape=(4,), classes=3, rng=0)
    >>> step = tt.compile(model, optimizer=tt.optim.SGD(model.parameters(), lr=0.1), batch_size=16)
    >>> x, y = np.random.default_rng(0).standard_normal((16, 4), dtype=np.float32), np.arange(16) % 3
    >>> first, second = step(x, y), step(x, y)
    >>> second < first
    True
    >>> step.predict(x).shape
    (16, 3)
    """

    def made(shape: tuple[int, ...] | None) -> CompiledStep | EagerStep:
        how = turns, exact_convolutions, subnormals
        step = choose(model, loss, optimizer, batch_size, threads, kernels, shape, device, *how)
        if isinstance(step, EagerStep):
            _announce(step.reason)
        return step

    try:
        return made(input_shape)
    except UnknownShapeError as reason:
        return UnreadStep(EagerStep(model, optimizer, threads or 1, str(reason), loss_of(loss)), made)


@functools.cache
def _announce(reason: str) -> None:
    """Say once in a process that a model runs eagerly."""
    log.warning("the model runs eagerly, which takes several times as long: %s", reason)


def choose(
    model: Module,
    loss: Any,
    optimizer: Optimizer | None,
    batch_size: int,
    threads: int | None,
    kernels: dict[str, str] | None,
    input_shape: tuple[int, ...] | None,
    device: str,
    turns: str | None,
    exact_convolutions: bool = False,
    subnormals: str | None = None,
) -> CompiledStep | EagerStep:
    """Do what `compile` does and log nothing, but raise an UnknownShapeError where the first batch tells."""
    loss = loss_of(loss)
    _check_kinds(model, optimizer, threads, kernels, input_shape)
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InputError(f"a batch has at least one example, not {batch_size!r}")
    for name, kernel in (kernels or {}).items():
        if name not in model.prunable() or kernel not in KERNELS:
            raise InputError(
                f"kernels maps names of weights to {', '.join(map(repr, KERNELS))}; got {name!r}: {kernel!r}"
            )
    for option, given, possible in (("turns", turns, TURNS), ("subnormals", subnormals, SUBNORMALS)):
        if given not in (None, *possible):
            raise InputError(f"{option} is one of {', '.join(possible)}, not {given!r}")
    known = {id(parameter) for parameter in model.parameters()}
    if optimizer and not known.issuperset(map(id, optimizer.params)):
        raise InputError("the optimizer updates parameters that are not the model's: make it of model.parameters()")
    require_device(device)
    if device == "cpu" and find_spec("numba") is None:
        return EagerStep(model, optimizer, threads or 1, NO_NUMBA, loss)
    try:
        if loss.uncompiled or (loss.numbers and device != "cpu"):
            raise UnsupportedError(loss.uncompiled or "targets that are numbers have no kernel there")
        network = Network(model, input_shape, device, loss)
        rule, options = rule_of(optimizer, network.parameters)
    except UnknownShapeError:
        raise
    except ValueError as error:  # of a model's own code
        if input_shape is None:
            raise
        raise InputError(f"the model does not take examples of shape {input_shape}: {error}") from None
    except UnsupportedError as reason:
        if device != "cpu":
            raise InputError(f"device {device!r} runs compiled networks only, and this one is not: {reason}") from None
        return EagerStep(model, optimizer, threads or 1, str(reason), loss)
    for name, kernel in (kernels or {}).items():
        if kernel == "winograd" and not network.takes_winograd(name):
            raise InputError(
                f"{name!r} cannot run by Winograd's algorithm: that is for 3 x 3 convolutions of stride 1 on a CPU"
            )
        if kernel != "sparse" and network.layers[name].connected:
            raise InputError(f"{name!r} has weights of some connections alone: its kernel is 'sparse', not {kernel!r}")
    asked, rest = kernels or {}, (turns, exact_convolutions, subnormals)
    return CompiledStep(model, network, optimizer, rule, options, batch_size, threads, asked, *rest)


def _check_kinds(model: Any, optimizer: Any, threads: Any, kernels: Any, input_shape: Any) -> None:
    """Raise InputError for what is no model, optimizer and so on, such as a class or a name in place of an object."""
    whole = (int, np.integer)
    for words, value, fits in (
        ("the model is a Module, as tt.models.create makes one", model, isinstance(model, Module)),
        ("the optimizer is one of tt.optim's", optimizer, optimizer is None or isinstance(optimizer, Optimizer)),
        ("threads are at least 1", threads, threads is None or (isinstance(threads, whole) and threads >= 1)),
        ("kernels map names of weights to those of kernels", kernels, kernels is None or isinstance(kernels, dict)),
        (
            "the input shape is a tuple such as (3, 32, 32)",
            input_shape,
            input_shape is None
            or (isinstance(input_shape, tuple | list) and all(isinstance(n, whole) and n > 0 for n in input_shape)),
        ),
    ):
        if not fits:
            raise InputError(f"{words}, not {value!r:.60}")
