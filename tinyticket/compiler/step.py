"""`compile`: a model, its loss and its optimizer as one compiled training step.

The step holds parameters and optimizer slots in an arena of its own. Reading `Parameter.data` or `state_dict()` brings the newest
values back; whatever was read or written there, a mask included, is taken over before the next step. So nothing needs to be told
to the step, and nothing is copied while nobody looks.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np

from tinyticket.compiler.eager import EagerStep
from tinyticket.compiler.mlp import MLPStep
from tinyticket.compiler.sources import Pair, test_part, training_part
from tinyticket.compiler.trace import LinearLayer, Unsupported, trace
from tinyticket.data import Dataset
from tinyticket.errors import InputError
from tinyticket.nn import Module, Parameter, functional
from tinyticket.optim import SGD, Adam, Optimizer

log = logging.getLogger(__name__)

KERNELS = ("dense", "sparse")


def compile(
    model: Module,
    loss: Any = functional.cross_entropy,
    optimizer: Optimizer | None = None,
    batch_size: int = 60,
    *,
    threads: int | None = None,
    kernels: dict[str, str] | None = None,
) -> CompiledStep | EagerStep:
    """Compile a model's training step, or return an eager one that can say why not.

    Parameters
    ----------
    model
        Fully-connected networks with ReLU between the layers compile; anything else runs eagerly.
    loss
        `nn.functional.cross_entropy`, or "cross_entropy".
    optimizer
        SGD or Adam over all of the model's parameters. Its `lr` is read at every step.
    batch_size : int
        The largest batch; smaller ones may follow.
    threads : int, optional
        All that Numba may use if not given. Results have the same bits for any number.
    kernels : dict, optional
        "dense" or "sparse" by the name of a weight; for the others the faster is chosen (`explain` says which).

    Returns
    -------
    CompiledStep or EagerStep
        step(x, y) and step(dataset, indices) train and return the loss; `evaluate`, `gradients`, `explain`.
    """
    if loss not in (functional.cross_entropy, "cross_entropy"):
        raise InputError(
            "the loss is nn.functional.cross_entropy; no other has compiled kernels, write an eager loop for it"
        )
    if optimizer is None:
        raise TypeError("compile wants an optimizer")
    if batch_size < 1:
        raise InputError(f"a batch has at least one example, not {batch_size}")
    for name, kernel in (kernels or {}).items():
        if name not in model.prunable() or kernel not in KERNELS:
            raise InputError(f"kernels maps names of weights to 'dense' or 'sparse'; got {name!r}: {kernel!r}")
    try:
        layers = trace(model, (_features(model),))
        rule, options = _rule(optimizer, layers)
    except Unsupported as reason:
        log.info("the model runs eagerly: %s", reason)
        return EagerStep(model, optimizer, threads or 1, reason=str(reason))
    return CompiledStep(model, layers, optimizer, rule, options, batch_size, threads, kernels or {})


class CompiledStep:
    """A compiled training step; `compile` makes it."""

    compiled = True

    def __init__(
        self,
        model: Module,
        layers: list[LinearLayer],
        optimizer: Optimizer,
        rule: str,
        options: dict[str, Any],
        batch_size: int,
        threads: int | None,
        kernels: dict[str, str],
    ):
        self.model, self.layers, self.optimizer, self.batch_size = model, layers, optimizer, batch_size
        self._rule, self._options, self._threads, self._kernels = rule, options, threads, kernels
        order = {id(parameter): i for i, parameter in enumerate(optimizer.params)}
        self._places = [
            (order[id(layer.weight)], order[id(layer.bias)] if layer.bias is not None else None) for layer in layers
        ]
        self._program: MLPStep | None = None
        self._masks: list[np.ndarray | None] = []
        self._ahead = False  # whether the arena is newer than the parameters
        self._sources: dict[tuple[int, int], tuple[Pair, Any]] = {}

    # -- training and evaluation

    def __call__(self, source: np.ndarray | Dataset | Pair, which: np.ndarray) -> float:
        """Train on one batch and return its loss before the update: step(x, y), or step(dataset, indices)."""
        program = self._program if self._ahead else self._take_over()
        if isinstance(source, np.ndarray):
            data, indices = program.bind(source, which), np.arange(len(which))
        else:
            data, indices = self._bound(training_part(source)), which
        loss = program.step(data, indices, self.optimizer.lr)
        self._ahead = True
        return loss

    def evaluate(self, source: Dataset | Pair) -> tuple[float, float]:
        """Return the mean cross-entropy and the accuracy (a fraction) over a data set's test part, or over a pair of arrays."""
        program = self._program if self._ahead else self._take_over()
        return program.evaluate(self._bound(test_part(source)))

    def gradients(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return the dense gradients of the loss of a batch, by parameter; nothing is updated."""
        return EagerStep(self.model, self.optimizer).gradients(x, y)

    # -- where the values are

    def fetch(self) -> None:
        """Write the newest values into parameters and optimizer slots; the next step takes them from there."""
        if not self._ahead:
            return
        self._ahead = False
        assert self._program is not None
        for i, (layer, places) in enumerate(zip(self.layers, self._places, strict=True)):
            for parameter, place, values in zip((layer.weight, layer.bias), places, self._program.read(i), strict=True):
                if parameter is not None:
                    for array, value in zip((parameter.data, *self.optimizer.slots(place)), values, strict=True):
                        array[...] = value
        self.optimizer.steps = [self._program.steps_taken] * len(self.optimizer.params)

    def _take_over(self) -> MLPStep:
        """Take parameters, masks and slots as they are now; new masks bring new patterns, and compile nothing."""
        for parameter in self.optimizer.params:
            parameter.held_by(self)
        masks = [layer.weight.mask for layer in self.layers]
        state = [
            tuple(
                None if parameter is None else (parameter.data, *self.optimizer.slots(place))
                for parameter, place in zip((layer.weight, layer.bias), places, strict=True)
            )
            for layer, places in zip(self.layers, self._places, strict=True)
        ]
        if self._program is None or any(new is not old for new, old in zip(masks, self._masks, strict=True)):
            sparse = [self._chooses_sparse(layer) for layer in self.layers]
            self._program = MLPStep(
                [layer.weight.shape for layer in self.layers],
                masks,
                sparse,
                batch_size=self.batch_size,
                rule=self._rule,
                threads=self._threads,
                **self._options,
            )
            self._masks, self._sources = masks, {}
        self._program.write(state, self.optimizer.steps[0])
        return self._program

    def _bound(self, pair: Pair) -> Any:
        key = id(pair[0]), id(pair[1])
        if key not in self._sources:
            if len(self._sources) >= 8:
                self._sources.clear()
            assert self._program is not None
            self._sources[key] = pair, self._program.bind(*pair)  # the pair is kept, so that its id stays its own
        return self._sources[key][1]
