"""`python -m benchmarks.device_passes`: what each pass of a layer takes on a device, by the device's own clock.

For those who work on the kernels: `python -m benchmarks kernels --device cuda` has the peers beside it. Passes are recorded once
and started many times, so that what the host needs for a launch does not count.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from benchmarks import device
from benchmarks.arguments import parse_densities
from benchmarks.device_layers import OwnLayer
from benchmarks.image_layer import ImageLayer
from benchmarks.layer import Layer
from tinyticket.errors import InputError
from tinyticket.kernels.cuda import toolkit
from tinyticket.kernels.cuda.driver import ALONE, LaunchGraph
from tinyticket.kernels.cuda.launch import Launch
from tinyticket.kernels.cuda.toolkit import cuda

WIDTH = 110

ROUNDS, STARTS = 5, 20
"""How many times so many starts are timed; the median of the times is told."""


def microseconds(launches: Sequence[Launch]) -> float:
    """Return what launches take together."""
    graph, times = LaunchGraph(launches), []
    for _ in range(ALONE + 1):  # compiled, then recorded
        graph.run()
    for _ in range(ROUNDS):
        cuda.synchronize()
        before, behind = cuda.event(), cuda.event()
        before.record()
        for _ in range(STARTS):
            graph.run()
        behind.record()
        cuda.synchronize()
        times.append(before.elapsed_time(behind) * 1e3 / STARTS)
    return float(np.median(times))


def table(layers: Sequence[Layer | ImageLayer]) -> Table:
    """Measure layers, dense at density 1, and check what they compute."""
    made = Table(
        Column("layer", no_wrap=True),
        "density",
        "forward",
        "weight gradient",
        "input gradient",
        "all",
        "error",
        title="microseconds",
    )
    for layer in layers:
        kernel = "dense" if layer.density == 1 else "sparse"
        own = OwnLayer(layer, kernel)
        own.forward(), own.backward()
        error = layer.check(f"own {kernel}", own.results())
        passes = [*own.passes.values(), [launch for launches in own.passes.values() for launch in launches]]
        name = f"{layer.inputs} to {layer.outputs}" if isinstance(layer, Layer) else layer.name
        cells = [f"{microseconds(launches):.1f}" for launches in passes]
        made.add_row(name, f"{layer.density:g}", *cells, f"{error:.1e}")
    return made


def main(arguments: list[str] | None = None) -> None:
    """Print a line for every layer and density."""
    parser = argparse.ArgumentParser(description="Time every pass of layers on a CUDA device.")
    parser.add_argument("--densities", default="1,0.2,0.1,0.05,0.02", metavar="LIST")
    given = parser.parse_args(arguments)
    try:
        toolkit.require()
        densities = parse_densities(given.densities) or ()
    except InputError as error:
        parser.exit(2, f"{error}\n")
    layers: list[Layer | ImageLayer] = [Layer(*device.LINEAR, density) for density in densities]
    layers += [ImageLayer(*image, density) for image in device.IMAGES for density in densities]
    Console(width=WIDTH).print(table(layers))


if __name__ == "__main__":
    main()
