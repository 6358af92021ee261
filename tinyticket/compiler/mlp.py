"""A fully-connected network, its loss and its optimizer as one compiled training step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np

from tinyticket.compiler.evaluate import evaluate
from tinyticket.compiler.plan import Plan
from tinyticket.compiler.program import Data
from tinyticket.compiler.train import train
from tinyticket.errors import InputError
from tinyticket.kernels.cpu import LANES, empty, settings
from tinyticket.kernels.cpu.barrier import SIZE
from tinyticket.kernels.cpu.optimizers import RULES

SPARSE_BELOW = 0.8
"""Density below which a layer's sparse kernels are quicker than its dense ones, on the machine this was measured on."""

_CHUNK = 2**18  # numbers that are looked at together while data are bound


class Score(NamedTuple):
    """What a network does on some examples."""

    loss: float  # the mean
    correct: int
    examples: int


class MLPStep:
    """Training steps of linear layers with ReLU between them, under softmax-cross-entropy.

    Parameters
    ----------
    weights : sequence of arrays of shape (outputs, inputs)
        Starting values, copied; from the first layer to the last.
    biases : sequence of arrays of shape (outputs,)
    masks : sequence of bool arrays or None, optional
        What is pruned stays +0.0.
    batch_size : int
    rule : {"sgd", "momentum", "nesterov", "adam"}
    learning_rate : float
        May be changed between steps.
    threads : int, optional
        All that Numba may use if not given. Results have the same bits for any number.
    sparse_below : float
        Layers of less density run sparse.
    **options
        The other arguments of `kernels.cpu.settings`.
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        biases: Sequence[np.ndarray],
        masks: Sequence[np.ndarray | None] | None = None,
        *,
        batch_size: int,
        rule: str = "adam",
        learning_rate: float = 1e-3,
        threads: int | None = None,
        sparse_below: float = SPARSE_BELOW,
        **options: Any,
    ):
        settings(rule, 1, learning_rate, **options)  # says what is wrong with them
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.threads = min(threads or numba.get_num_threads(), numba.get_num_threads())
        self._rule, self._options, self._sparse_below = rule, options, sparse_below
        self._meeting, self._result = empty(SIZE, dtype=np.int64), np.zeros(2)
        self.rewind(weights, biases, masks)

    def rewind(
        self,
        weights: Sequence[np.ndarray],
        biases: Sequence[np.ndarray],
        masks: Sequence[np.ndarray | None] | None = None,
    ) -> None:
        """Start again from these values under these masks, the optimizer too; compiles nothing that is compiled already."""
        self.steps_taken = 0
        shapes = [(int(outputs), int(inputs)) for outputs, inputs in (w.shape for w in weights)]
        kept = [None] * len(shapes) if masks is None else masks
        self._plan = Plan(shapes, kept, self._sparse_below, self.batch_size, self.threads)
        self._plan.fill(weights, biases)

    def bind(self, examples: np.ndarray, labels: np.ndarray) -> Data:
        """Bring a data set into the form that steps read.

        Examples become float32, or bytes if they are pixels divided by 255: gathering a batch is a good part of a sparse
        step, and bytes are a quarter of the memory traffic. The bits of a step are the same.
        """
        examples = np.ascontiguousarray(examples, np.float32)
        (classes, _), (_, features) = self._plan.shapes[-1], self._plan.shapes[0]
        if examples.ndim != 2 or examples.shape[1] != features or len(labels) != len(examples):
            raise InputError(
                f"data of shape {examples.shape} with {len(labels)} labels, but the first layer takes {features} features"
            )
        if len(labels) and not 0 <= np.min(labels) <= np.max(labels) < classes:
            raise InputError(f"labels must be from 0 to {classes - 1}, not {np.min(labels)} to {np.max(labels)}")
        pixels = _as_pixels(examples.reshape(-1))
        wide = np.array(labels, np.float32)
        if pixels is None:
            return Data(examples.reshape(-1), np.zeros(1, np.uint8), False, wide, len(examples))
        return Data(np.zeros(1, np.float32), pixels, True, wide, len(examples))

    def __call__(self, data: Data, indices: np.ndarray) -> float:
        """Take one step on the examples that `indices` name, as many as the batch size; return the loss."""
        self._train(data, indices, 1, self._scalars(1), self._result)
        return float(self._result[0])

    def run(self, data: Data, indices: np.ndarray) -> np.ndarray:
        """Take a step for each row of `indices`; return each one's loss and number of correct answers."""
        steps = len(indices)
        results = np.zeros((steps, 2))
        scalars = np.concatenate([self._scalars(ahead) for ahead in range(1, steps + 1)])
        self._train(data, indices, steps, scalars, results.reshape(-1))
        return results

    def evaluate(self, data: Data, indices: np.ndarray | None = None) -> Score:
        """Compute the mean loss and the number of correct answers over the data, or over some of its examples."""
        chosen = np.arange(data.size) if indices is None else np.ascontiguousarray(indices, np.int64)
        sums = np.zeros((-(-chosen.size // self._plan.lanes), 2))
        plan = self._plan
        if not evaluate(plan.memory, plan.batch, data, chosen, sums.reshape(-1), self.threads):
            raise InputError(f"indices must be from 0 to {data.size - 1}")
        loss, correct = sums.sum(axis=0)
        return Score(float(loss) / chosen.size, int(correct), chosen.size)

    def weight(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's weights, pruned ones +0.0."""
        return self._plan.weight(layer)

    def bias(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's bias."""
        return self._plan.bias(layer)

    def _scalars(self, ahead: int) -> np.ndarray:
        return settings(self._rule, self.steps_taken + ahead, self.learning_rate, **self._options)

    def _train(self, data: Data, indices: np.ndarray, steps: int, scalars: np.ndarray, results: np.ndarray) -> None:
        if indices.size != steps * self.batch_size:
            raise InputError(f"{indices.size} indices for {steps} steps, but a batch is {self.batch_size}")
        flat, plan, rule = np.ascontiguousarray(indices, np.int64).reshape(-1), self._plan, RULES[self._rule]
        memory, threads = plan.memory, self.threads
        if numba.get_num_threads() < threads:  # lowered since: do not wait for threads that cannot come
            memory, threads = memory._replace(bounds=plan.alone), 1
        if not train(memory, plan.alone, plan.batch, data, flat, steps, rule, scalars, results, self._meeting, threads):
            raise InputError(f"indices must be from 0 to {data.size - 1}")
        self.steps_taken += steps


def _as_pixels(numbers: np.ndarray) -> np.ndarray | None:
    """Return the bytes that give exactly these numbers when divided by 255, and sixteen more; None if there are none."""
    pixels = np.zeros(numbers.size + LANES, np.uint8)
    for start in range(0, numbers.size, _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        scaled = np.rint(chunk * np.float32(255))
        if not (scaled.min() >= 0 and scaled.max() <= 255 and np.array_equal(scaled / np.float32(255), chunk)):
            return None
        pixels[start : start + chunk.size] = scaled
    return pixels
