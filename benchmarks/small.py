"""The small kernels of a training step: gathering, softmax-cross-entropy, Adam over survivors; and building patterns."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.arguments import Options
from benchmarks.check import require_near
from benchmarks.compare import compare
from benchmarks.masks import uniform_mask
from benchmarks.peers import Peers
from benchmarks.rows import Row
from benchmarks.timing import Discipline
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.packing import empty
from tinyticket.sparse import Pattern

DENSITIES = (1, 0.2, 0.05)
EXAMPLES, FEATURES, BATCH = 55_000, 784, 60
LOGITS = ((60, 10), (128, 1000))
WEIGHTS = 266_200  # of Lenet-300-100
SQUARE = (1024, 1024)


def gather(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """Take a batch from a data set that no cache holds; ours is packed on the way."""
    batch = options.batch_size or BATCH
    rng = np.random.default_rng(0)
    data = rng.random((EXAMPLES, FEATURES), np.float32)
    feed = itertools.cycle(list(rng.integers(0, EXAMPLES, (500, batch))))
    first = next(feed)
    error = require_near("gather", cpu.unpack(cpu.gather(data, first)[0], batch), data[first], 0.0)
    into = np.empty((batch, FEATURES), np.float32)
    calls: dict[str, Callable[[], Any]] = {"": lambda: cpu.gather(data, next(feed))}
    able = peers.among("numpy", "torch")
    if "numpy" in able.present:
        calls["numpy"] = lambda: np.take(data, next(feed), axis=0, out=into)
    if "torch" in able.present:
        calls["torch"] = _torch_gather(data, feed)
    yield from compare(f"gather-{FEATURES}-b{batch}", None, calls, options, able, discipline, error)


def _torch_gather(data: np.ndarray, feed: Iterator[np.ndarray]) -> Callable[[], Any]:
    import torch

    tensor, order = torch.from_numpy(data), map(torch.from_numpy, feed)
    return lambda: tensor[next(order)]


def softmax(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """Loss, gradient and hits from logits."""
    for samples, classes in LOGITS:
        rng = np.random.default_rng(classes)
        logits = (rng.standard_normal((samples, classes)) * 3).astype(np.float32)
        labels = rng.integers(0, classes, samples)
        packed = cpu.pack(logits)
        found = cpu.cross_entropy(packed, labels)
        loss, gradient = _exact_cross_entropy(logits.astype(np.float64), labels)
        case = f"softmax-cross-entropy-{classes}-b{samples}"
        error = max(
            require_near(case, found.loss, loss, 1e-5),
            require_near(case, cpu.unpack(found.gradient, samples), gradient, 1e-5),
        )
        calls: dict[str, Callable[[], Any]] = {"": lambda z=packed, y=labels: cpu.cross_entropy(z, y)}
        able = peers.among("torch")
        if able.present:
            calls["torch"] = _torch_cross_entropy(logits, labels)
        yield from compare(case, None, calls, options, able, discipline, error)


def _exact_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    share = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(share[rows, labels]).mean()
    share[rows, labels] -= 1
    return loss, share / len(labels)


def _torch_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> Callable[[], Any]:
    import torch

    z, y = torch.from_numpy(logits).requires_grad_(), torch.from_numpy(labels)
    return lambda: torch.autograd.grad(torch.nn.functional.cross_entropy(z, y), z)


def adam(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """A step over the survivors of 266,200 weights; PyTorch's fused Adam knows no survivors and updates all."""
    for density in options.densities or DENSITIES:
        survivors = round(density * WEIGHTS)
        rng = np.random.default_rng(0)
        start, gradient = (rng.standard_normal(survivors).astype(np.float32) for _ in range(2))
        ours, exact = _OwnAdam(start, gradient), start.astype(np.float64)
        means, squares = np.zeros(survivors), np.zeros(survivors)
        for t in range(1, 4):
            ours()
            means = 0.9 * means + 0.1 * gradient
            squares = 0.999 * squares + 0.001 * gradient.astype(np.float64) ** 2
            exact -= 1e-3 * (means / (1 - 0.9**t)) / (np.sqrt(squares / (1 - 0.999**t)) + 1e-8)
        case = f"adam-{WEIGHTS}"
        error = require_near(case, ours.weights, exact, 1e-6)
        calls: dict[str, Callable[[], Any]] = {"": ours}
        able = peers.among("torch")
        if able.present:
            calls["torch"] = _torch_adam()
        yield from compare(case, density, calls, options, able, discipline, error)


class _OwnAdam:
    def __init__(self, start: np.ndarray, gradient: np.ndarray):
        self.weights, first, second, self.gradient = (empty(start.size) for _ in range(4))
        self.weights[:], first[:], second[:], self.gradient[:] = start, 0, 0, gradient
        self.slots, self.steps = (first, second), 0

    def __call__(self) -> None:
        self.steps += 1
        cpu.optimizer_step("adam", cpu.scalars_of("adam", self.steps, 1e-3), self.weights, self.slots, self.gradient)


def _torch_adam() -> Callable[[], Any]:
    import torch

    weights = torch.nn.Parameter(torch.randn(WEIGHTS))
    weights.grad = torch.randn(WEIGHTS)
    return torch.optim.Adam([weights], 1e-3, fused=True).step


def pattern(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """From a mask of a million weights to offsets in both orders, validated; SciPy makes CSR and CSC."""
    for density in options.densities or DENSITIES:
        mask = uniform_mask(SQUARE, density, 0)
        error = require_near("pattern", Pattern.from_mask(mask, 64).mask(), mask, 0.0)
        calls: dict[str, Callable[[], Any]] = {"": lambda m=mask: Pattern.from_mask(m, 64)}
        able = peers.among("scipy")
        if able.present:
            from scipy.sparse import csr_array

            calls["scipy"] = lambda m=mask, make=csr_array: make(m).tocsc()
        yield from compare(f"pattern-{SQUARE[0]}x{SQUARE[1]}", density, calls, options, able, discipline, error)
