"""Say for each layer of a compiled step what runs and how long it takes."""

from __future__ import annotations

import time

import numpy as np

from tinyticket.compiler.mlp.trace import LinearLayer
from tinyticket.sparse import choice

REPEATS = 30


def explain(layers: list[LinearLayer], sparse: list[bool], batch_size: int) -> list[tuple[str, ...]]:
    """Return a table of layers: shape, density, kernel, expected and measured microseconds of a step on one core.

    Expected times are the cost model's for 64 samples, scaled to the batch; measured ones are of a step of a network of this layer
    alone, on random data, so they include what a step costs besides.
    """
    rows: list[tuple[str, ...]] = [("layer", "shape", "density", "kernel", "expected us", "measured us")]
    for i, (layer, is_sparse) in enumerate(zip(layers, sparse, strict=True)):
        mask = layer.weight.mask
        density = 1.0 if mask is None else float(mask.mean())
        expected = choice.expected(layer.weight.shape, density, i == 0, is_sparse) / 1e3 * max(1.0, batch_size / 64)
        shape = " x ".join(map(str, layer.weight.shape))
        measured = _measure(layer, is_sparse, batch_size)
        rows.append(
            (
                layer.name,
                shape,
                f"{density:.1%}",
                "sparse" if is_sparse else "dense",
                f"{expected:.0f}",
                f"{measured:.0f}",
            )
        )
    return rows


def _measure(layer: LinearLayer, sparse: bool, batch_size: int) -> float:
    """Return the median microseconds of a step of this layer alone, on one thread."""
    from tinyticket.compiler.mlp.step import MLPStep

    outputs, inputs = layer.weight.shape
    alone = MLPStep([(outputs, inputs)], [layer.weight.mask], [sparse], [True], batch_size=batch_size, threads=1)
    rng = np.random.default_rng(0)
    alone.write([([layer.weight.data], [])])
    data = alone.bind(rng.random((batch_size, inputs), np.float32), rng.integers(0, outputs, batch_size))
    indices, times = np.arange(batch_size), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        alone.step(data, indices, 1e-3)
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))
