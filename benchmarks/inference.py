"""Inference with a sparse network: a batch of samples in, logits out."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

import tinyticket as tt
from benchmarks.arguments import Options
from benchmarks.check import require_near
from benchmarks.compare import compare
from benchmarks.masks import uniform_mask
from benchmarks.peers import Peers
from benchmarks.rows import Row
from benchmarks.timing import Discipline
from tinyticket.nn import Linear, Module, ReLU, Sequential

NETWORKS = {"1024x1024": (1024, 1024), "lenet-300-100": (784, 300, 100, 10)}
BATCHES = (1, 16, 128)
DENSITIES = (0.05,)


def network(weights: list[np.ndarray]) -> Sequential:
    """Return sparse layers with ReLU between them, biases zero."""
    layers: list[Module] = []
    for w in weights:
        linear = Linear(w.shape[1], w.shape[0], rng=0)
        linear.weight.mask, linear.weight.data = w != 0, w
        linear.bias.data = np.zeros(len(w), np.float32)
        layers += [linear, ReLU()]
    return Sequential(*layers[:-1])


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
    step = tt.compile(network(weights), batch_size=len(x))
    exact = x.astype(np.float64)
    for i, w in enumerate(weights, start=1):
        exact = exact @ w.T.astype(np.float64)
        exact = np.maximum(exact, 0) if i < len(weights) else exact
    error = require_near(case, step.predict(x), exact, 2e-5)
    calls: dict[str, Callable[[], Any]] = {"": lambda: step.predict(x)}
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
