"""`kernels`: single kernels against whatever else computes the same, and what a first use costs."""

from collections.abc import Callable, Iterator

from benchmarks import convolution, inference, linear, small, startup
from benchmarks.arguments import Options
from benchmarks.peers import Peers
from benchmarks.probe import Probe
from benchmarks.rows import Row
from benchmarks.timing import Discipline
from tinyticket.errors import InputError, near

Part = Callable[[Options, Peers, Discipline], Iterator[Row]]

PARTS: dict[str, Part] = {
    "linear": linear.square,
    "wide": linear.wide,
    "convolution": convolution.measure,
    "gather": small.gather,
    "softmax": small.softmax,
    "adam": small.adam,
    "pattern": small.pattern,
    "inference": inference.measure,
    "startup": startup.measure,
}


def measure(options: Options, peers: Peers, discipline: Discipline, probe: Probe) -> Iterator[Row]:
    """Yield the rows of all parts, or of those that --cases names."""
    parts = PARTS if options.device == "cpu" else device_parts()
    names = options.cases or tuple(options.layers) or tuple(parts)
    for name in names:
        if name not in parts:
            raise InputError(f"--cases names {name!r}{near(name, parts)}")
    for name in names:
        yield from parts[name](options, peers, discipline)
        probe.read()


def device_parts() -> dict[str, Part]:
    """Return what is measured on a device; CUDA is imported only then."""
    from benchmarks import device

    return {"linear": device.linear, "convolution": device.convolution}
