"""Layers on a device, forward and backward: tinyticket's kernels against cuBLAS, cuDNN and cuSPARSE through PyTorch.

A call is several passes, and ends by waiting for the device: what a launch or the waiting itself costs is shared by all of them.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from benchmarks.arguments import Options, Shape
from benchmarks.device_layers import OwnLayer, chosen
from benchmarks.device_peers import LAYERS, TF32_TOLERANCE, wait
from benchmarks.image_layer import ImageLayer
from benchmarks.layer import TOLERANCE, Layer
from benchmarks.peers import Peers
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline, first_call, interleave
from tinyticket.kernels.cuda.toolkit import cuda

DENSITIES = (1, 0.2, 0.1, 0.05, 0.02)
LINEAR = (4096, 4096, 256)
IMAGES = ((64, 32, 128), (128, 16, 128), (256, 8, 128))
"""Channels, rows and columns of their images, and how many of them."""

PASSES = 10
"""Forward and backward passes of a call."""


def linear(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """Measure a linear layer that is as wide as it is deep."""
    *sizes, batch = LINEAR
    for shape, density in product(options.layers.get("linear", [Shape(*sizes)]), options.densities or DENSITIES):
        layer = Layer(*shape.sizes, shape.batch or options.batch_size or batch, density)
        yield from _compare(f"linear-{layer.inputs}x{layer.outputs}-b{layer.batch}", layer, options, peers, discipline)


def convolution(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """Measure the convolutions of residual networks and of VGG."""
    standard = [Shape(channels, side, batch=options.batch_size or batch) for channels, side, batch in IMAGES]
    shapes = options.layers.get("convolution") or standard
    for shape, density in product(shapes, options.densities or DENSITIES):
        batch = shape.batch or options.batch_size or IMAGES[0][2]
        layer = ImageLayer(*shape.sizes, batch, density, shape.outputs, shape.kernel or 3)
        yield from _compare(layer.name, layer, options, peers.among("torch", "torch-tf32"), discipline)


def _compare(
    case: str, layer: Layer | ImageLayer, options: Options, peers: Peers, discipline: Discipline
) -> Iterator[Row]:
    """Time all sides of a layer against each other, each checked before."""
    sides: dict[str, Any] = {"own dense": OwnLayer(layer, "dense")}
    if layer.density < 1:
        sides["own sparse"] = OwnLayer(layer, "sparse")
    sides |= {name: LAYERS[name](layer) for name in peers.present}
    calls = {name: _call(side, cuda.synchronize if name.startswith("own") else wait) for name, side in sides.items()}
    firsts = {name: first_call(call)[1] for name, call in calls.items()}
    errors = {
        name: layer.check(name, side.results(), TF32_TOLERANCE if name == "torch-tf32" else TOLERANCE)
        for name, side in sides.items()
    }
    timings = {name: timing.divided(PASSES) for name, timing in interleave(calls, discipline).items()}
    kernel = chosen(layer)
    own = f"own {kernel}"
    shared = ("kernels", case, layer.density, options.threads, timings[own])
    extra = {"device": "cuda", "kernel": kernel, "error": errors[own], "first_call": firsts[own]}
    extra |= {f"{name.split()[1]}_seconds": timings[name].median for name in timings if name.startswith("own")}
    for name in peers.present:
        yield row(*shared, name, timings[name], **extra, peer_error=errors[name], peer_first_call=firsts[name])
    for name, reason in peers.missing.items():
        yield row(*shared, name, None, **extra, note=reason)
    if not peers.present and not peers.missing:
        yield row(*shared, **extra)


def _call(side: Any, wait_for_device: Callable[[], None]) -> Callable[[], None]:
    def passes() -> None:
        for _ in range(PASSES):
            side.forward()
            side.backward()
        wait_for_device()

    return passes
