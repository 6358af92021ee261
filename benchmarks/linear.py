"""Linear layers, forward and backward, from dense to 2%: our two kinds of kernels and the peers'.

Some peers are compared with one thread a side (peers.SERIAL); the others, and tinyticket alone, with --threads.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from benchmarks import environment
from benchmarks.arguments import Options, Shape
from benchmarks.layer import Layer
from benchmarks.own_layer import OwnDense, OwnSparse, OwnSparsePacking, chosen
from benchmarks.peer_layers import LAYERS
from benchmarks.peers import SERIAL, Peers
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline, first_call, interleave

DENSITIES = (1, 0.5, 0.4, 0.2, 0.1, 0.05, 0.02)
SQUARE = (1024, 1024, 128)
WIDE = (768, 3072, 2048)
WIDE_DENSITIES = (0.1, 0.02)


def square(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """1024 to 1024, batch 128, or other layers: dense and sparse kernels at each density, forward and all three passes."""
    *sizes, batch = SQUARE
    for shape, density in product(options.layers.get("linear", [Shape(*sizes)]), options.densities or DENSITIES):
        layer = Layer(*shape.sizes, shape.batch or options.batch_size or batch, density)
        owns = {"sparse": OwnSparse(layer), "dense": OwnDense(layer)}
        for backward in (True, False):
            yield from _compare(layer, owns, {chosen(layer): ""}, backward, options, peers, discipline)


def wide(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """768 to 3072, batch 2048, sparseprop's own example: activations packed before, or packed and unpacked each time."""
    inputs, outputs, batch = WIDE
    for density in options.densities or WIDE_DENSITIES:
        layer = Layer(inputs, outputs, options.batch_size or batch, density)
        owns = {"sparse": OwnSparse(layer), "packing": OwnSparsePacking(layer)}
        cases = {"sparse": "", "packing": "-packing"}
        yield from _compare(
            layer, owns, cases, True, options, peers.among("torch", "sparseprop", "sparselab"), discipline
        )


def _compare(
    layer: Layer,
    owns: dict[str, Any],
    cases: dict[str, str],
    backward: bool,
    options: Options,
    peers: Peers,
    discipline: Discipline,
) -> Iterator[Row]:
    """Time all sides together; `cases` maps those of our own that get rows to what their case's name ends in."""
    sides = {name: LAYERS[name](layer) for name in _able(peers.present, backward)}
    checked = {name: _verify(layer, name, side) for name, side in owns.items()}
    peers_checked = {name: _verify(layer, name, side, "peer_") for name, side in sides.items()}
    groups = _groups(_able([*peers.present, *peers.missing], backward), options.threads)
    for number, (threads, names) in enumerate(groups):
        own_names = list(cases if number else owns)  # the second group only serves serial peers
        calls = {f"own {name}": _call(owns[name], backward) for name in own_names}
        calls |= {name: _call(sides[name], backward) for name in names if name in sides}
        with environment.threads(threads):
            for own in owns.values():
                own.prepare()
            timings = interleave(calls, discipline)
        both = {f"{name}_seconds": timings[f"own {name}"].median for name in own_names}
        for kernel, suffix in cases.items():
            case = f"linear-{layer.inputs}x{layer.outputs}-b{layer.batch}{suffix}{'' if backward else '-forward'}"
            work = {"flops": layer.flops(backward), "bytes": layer.bytes(backward, kernel != "dense")}
            extra = {"kernel": kernel, **checked[kernel], **work, **both}
            shared = ("kernels", case, layer.density, threads, timings[f"own {kernel}"])
            for name in names:
                if name in sides:
                    yield row(*shared, name, timings[name], **extra, **peers_checked[name])
                else:
                    yield row(*shared, name, None, **extra, note=peers.missing[name])
            if not names:
                yield row(*shared, **extra)


def _able(names: list[str], backward: bool) -> list[str]:
    return [name for name in names if not backward or LAYERS[name].backward is not None]


def _groups(names: list[str], threads: int) -> list[tuple[int, list[str]]]:
    """Split peers into those that run on all threads and those that are compared on one."""
    serial, parallel = [n for n in names if n in SERIAL], [n for n in names if n not in SERIAL]
    if threads == 1:
        return [(1, names)]
    return [(threads, parallel)] * bool(parallel or not serial) + [(1, serial)] * bool(serial)


def _call(side: Any, backward: bool) -> Callable[[], None]:
    if not backward:
        return side.forward

    def both() -> None:
        side.forward()
        side.backward()

    return both


def _verify(layer: Layer, name: str, side: Any, prefix: str = "") -> dict[str, float]:
    """Call a side for the first time, check its results, and return error and seconds for its rows."""
    _, seconds = first_call(_call(side, side.backward is not None))
    return {f"{prefix}error": layer.check(name, side.results()), f"{prefix}first_call": seconds}
