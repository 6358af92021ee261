"""Say for each operation of a compiled step what runs and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyticket.compiler.graph import Operation
from tinyticket.compiler.network import Network

REPEATS = 5


def explain(network: Network, kernels: Mapping[str, str], batch_size: int) -> list[tuple[str, ...]]:
    """Return a table of operations, headings first: shape, density, kernel, expected and measured microseconds.

    Expected times are the cost model's for 64 samples on one core, scaled to the batch, where there is one; measured ones are those
    of the operation's kernels in a training step on random data (on one core), forward, backward and update together, the least of
    several. On a device the update of all weights is one launch, and belongs to no operation.
    """
    measured, names = _measure(network, kernels, batch_size), {o: name for name, o in network.layers.items()}
    rows: list[tuple[str, ...]] = [("layer", "shape", "density", "kernel", "expected us", "measured us")]
    for operation in network.graph.operations:
        name, y = names.get(operation), operation.output
        if name is None:
            cells = [operation.where.split(" ")[0], f"{y.channels} x {y.height} x {y.width}", "", operation.kind, ""]
        else:
            kernel = kernels[name]
            density = network.density(name)
            expected = network.expected(name, density, kernel)
            words = "" if expected is None else f"{expected / 1e3 * max(1.0, batch_size / 64):.0f}"
            cells = [name, " x ".join(map(str, operation.weight_shape)), f"{density:.1%}", kernel, words]
        rows.append((*cells, f"{1e6 * measured.get(operation, 0.0):.0f}"))
    return rows


def _measure(network: Network, kernels: Mapping[str, str], batch_size: int) -> dict[Operation | None, float]:
    """Return the seconds of each operation in a training step made for this."""
    step, rng = network.step(kernels, batch_size=batch_size, rule="sgd"), np.random.default_rng(0)
    step.write({parameter: [parameter.data] for parameter in network.parameters})
    x = rng.random((batch_size, *network.input_shape), np.float32)
    data = step.bind(x, rng.integers(0, network.graph.output.channels, batch_size))
    least: dict[Operation | None, float] = {}
    for _ in range(REPEATS):
        times: dict[Operation | None, float] = {}
        for op, seconds in step.profile(data, np.arange(batch_size)):
            times[op.layer] = times.get(op.layer, 0.0) + seconds
        least = {layer: min(seconds, least.get(layer, seconds)) for layer, seconds in times.items()}
    return least
