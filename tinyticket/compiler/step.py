"""`compile`: a model, its loss and its optimizer as one compiled training step.

The step holds parameters and optimizer slots in an arena of its own. Reading `Parameter.data` or `state_dict()` brings the newest
values back; whatever was read or written there, a mask included, is taken over before the next step. So nothing needs to be told
to the step, and nothing is copied while nobody looks.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.compiler.eager import EagerStep
from tinyticket.compiler.sources import Pair, test_part, training_part
from tinyticket.compiler.trace import LinearLayer, UnsupportedError, trace
from tinyticket.compiler.warmup import announce_if_cold
from tinyticket.data import Dataset, augment
from tinyticket.errors import InputError
from tinyticket.nn import Module, Parameter, functional
from tinyticket.optim import SGD, Adam, Optimizer

if TYPE_CHECKING:
    from tinyticket.compiler.mlp import MLPStep
    from tinyticket.compiler.program import Data

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
    except UnsupportedError as reason:
        log.info("the model runs eagerly: %s", reason)
        return EagerStep(model, optimizer, threads or 1, reason=str(reason))
    return CompiledStep(model, layers, optimizer, rule, options, batch_size, threads, kernels or {})


class CompiledStep:
    """A compiled training step; `compile` makes it.

    Data sets and pairs of arrays that it is given are taken to stay as they are: they are brought into its own form once.
    """

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
        self._places = {id(parameter): i for i, parameter in enumerate(optimizer.params)}
        self._program: MLPStep | None = None
        self._masks: list[np.ndarray | None] = []
        self._ahead = False  # whether the arena is newer than the parameters
        self._sources: dict[tuple[int, int], tuple[Pair, Data]] = {}

    # -- training and evaluation

    def __call__(self, source: np.ndarray | Dataset | Pair, which: np.ndarray) -> float:
        """Train on one batch and return its loss before the update: step(x, y), or step(dataset, indices)."""
        program = self._current()
        if isinstance(source, np.ndarray):
            data, indices = program.bind(source, which), np.arange(len(which))
        else:
            data, indices = self._bound(program, training_part(source)), np.ascontiguousarray(which, np.int64)
        loss = program.step(data, indices, self.optimizer.lr)
        self._ahead = True
        return loss

    def run(
        self,
        source: Dataset | Pair,
        batches: np.ndarray,
        rates: Sequence[float] | None = None,
        draws: np.ndarray | None = None,
    ) -> np.ndarray:
        """Train on several batches in one call, which saves some ten microseconds a step.

        Parameters
        ----------
        source
            A data set or a pair of arrays.
        batches : integer array of shape (steps, batch size)
            Indices of each step's examples.
        rates : sequence of float, optional
            Each step's learning rate; the optimizer's if not given.
        draws : int64 array of shape (steps, batch size, 3), optional
            How each step's images are shifted and mirrored: `data.augment`.

        Returns
        -------
        float64 array of shape (steps,)
            Each step's loss before its update.
        """
        if draws is not None:
            return self._run_augmented(training_part(source), batches, rates, draws)
        program = self._current()
        batches = np.ascontiguousarray(batches, np.int64)
        rates = [self.optimizer.lr] * len(batches) if rates is None else rates
        losses = program.run(self._bound(program, training_part(source)), batches, rates)
        self._ahead = True
        return losses

    def _run_augmented(
        self, pair: Pair, batches: np.ndarray, rates: Sequence[float] | None, draws: np.ndarray
    ) -> np.ndarray:
        """Take steps on batches that are put together and augmented outside of the compiled code."""
        x, y = pair
        losses = np.zeros(len(batches))
        for i, batch in enumerate(batches):
            if rates is not None:
                self.optimizer.lr = rates[i]
            losses[i] = self(augment(x[batch], draws[i]), y[batch])
        return losses

    def evaluate(self, source: Dataset | Pair) -> tuple[float, float]:
        """Return the mean cross-entropy and the accuracy (a fraction) over a data set's test part, or over a pair of arrays."""
        program = self._current()
        score = program.evaluate(self._bound(program, test_part(source)))
        return score.loss, score.correct / score.examples

    def gradients(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return the dense gradients of the loss of a batch, by parameter; nothing is updated."""
        return self.backward(x, y)[1]

    def backward(self, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Return the loss of a batch and its dense gradients, by parameter; nothing is updated."""
        if not (self._ahead and self._program):
            return EagerStep(self.model, self.optimizer).backward(x, y)
        loss, gradients = self._program.dense_gradients(x, y)
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        pairs = [(layer.weight, layer.bias) for layer in self.layers]
        return loss, {
            names[id(parameter)]: gradient
            for pair, found in zip(pairs, gradients, strict=True)
            for parameter, gradient in zip(pair, found, strict=True)
            if parameter is not None
        }

    # -- masks that change while training goes on

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights that can be pruned, to look at."""
        if not (self._ahead and self._program):
            return EagerStep(self.model, self.optimizer).weights()
        return {layer.name: self._program.weight(i) for i, layer in enumerate(self.layers)}

    def change_masks(self, masks: Mapping[str, np.ndarray]) -> None:
        """Go on under other masks: what survives in both keeps value and slots, what is new starts at +0.0, slots too."""
        weights = {layer.name: layer.weight for layer in self.layers}
        left = {}
        for name, mask in masks.items():
            before = weights[name].mask
            if before is None or not np.array_equal(mask, before):
                left[name] = mask
        for i, layer in enumerate(self.layers if self._ahead and self._program else ()):
            assert self._program is not None
            if layer.name in left and self._program.change_mask(i, left[layer.name]):  # in place: nothing is fetched
                layer.weight.held_under(left.pop(layer.name))
                self._masks[i] = layer.weight.mask
        if left:
            EagerStep(self.model, self.optimizer).change_masks(left)

    # -- what it does

    def explain(self) -> str:
        """Return a table of the layers: shape, density, kernel, and microseconds of a step, expected and measured."""
        from tinyticket.compiler.explain import explain

        return explain(self.layers, self._chosen(), self.batch_size, self._threads)

    def plan(self) -> dict[str, Any]:
        """Return what a result file records of how the step was executed."""
        kernels = {layer.name: KERNELS[sparse] for layer, sparse in zip(self.layers, self._chosen(), strict=True)}
        return {"mode": "compiled", "kernels": kernels}

    def _chosen(self) -> list[bool]:
        """Return for every layer, under its present mask, whether it runs sparse."""
        return [self._runs_sparse(layer) for layer in self.layers]

    def _runs_sparse(self, layer: LinearLayer) -> bool:
        if layer.weight.mask is None:
            return False
        if layer.name in self._kernels:
            return self._kernels[layer.name] == "sparse"
        from tinyticket.sparse import choice

        return choice.sparse_is_faster(layer.weight.shape, float(layer.weight.mask.mean()), layer is self.layers[0])

    # -- where the values are

    def fetch(self) -> None:
        """Write the newest values into parameters and optimizer slots; the next step takes them from there."""
        if not self._ahead:
            return
        self._ahead = False
        assert self._program is not None
        for i, layer in enumerate(self.layers):
            for parameter, values in zip((layer.weight, layer.bias), self._program.read(i), strict=True):
                for array, value in zip(self._arrays(parameter), values, strict=False):
                    array[...] = value
        self.optimizer.steps = [self._program.steps_taken] * len(self.optimizer.params)

    def _current(self) -> MLPStep:
        """Return the program with the newest values in its arena."""
        return self._program if self._ahead and self._program else self._take_over()

    def _take_over(self) -> MLPStep:
        """Take parameters, masks and slots as they are now; new masks bring new patterns, and compile nothing."""
        for parameter in self.optimizer.params:
            parameter.held_by(self)
        masks = [layer.weight.mask for layer in self.layers]
        if self._program is None or any(new is not old for new, old in zip(masks, self._masks, strict=True)):
            self._program = self._new_program(masks)
            self._masks = masks
        state = [(self._arrays(layer.weight), self._arrays(layer.bias)) for layer in self.layers]
        self._program.write(state, self.optimizer.steps[0])
        return self._program

    def _new_program(self, masks: list[np.ndarray | None]) -> MLPStep:

        from tinyticket.compiler.mlp import MLPStep  # Numba is imported when something is compiled, not before

        if self._program is None:
            announce_if_cold()
        return MLPStep(
            [(layer.weight.shape[0], layer.weight.shape[1]) for layer in self.layers],
            masks,
            self._chosen(),
            [layer.bias is not None for layer in self.layers],
            batch_size=self.batch_size,
            rule=self._rule,
            threads=self._threads,
            **self._options,
        )

    def _arrays(self, parameter: Parameter | None) -> tuple[np.ndarray, ...]:
        """Return a parameter's values and its optimizer slots."""
        if parameter is None:
            return ()
        return parameter.data, *self.optimizer.slots(self._places[id(parameter)])

    def _bound(self, program: MLPStep, pair: Pair) -> Data:
        key = id(pair[0]), id(pair[1])
        if key not in self._sources:
            if len(self._sources) >= 8:
                self._sources.clear()
            self._sources[key] = pair, program.bind(*pair)  # the pair is kept, so that its id stays its own
        return self._sources[key][1]


def _features(model: Module) -> int:
    for name, parameter in model.prunable().items():
        if parameter.ndim != 2:
            raise UnsupportedError(f"{name}: there is no compiled kernel for convolutions")
        return parameter.shape[1]
    raise UnsupportedError("the model has no linear layer")


def _rule(optimizer: Optimizer, layers: list[LinearLayer]) -> tuple[str, dict[str, Any]]:
    """Return the name of the optimizer's kernel and its settings."""
    wanted = {id(parameter) for layer in layers for parameter in (layer.weight, layer.bias) if parameter is not None}
    if wanted != {id(parameter) for parameter in optimizer.params}:
        raise UnsupportedError("the optimizer does not update exactly the model's parameters")
    options: dict[str, Any] = {"weight_decay": optimizer.weight_decay}
    if type(optimizer) is Adam:
        return "adam", options | {"betas": optimizer.betas, "epsilon": optimizer.eps}
    if type(optimizer) is SGD:
        rule = "nesterov" if optimizer.nesterov else "momentum" if optimizer.momentum else "sgd"
        return rule, options | {"momentum": optimizer.momentum}
    raise UnsupportedError(f"there is no compiled kernel for the optimizer {type(optimizer).__name__}")
