"""What `step` and `run` train: a model by name, synthetic data of the shape it takes, and the order of its batches."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

import tinyticket as tt
from tinyticket.data import Dataset, from_arrays
from tinyticket.nn import Module
from tinyticket.optim import Optimizer

LEARNING_RATE = 1.2e-3  # the paper's for Lenet-300-100
IMAGE_RATES = {"conv-2": 2e-4, "conv-4": 3e-4, "conv-6": 3e-4}  # the paper's, figure 2
MOMENTUM_RATE, MOMENTUM = 0.01, 0.9
BATCH_SIZE, RESIDUAL_BATCH_SIZE = 60, 128
EXAMPLES = {"train": 55_000, "validation": 5_000, "test": 10_000}
"""MNIST as the paper splits it: enough that gathering a batch goes to memory, as it does in earnest."""

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)

IMAGES = {"train": 10_000, "validation": 1_000, "test": 2_000}
"""Of 32 x 32 in three colours, 120 megabytes: no cache holds them."""

SEED = 0


@dataclass(frozen=True, eq=False)
class Problem:
    """A model's name and data, and batches in an order that every contestant follows from its beginning."""

    name: str
    data: Dataset
    validation: tuple[np.ndarray, np.ndarray]
    batch_size: int

    @property
    def momentum(self) -> float:
        """SGD's momentum for networks that are trained by it, the residual ones and VGG; 0 for those that Adam trains."""
        return MOMENTUM if _is_deep(self.name) else 0.0

    @property
    def learning_rate(self) -> float:
        """The learning rate."""
        return MOMENTUM_RATE if self.momentum else IMAGE_RATES.get(self.name, LEARNING_RATE)

    @property
    def convolutional(self) -> bool:
        """Whether examples are images to the model."""
        return len(self.data.input_shape) == 3 and self.data.input_shape != MNIST

    def optimizer(self, model: Module) -> Optimizer:
        """Make the optimizer that all contestants have in their own way."""
        if self.momentum:
            return tt.optim.SGD(model.parameters(), self.learning_rate, momentum=self.momentum)
        return tt.optim.Adam(model.parameters(), self.learning_rate)

    def model(self, masks: dict[str, np.ndarray] | None = None) -> Module:
        """Make the model with the initial weights that all contestants start from, masked if `masks` are given."""
        model = tt.models.create(self.name, self.data.input_shape, self.data.classes, rng=SEED)
        for name, parameter in model.prunable().items():
            parameter.mask = None if masks is None else masks[name]
        return model

    def batches(self) -> Iterator[np.ndarray]:
        """Yield the indices of one batch after the other, for ever: random, without repeats within an epoch."""
        return itertools.cycle(self.once())

    def once(self) -> list[np.ndarray]:
        """Return the batches of an epoch."""
        count = len(self.data.x_train) // self.batch_size
        order = np.random.default_rng(SEED).permutation(len(self.data.x_train))[: count * self.batch_size]
        return list(order.astype(np.int64).reshape(count, self.batch_size))


def make(name: str, batch_size: int | None = None, examples: dict[str, int] | None = None) -> Problem:
    """Make the problem of a model, in batches as the papers have them if no size is given.

    An unknown name is an error, and costs no time.
    """
    shape, classes = _fits(name)
    tt.models.create(name, shape, classes, rng=SEED)
    sizes = examples or (IMAGES if shape == CIFAR else EXAMPLES)
    data, validation = _synthetic(shape, classes, *sizes.values())
    batch_size = batch_size or (RESIDUAL_BATCH_SIZE if _is_deep(name) else BATCH_SIZE)
    if batch_size > len(data.x_train):
        raise tt.InputError(f"--batch-size {batch_size} is more than the {len(data.x_train)} training examples")
    return Problem(name, data, validation, batch_size)


def _fits(name: str) -> tuple[tuple[int, ...], int]:
    """Return the shape of an example and the number of classes for a model."""
    sizes = name.split("-")[1:]
    if name.startswith("mlp-") and len(sizes) > 1 and all(size.isdigit() for size in sizes):
        return (int(sizes[0]),), int(sizes[-1])
    return (CIFAR if name.startswith(("conv-", "resnet-", "vgg-")) else MNIST), 10


def _is_deep(name: str) -> bool:
    return name.startswith(("resnet-", "vgg-"))


@cache
def _synthetic(
    shape: tuple[int, ...], classes: int, train: int, validation: int, test: int
) -> tuple[Dataset, tuple[np.ndarray, np.ndarray]]:
    """Make images that can be learnt, in 256 grey levels: a pattern for each class, some pixels flipped, a fifth bright.

    Some pixels are dark in every image, as in MNIST; weights behind them have gradients of exactly zero.
    """
    rng = np.random.default_rng(SEED)
    features = int(np.prod(shape))
    count = train + validation + test
    lit = rng.random(features) < 0.7
    prototypes = (rng.random((classes, features)) < 0.3) & lit
    y = rng.integers(0, classes, count)
    x = rng.integers(1, 256, (count, features), np.uint8)
    x *= prototypes[y] ^ ((x < 12) & lit)
    x = x.reshape(count, *shape)
    parts = np.split(np.arange(count), [train, train + validation])
    dataset = from_arrays(x[parts[0]], y[parts[0]], x[parts[2]], y[parts[2]], name="synthetic", classes=classes)
    return dataset, (x[parts[1]].astype(np.float32) / 255, y[parts[1]].astype(np.int64))


def exact_losses(problem: Problem, masks: dict[str, np.ndarray] | None, steps: int) -> list[float]:
    """Train a few steps in float64, eagerly, and return the losses that all sides must come near."""
    model = problem.model(masks)
    model.astype(np.float64)
    optimizer = problem.optimizer(model)
    losses = []
    for batch in itertools.islice(problem.batches(), steps):
        optimizer.zero_grad()
        x = tt.Tensor(problem.data.x_train[batch].astype(np.float64))
        loss = tt.nn.functional.cross_entropy(model(x), problem.data.y_train[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
