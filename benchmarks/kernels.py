"""`kernels`: single kernels against whatever else computes the same, and what a first use costs."""

from collections.abc import Callable, Iterator

from benchmarks import convolution, inference, linear, small, startup
from benchmarks.arguments import Options
from benchmarks.peers import Peers
from benchmarks.rows import Row
from benchmarks.timing import Discipline, Probe
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
    for name in options.cases or PARTS:
        if name not in PARTS:
            raise InputError(f"--cases names {name!r}{near(name, PARTS)}")
    for name in options.cases or PARTS:
        yield from PARTS[name](options, peers, discipline)
        probe.read()
