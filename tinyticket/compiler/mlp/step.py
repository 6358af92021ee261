"""A fully-connected network, its loss and its optimizer as one compiled training step."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from tinyticket.compiler.mlp.dense_gradients import dense_gradients
from tinyticket.compiler.mlp.evaluate import evaluate
from tinyticket.compiler.mlp.pace import Pace
from tinyticket.compiler.mlp.plan import Plan
from tinyticket.compiler.mlp.predict import Predictor
from tinyticket.compiler.mlp.program import Data, Job
from tinyticket.compiler.mlp.train import train
from tinyticket.compiler.score import Score
from tinyticket.data import Pixels
from tinyticket.errors import InputError
from tinyticket.kernels.cpu import LANES, empty, settings
from tinyticket.kernels.cpu.vector.barrier import SIZE
from tinyticket.kernels.cpu.handover import handed_over
from tinyticket.kernels.cpu.optimizers import RULES, SLOTS
from tinyticket.kernels.cpu.threads import available_threads, thread_count

_CHUNK = 2**18  # numbers that are looked at together while data are bound


class MLPStep:
    """Training steps of linear layers with ReLU between them, under softmax-cross-entropy.

    Parameters
    ----------
    shapes : sequence of (outputs, inputs)
        Of the layers, from the first to the last.
    masks : sequence of bool arrays or None
        What is pruned stays +0.0.
    sparse : sequence of bool
        Which layers run sparse; they have masks.
    biased : sequence of bool
        Which layers have a bias.
    batch_size : int
        The largest batch.
    rule : {"sgd", "momentum", "nesterov", "adam"}
    threads : int, optional
        All that Numba may use if not given; a training step takes one of them where that is faster. Results have the same bits
        for any number.
    **options
        Further arguments of `kernels.cpu.settings`, apart from the learning rate.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, int]],
        masks: Sequence[np.ndarray | None],
        sparse: Sequence[bool],
        biased: Sequence[bool],
        *,
        batch_size: int,
        rule: str = "adam",
        threads: int | None = None,
        **options: Any,
    ):
        settings(rule, 1, 1e-3, **options)  # says what is wrong with them
        self.batch_size, self.steps_taken = batch_size, 0
        self.threads = thread_count(threads)
        self._pace = Pace(self.threads)
        self._rule, self._options = rule, options
        self._meeting, self._result = empty(SIZE, dtype=np.int64), np.zeros(2)
        self._told: tuple[tuple[Data, int, int], np.ndarray] | None = None
        self._plan = Plan(shapes, masks, sparse, biased, SLOTS[RULES[rule]], batch_size, self.threads)
        self.predict = Predictor(self._plan, self.threads)

    def write(self, state: Sequence[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]], steps_taken: int = 0) -> None:
        """Take over values: for each layer its weight and its bias, each followed by its slots if they are not zero."""
        self.steps_taken = steps_taken
        for layer, (weight, bias) in enumerate(state):
            self._plan.write(layer, weight, bias)

    def read(self, layer: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return copies of a layer's weight and bias, each followed by its slots."""
        return self._plan.read(layer)

    def change_mask(self, layer: int, mask: np.ndarray) -> bool:
        """Put another mask of as many survivors in the place of a layer's; false, and nothing is done, for any other."""
        return self._plan.change_mask(layer, mask)

    def weight(self, layer: int) -> np.ndarray:
        """Return a copy of a layer's weight."""
        return self._plan.weight(layer)

    def dense_gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[float, list[tuple[np.ndarray, np.ndarray]]]:
        """Return a batch's mean loss and each layer's gradients of weight and bias, those of pruned weights included."""
        layers = range(len(self._plan.shapes))
        weights, biases = [self._plan.weight(layer) for layer in layers], [self._plan.bias(layer) for layer in layers]
        return dense_gradients(weights, biases, np.asarray(x, np.float32).reshape(len(x), -1), y)

    def bind(self, examples: np.ndarray | Pixels, labels: np.ndarray) -> Data:
        """Bring a data set into the form that steps read.

        Examples become float32, or bytes if they are pixels divided by 255: gathering a batch is a good part of a sparse
        step, and bytes are a quarter of the memory traffic. The bits of a step are the same.
        """
        examples = np.ascontiguousarray(examples, np.float32).reshape(len(examples), -1)
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

    def step(self, data: Data, indices: np.ndarray, learning_rate: float) -> float:
        """Take one step on the examples that `indices` (int64) name, at most the batch size; return the loss."""
        scalars = settings(self._rule, self.steps_taken + 1, learning_rate, **self._options)
        self._train(data, indices, 1, scalars, self._result)
        return float(self._result[0])

    def run(self, data: Data, indices: np.ndarray, learning_rates: Sequence[float]) -> np.ndarray:
        """Take a step for each row of `indices` (int64), with its own learning rate; return each one's loss.

        One call for many steps saves what entering compiled code costs, some five microseconds a step.
        """
        scalars = [
            settings(self._rule, self.steps_taken + ahead, rate, **self._options)
            for ahead, rate in enumerate(learning_rates, start=1)
        ]
        results = np.zeros((len(indices), 2))
        self._train(data, indices.reshape(-1), len(indices), np.concatenate(scalars), results.reshape(-1))
        return results[:, 0]

    def _train(self, data: Data, indices: np.ndarray, steps: int, scalars: np.ndarray, results: np.ndarray) -> None:
        samples = indices.size // steps
        if not 0 < samples <= self.batch_size:
            raise InputError(f"a batch of {samples} examples, but the step is compiled for 1 to {self.batch_size}")
        here = self.threads <= available_threads()
        threads = self._pace.threads if here else 1  # do not wait for threads that cannot come
        job, began = self._job(data, samples, threads), perf_counter()
        if not train(job, indices, scalars, results):
            raise InputError(f"indices must be from 0 to {data.size - 1}")
        if here:
            self._pace.note((perf_counter() - began) / steps)
        self.steps_taken += steps

    def evaluate(self, data: Data, indices: np.ndarray | None = None) -> Score:
        """Compute the mean loss and the number of correct answers over the data, or over some of its examples."""
        chosen = np.arange(data.size) if indices is None else np.ascontiguousarray(indices, np.int64)
        sums = np.zeros((-(-chosen.size // self._plan.lanes), 2))
        if not evaluate(self._job(data, self.batch_size, thread_count(self.threads)), chosen, sums.reshape(-1)):
            raise InputError(f"indices must be from 0 to {data.size - 1}")
        loss, correct = sums.sum(axis=0)
        return Score(float(loss) / chosen.size, int(correct), chosen.size)

    def _job(self, data: Data, samples: int, threads: int) -> np.ndarray:
        """Return what compiled code is told about batches of some size; kept, for the next call mostly wants the same."""
        if self._told is None or self._told[0][0] is not data or self._told[0][1:] != (samples, threads):
            plan = self._plan
            batch = plan.batch._replace(samples=samples)
            job = Job(plan.memory, plan.alone, batch, data, RULES[self._rule], self._meeting, threads)
            self._told = (data, samples, threads), handed_over(job)
        return self._told[1]


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
