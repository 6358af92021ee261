"""Convolutions, 3 x 3 unless told, forward and backward, from dense to 2%: our two kinds of kernels and the peers'."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from benchmarks import environment
from benchmarks.arguments import Options, Shape
from benchmarks.image_layer import ImageLayer
from benchmarks.own_image_layer import OwnDenseImages, OwnSparseImages, OwnWinogradImages, chosen, takes_winograd
from benchmarks.peer_image_layers import WAYS, able
from benchmarks.peers import Peers
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline, Timing, first_call, interleave

DENSITIES = (1, 0.5, 0.2, 0.1, 0.05, 0.02)
SIZES = ((64, 32), (128, 16), (256, 8))
"""Channels, and rows and columns of their images: the layers of residual networks and of VGG."""

BATCH_SIZE = 64

HOPELESS = 1.7
"""A peer's way that takes so many times as long as another of its ways is not timed any further."""

Calls = dict[tuple[str, str], Callable[[], None]]
"""Forward and backward of each side, by peer ("" is ours) and way."""


def measure(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """Yield a row for every size, density and peer; of a peer's ways the quickest counts, and the row says which."""
    peers = peers.among(*WAYS)
    shapes = options.layers.get("convolution") or [Shape(*size) for size in SIZES]
    for shape, density in product(shapes, options.densities or DENSITIES):
        batch = shape.batch or options.batch_size or BATCH_SIZE
        layer = ImageLayer(*shape.sizes, batch, density, shape.outputs, shape.kernel or 3)
        yield from _at_density(layer, options, peers, discipline)


def _at_density(layer: ImageLayer, options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    with environment.threads(options.threads):
        sides: dict[tuple[str, str], Any] = {("", "dense"): OwnDenseImages(layer)}
        if takes_winograd(layer):
            sides["", "winograd"] = OwnWinogradImages(layer)
        if layer.density < 1:
            sides["", "sparse"] = OwnSparseImages(layer)
        for peer in peers.present:
            sides |= {(peer, way): make(layer) for way, make in WAYS[peer].items() if able(way, layer)}
        calls = {name: _call(side) for name, side in sides.items()}
        firsts = {name: first_call(call)[1] for name, call in calls.items()}
        errors = {name: layer.check(" ".join(name).strip(), side.results()) for name, side in sides.items()}
        timings = interleave(_promising(calls), discipline)
    own = "", chosen(layer)
    shared = ("kernels", layer.name, layer.density, options.threads, timings[own])
    extra = {
        "kernel": own[1],
        "error": errors[own],
        "first_call": firsts[own],
        "flops": layer.flops(),
        "bytes": layer.bytes(own[1] == "sparse"),
        **{f"{way}_seconds": timing.median for (peer, way), timing in timings.items() if not peer},
    }
    for peer in peers.present:
        best = _quickest(timings, peer)
        details = {"peer_way": best[1], "peer_error": errors[best], "peer_first_call": firsts[best]}
        yield row(*shared, peer, timings[best], **extra, **details)
    for peer, reason in peers.missing.items():
        yield row(*shared, peer, None, **extra, note=reason)
    if not peers.present and not peers.missing:
        yield row(*shared, **extra)


def _promising(calls: Calls) -> Calls:
    """Return the calls without those ways of a peer that take far longer than another of its ways; some take many seconds."""
    seconds = {name: first_call(call)[1] for name, call in calls.items()}
    least = {peer: min(s for (other, _), s in seconds.items() if other == peer) for peer, _ in calls}
    return {name: call for name, call in calls.items() if not name[0] or seconds[name] <= HOPELESS * least[name[0]]}


def _quickest(timings: dict[tuple[str, str], Timing], peer: str) -> tuple[str, str]:
    """Return the name of a peer's way with the least median."""
    return min((name for name in timings if name[0] == peer), key=lambda name: timings[name].median)


def _call(side: Any) -> Callable[[], None]:
    def both() -> None:
        side.forward()
        side.backward()

    return both
