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
from tinyticket.compiler.reading import MLPModel, NetworkModel, read, require_device
from tinyticket.compiler.sources import Pair, test_part, training_part
from tinyticket.compiler.tape import UnsupportedError
from tinyticket.compiler.warmup import announce_if_cold
from tinyticket.data import Dataset, augment
from tinyticket.errors import InputError
from tinyticket.nn import Module, Parameter, functional
from tinyticket.optim import SGD, Adam, Optimizer

if TYPE_CHECKING:
    from tinyticket.compiler.device.step import DeviceStep
    from tinyticket.compiler.mlp.step import MLPStep
    from tinyticket.compiler.network.step import NetworkStep

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
    input_shape: tuple[int, ...] | None = None,
    device: str = "cpu",
) -> CompiledStep | EagerStep:
    """Compile a model's training step, or return an eager one that can say why not.

    Parameters
    ----------
    model
        Networks of convolutions, linear layers, batch normalisation, pooling, ReLU, additions, padding and dropout compile;
        anything else runs eagerly.
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
    input_shape : tuple of int, optional
        Of one example, such as (3, 32, 32). If not given, the first batch tells.
    device : {"cpu", "cuda"}
        "cuda" keeps weights, optimizer and data on an NVIDIA GPU (docs/cuda.md); nothing runs eagerly there.

    Returns
    -------
    CompiledStep or EagerStep
        step(x, y) and step(dataset, indices) train and return the loss; `evaluate`, `gradients`, `explain`.

    Raises
    ------
    InputError
        If something given cannot be used, there is no such device, or the model has something that no kernel of it does.
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
    require_device(device)
    try:
        network = read(model, input_shape, device)
        rule, options = _rule(optimizer, network.parameters)
    except UnsupportedError as reason:
        if device != "cpu":
            raise InputError(f"device {device!r} runs compiled networks only, and this one is not: {reason}") from None
        log.info("the model runs eagerly: %s", reason)
        return EagerStep(model, optimizer, threads or 1, reason=str(reason))
    return CompiledStep(model, network, optimizer, rule, options, batch_size, threads, kernels or {})


class CompiledStep:
    """A compiled training step; `compile` makes it.

    Data sets and pairs of arrays that it is given are taken to stay as they are: they are brought into its own form once.
    """

    compiled = True

    def __init__(
        self,
        model: Module,
        network: MLPModel | NetworkModel,
        optimizer: Optimizer,
        rule: str,
        options: dict[str, Any],
        batch_size: int,
        threads: int | None,
        kernels: dict[str, str],
    ):
        self.model, self.network, self.optimizer, self.batch_size = model, network, optimizer, batch_size
        self._rule, self._options, self._kernels = rule, options, kernels
        self.threads = threads  # of programs for masks to come
        self._places = {id(parameter): i for i, parameter in enumerate(optimizer.params)}
        self._program: MLPStep | NetworkStep | DeviceStep | None = None
        self._masks: list[np.ndarray | None] = []
        self._penalties: dict[Parameter, float] = {}
        self._ahead = False  # whether the arena is newer than the parameters
        self._sources: dict[tuple[int, int], tuple[Pair, Any]] = {}

    # -- training and evaluation

    def __call__(self, source: np.ndarray | Dataset | Pair, which: np.ndarray) -> float:
        """Train on one batch and return its loss before the update: step(x, y), or step(dataset, indices)."""
        program: Any
        if isinstance(source, np.ndarray):
            program = self._current(source.shape[1:])
            data, indices = program.bind(source, which), np.arange(len(which))
        else:
            program, data = self._bound(training_part(source))
            indices = np.ascontiguousarray(which, np.int64)
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
        if draws is not None and not self.network.augments:
            return self._run_augmented(training_part(source), batches, rates, draws)
        program, data = self._bound(training_part(source))
        batches = np.ascontiguousarray(batches, np.int64)
        rates = [self.optimizer.lr] * len(batches) if rates is None else rates
        given = () if draws is None else (draws,)
        losses = program.run(data, batches, rates, *given)
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
        program, data = self._bound(test_part(source))
        score = program.evaluate(data)
        return score.loss, score.correct / score.examples

    def gradients(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """Return the dense gradients of the loss of a batch, by parameter; nothing is updated."""
        return self.backward(x, y)[1]

    def backward(self, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        """Return the loss of a batch and its dense gradients, by parameter; nothing is updated."""
        if not (self._ahead and self._program and self.network.gives_gradients) or len(x) > self.batch_size:
            return EagerStep(self.model, self.optimizer).backward(x, y)
        program = self._current(x.shape[1:])
        if not self.network.with_gradients:  # made anew, once: those who never ask need no memory for them
            self.fetch()
            self.network.with_gradients, self._program = True, None
            program, self._ahead = self._take_over(), True
        loss, gradients = self.network.gradients(program, x, y)
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        return loss, {names[id(parameter)]: gradient for parameter, gradient in gradients.items()}

    # -- masks that change while training goes on

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights that can be pruned, to look at."""
        if not (self._ahead and self._program):
            return EagerStep(self.model, self.optimizer).weights()
        return {name: self.network.weight(self._program, name) for name in self.network.weights}

    def change_masks(self, masks: Mapping[str, np.ndarray]) -> None:
        """Go on under other masks: what survives in both keeps value and slots, what is new starts at +0.0, slots too."""
        weights, left = self.network.weights, {}
        for name, mask in masks.items():
            before = weights[name].mask
            if before is None or not np.array_equal(mask, before):
                left[name] = mask
        moved = self.network.change_masks(self._program, left) if self._ahead and self._program else []
        for name in moved:  # in place: nothing is fetched
            weights[name].held_under(left.pop(name))
            self._masks[list(weights).index(name)] = weights[name].mask
        if left:
            EagerStep(self.model, self.optimizer).change_masks(left)

    # -- what it does

    def explain(self) -> str:
        """Return a table of the layers: shape, density, kernel, and microseconds of a step, expected and measured."""
        rows = self.network.explain(self._chosen(), self.batch_size)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        threads = "all of Numba's" if self.threads is None else self.threads
        where = f"threads: {threads}" if self.network.device == "cpu" else f"device: {self.network.device}"
        return "\n".join([f"compiled, batches of {self.batch_size}, {where}", *lines])

    def plan(self) -> dict[str, Any]:
        """Return what a result file records of how the step was executed."""
        device = {} if self.network.device == "cpu" else {"device": self.network.device}
        kernels = {name: KERNELS[sparse] for name, sparse in self._chosen().items()}
        return {"mode": "compiled", **device, "kernels": kernels}

    def _chosen(self) -> dict[str, bool]:
        """Return for every weight, under its present mask, whether it runs sparse."""
        return {name: self._runs_sparse(name, weight) for name, weight in self.network.weights.items()}

    def _runs_sparse(self, name: str, weight: Parameter) -> bool:
        if weight.mask is None:
            return False
        if name in self._kernels:
            return self._kernels[name] == "sparse"
        return self.network.runs_sparse(name)

    # -- where the values are

    def fetch(self) -> None:
        """Write the newest values into parameters and optimizer slots; the next step takes them from there."""
        if not self._ahead:
            return
        self._ahead = False
        assert self._program is not None
        for parameter, values in self.network.read(self._program).items():
            for array, value in zip(self._arrays(parameter), values, strict=True):
                array[...] = value
        for buffer, value in self.network.read_buffers(self._program).items():
            buffer.data = value
        self.optimizer.steps = [self._program.steps_taken] * len(self.optimizer.params)

    def _current(self, shape: tuple[int, ...]) -> MLPStep | NetworkStep | DeviceStep:
        """Return the program for examples of a shape, with the newest values in its arena."""
        if not self.network.fits(shape):
            self.fetch()
            self.network, self._program = read(self.model, shape, self.network.device), None
            self._sources.clear()
        return self._program if self._ahead and self._program else self._take_over()

    def _take_over(self) -> MLPStep | NetworkStep | DeviceStep:
        """Take parameters, masks and slots as they are now; new masks bring new patterns, and compile nothing."""
        for held in (*self.optimizer.params, *self.network.buffers):
            held.held_by(self)
        masks = [weight.mask for weight in self.network.weights.values()]
        penalties = self._penalised()
        if penalties != self._penalties:
            self._program = None
        if self._program is None or any(new is not old for new, old in zip(masks, self._masks, strict=True)):
            if self._program is None and self.network.device == "cpu":
                announce_if_cold()
            self._program = None  # so that its memory is free before the next one's is taken
            options = {"batch_size": self.batch_size, "rule": self._rule, "threads": self.threads, **self._options}
            if penalties:
                options["penalties"] = penalties
            self._program = self.network.program(self._chosen(), **options)
            self._masks, self._penalties = masks, penalties
        state = {parameter: self._arrays(parameter) for parameter in self.network.parameters}
        self.network.write(self._program, state, self.optimizer.steps[0])
        return self._program

    def _penalised(self) -> dict[Parameter, float]:
        """Return the strengths of the optimizer's L1 penalties, by parameter."""
        penalties = {
            p: strength for p, strength in zip(self.optimizer.params, self.optimizer.l1, strict=True) if strength
        }
        if any(p.ndim == 2 for p in penalties) or (penalties and not self.network.penalises):
            raise InputError(
                "L1 penalties are compiled for the CPU, in networks with convolutions or normalisation, and not for weights of "
                "linear layers: train eagerly, or penalise other parameters"
            )
        return penalties

    def _arrays(self, parameter: Parameter) -> tuple[np.ndarray, ...]:
        """Return a parameter's values and its optimizer slots."""
        return parameter.data, *self.optimizer.slots(self._places[id(parameter)])

    def _bound(self, pair: Pair) -> tuple[Any, Any]:
        """Return the program and the data in its form; they stay the same until another shape comes."""
        program, key = self._current(pair[0].shape[1:]), (id(pair[0]), id(pair[1]))
        if key not in self._sources:
            if len(self._sources) >= 8:
                self._sources.clear()
            self._sources[key] = pair, program.bind(*pair)  # the pair is kept, so that its id stays its own
        return program, self._sources[key][1]


def _rule(optimizer: Optimizer, parameters: list[Parameter]) -> tuple[str, dict[str, Any]]:
    """Return the name of the optimizer's kernel and its settings."""
    if {id(parameter) for parameter in parameters} != {id(parameter) for parameter in optimizer.params}:
        raise UnsupportedError("the optimizer does not update exactly the model's parameters")
    options: dict[str, Any] = {"weight_decay": optimizer.weight_decay}
    if type(optimizer) is Adam:
        return "adam", options | {"betas": optimizer.betas, "epsilon": optimizer.eps}
    if type(optimizer) is SGD:
        rule = "nesterov" if optimizer.nesterov else "momentum" if optimizer.momentum else "sgd"
        return rule, options | {"momentum": optimizer.momentum}
    raise UnsupportedError(f"there is no compiled kernel for the optimizer {type(optimizer).__name__}")
