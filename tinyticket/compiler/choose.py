"""`tt.compile`: the compiled step of a model, or an eager one where some operation has no kernel."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

from tinyticket.compiler.eager import EagerStep
from tinyticket.compiler.network import Network, require_device
from tinyticket.compiler.rule import rule_of
from tinyticket.compiler.step import KERNELS, TURNS, CompiledStep
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.errors import InputError
from tinyticket.nn import Module, functional
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
) -> CompiledStep | EagerStep:
    """Compile a model's training step and its predictions, or return an eager step that can say why not.

    Parameters
    ----------
    model
        Networks of convolutions, linear layers, batch normalisation, pooling, ReLU, leaky ReLU, tanh, sigmoid, additions, padding
        and dropout compile; anything else runs eagerly, and so does everything where Numba is missing.
    loss
        `nn.functional.cross_entropy`, or "cross_entropy".
    optimizer
        SGD or Adam over all of the model's parameters. Its `lr` is read at every step. Without one the step does not train.
    batch_size : int
        The largest batch that is trained on; smaller ones may follow. Predictions and evaluations take any number of examples, and
        are quickest for about so many.
    threads : int, optional
        All that Numba may use if not given. Results have the same bits for any number.
    kernels : dict, optional
        "dense" or "sparse" by the name of a weight; for the others the faster is chosen (`explain` says which).
    input_shape : tuple of int, optional
        Of one example, such as (3, 32, 32). If not given, the first batch tells.
    turns : {"batch", "tiles"}, optional
        Whether a training step on the CPU takes its batch at once, or sixteen samples after the other through all layers and
        back; if not given, tiles where they then stay in a cache. Gradients differ in their last bits, so result files say which
        it was.
    device : {"cpu", "cuda"}
        "cuda" keeps weights, optimizer and data on an NVIDIA GPU (docs/cuda.md); nothing runs eagerly there.

    Returns
    -------
    CompiledStep or EagerStep
        step(x, y) and step(dataset, indices) train and return the loss; `predict`, `evaluate`, `gradients`, `explain`.

    Raises
    ------
    InputError
        If something given cannot be used, there is no such device, or the model has something that no kernel of it does.
    """
    if loss not in (functional.cross_entropy, "cross_entropy"):
        raise InputError(
            "the loss is nn.functional.cross_entropy; others have no compiled kernels: write an eager loop"
        )
    if batch_size < 1:
        raise InputError(f"a batch has at least one example, not {batch_size}")
    for name, kernel in (kernels or {}).items():
        if name not in model.prunable() or kernel not in KERNELS:
            raise InputError(f"kernels maps names of weights to 'dense' or 'sparse'; got {name!r}: {kernel!r}")
    if turns not in (None, *TURNS):
        raise InputError(f"turns is one of {', '.join(TURNS)}, not {turns!r}")
    require_device(device)
    if device == "cpu" and find_spec("numba") is None:
        log.info("the model runs eagerly: %s", NO_NUMBA)
        return EagerStep(model, optimizer, threads or 1, reason=NO_NUMBA)
    try:
        network = Network(model, input_shape, device)
        rule, options = rule_of(optimizer, network.parameters)
    except UnsupportedError as reason:
        if device != "cpu":
            raise InputError(f"device {device!r} runs compiled networks only, and this one is not: {reason}") from None
        log.info("the model runs eagerly: %s", reason)
        return EagerStep(model, optimizer, threads or 1, reason=str(reason))
    return CompiledStep(model, network, optimizer, rule, options, batch_size, threads, kernels or {}, turns)
