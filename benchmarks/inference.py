"""Inference with a sparse network, a batch of samples in, logits out, packing included."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from benchmarks.arguments import Options
from benchmarks.check import require_near
from benchmarks.compare import compare
from benchmarks.masks import uniform_mask
from benchmarks.peers import Peers
from benchmarks.rows import Row
from benchmarks.timing import Discipline
from tinyticket.kernels import cpu
from tinyticket.sparse import Pattern

NETWORKS = {"1024x1024": (1024, 1024), "lenet-300-100": (784, 300, 100, 10)}
BATCHES = (1, 16, 128)
DENSITIES = (0.05,)


class OwnNetwork:
    """Sparse layers with ReLU between them, one kernel call each."""

    def __init__(self, weights: list[np.ndarray], x: np.ndarray):
        lanes = cpu.lanes_for(len(x))
        self.x, self.everything = x, np.arange(len(x))
        patterns = [Pattern.from_mask(w != 0, lanes) for w in weights]
        biases = [np.zeros(len(w), np.float32) for w in weights]
        self.layers = [(p, p.values(w), b) for p, w, b in zip(patterns, weights, biases, strict=True)]

    def __call__(self) -> np.ndarray:
        y, _ = cpu.gather(self.x, self.everything)
        for i, (pattern, values, bias) in enumerate(self.layers, start=1):
            y = cpu.sparse_linear(pattern, values, bias, y, relu=i < len(self.layers))
        return cpu.transpose_samples(y)[: len(self.x), : y.shape[1]]


def measure(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """Yield a row for every network, density and batch."""
    batches = (options.batch_size,) if options.batch_size else BATCHES
    for name, sizes in NETWORKS.items():
        for density in options.densities or DENSITIES:
            rng = np.random.default_rng(0)
            weights = [
                rng.standard_normal((outputs, inputs)).astype(np.float32)
                * uniform_mask((outputs, inputs), density, rng)
                / np.float32(np.sqrt(inputs * density))
                for inputs, outputs in pairwise(sizes)
            ]
            for batch in batches:
                x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
                yield from _rows(f"inference-{name}-b{batch}", density, weights, x, options, peers, discipline)


def _rows(
    case: str,
    density: float,
    weights: list[np.ndarray],
    x: np.ndarray,
    options: Options,
    peers: Peers,
    discipline: Discipline,
) -> Iterator[Row]:
    ours = OwnNetwork(weights, x)
    exact = x.astype(np.float64)
    for i, w in enumerate(weights, start=1):
        exact = exact @ w.T.astype(np.float64)
        exact = np.maximum(exact, 0) if i < len(weights) else exact
    error = require_near(case, ours(), exact, 2e-5)
    calls = {"": ours}
    able = peers.among("torch")
    if able.present:
        calls["torch"] = _torch(weights, x)
    yield from compare(case, density, calls, options, able, discipline, error)


def _torch(weights, x):
    import torch

    layers = []
    for w in weights:
        linear = torch.nn.Linear(w.shape[1], w.shape[0])
        linear.weight.data.copy_(torch.from_numpy(w))
        linear.bias.data.zero_()
        layers += [linear, torch.nn.ReLU()]
    network, batch = torch.nn.Sequential(*layers[:-1]), torch.from_numpy(x)

    def infer():
        with torch.inference_mode():
            return network(batch)

    return infer
