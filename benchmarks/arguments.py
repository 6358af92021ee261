"""The command line: what may be asked, and one sentence for what may not."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from benchmarks import environment, peers, rows
from tinyticket.compiler.network import require_device
from tinyticket.errors import InputError, near

STEPS_ON_DEVICE = 50
"""Steps between two looks at the clock on a device, which is waited for then: enough that waiting costs next to nothing."""

BENCHMARKS = ("kernels", "step", "run", "memory")

CASES = ("linear", "wide", "convolution", "gather", "softmax", "adam", "pattern", "inference", "startup")
"""The parts of `kernels`."""

LAYERS = {
    "linear": r"linear-(?P<inputs>\d+)x(?P<second>\d+)(-b(?P<batch>\d+))?",
    "convolution": r"convolution-(?P<inputs>\d+)x(?P<second>\d+)x(?P=second)(-(?P<outputs>\d+))?(-k(?P<kernel>\d*[13579]))?"
    r"(-b(?P<batch>\d+))?",
}
"""Layers as they are given, and as rows call them, by the case that measures them."""


@dataclass(frozen=True)
class Shape:
    """A layer of one's own: inputs and outputs of a linear one, channels and rows of a convolution; None where it is not told."""

    inputs: int
    second: int
    batch: int | None = None
    outputs: int | None = None  # channels that a convolution makes
    kernel: int | None = None  # rows and columns of its windows

    @property
    def sizes(self) -> tuple[int, int]:
        """The two that are always told."""
        return self.inputs, self.second


@dataclass(frozen=True)
class Options:
    """What was asked for; None where the benchmark has its own default."""

    benchmark: str
    threads: int
    models: tuple[str, ...] | None = None
    densities: tuple[float, ...] | None = None
    masks: str = "uniform"
    batch_size: int | None = None
    peers: tuple[str, ...] = ()
    json: str | None = None
    plot: str | None = None
    cases: tuple[str, ...] | None = None
    layers: dict[str, tuple[Shape, ...]] = field(default_factory=dict)  # shapes of one's own, by case
    processes: int = 1
    quick: bool = False
    steps_per_call: int = 1
    device: str = "cpu"
    examples: dict[str, int] | None = None  # of synthetic data; for tests


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    p = _Parser(
        prog="python -m benchmarks",
        description="Times tinyticket against its peers, in alternating blocks, and checks its results against float64.",
        epilog="kernels: layers and the small kernels; step: whole training steps of a model; run: the published Lenet "
        "experiment, extrapolated from a few hundred steps of each round; memory: what a step takes at its peak. "
        "Ratios above 1: tinyticket is faster. Modules of their own: benchmarks.epochs, whether steps stay quick for 50 epochs; "
        "benchmarks.checkouts, this checkout beside another, or on a busy machine; benchmarks.commits, what commits of large files "
        "cost; benchmarks.overhead, what the program around small trainings costs; benchmarks.verdict, how often verdicts err; "
        "benchmarks.never_dense, networks that were never dense; benchmarks.device_passes, passes of layers on a GPU. "
        "Each has --help.",
        allow_abbrev=False,
    )
    p.add_argument("benchmark", metavar="{kernels,step,run,memory}")
    p.add_argument("--models", metavar="NAMES", help="step: models, such as lenet-300-100,mlp-784-200-50-10")
    p.add_argument("--densities", metavar="LIST", help="shares of weights left, such as 1,0.51,0.1")
    p.add_argument("--masks", default="uniform", metavar="uniform|FILE", help="FILE: the rounds of a result file")
    p.add_argument("--batch-size", type=int, metavar="N")
    p.add_argument("--threads", type=int, default=environment.cores(), metavar="N", help="default: %(default)s")
    p.add_argument("--peers", default="", metavar="NAMES", help=f"of {','.join(peers.PACKAGES)}")
    p.add_argument("--json", metavar="FILE", help="write the rows")
    p.add_argument("--plot", metavar="FOLDER", help="write pictures (needs matplotlib)")
    p.add_argument("--cases", metavar="NAMES", help=f"kernels: only these parts, of {', '.join(CASES)}")
    p.add_argument(
        "--layers",
        metavar="NAMES",
        help="kernels: layers of your own, called as rows are: linear-INPUTSxOUTPUTS[-bBATCH], "
        "convolution-CHANNELSxSIDExSIDE[-OUTPUTS][-kSIDE][-bBATCH], of stride 1, k with windows of an odd side: as many channels "
        "out as in, 3 x 3 and --batch-size where not told; such as linear-784x300 or convolution-3x32x32-64-k5-b128",
    )
    p.add_argument("--processes", type=int, default=1, metavar="N",
                   help="run in N processes one after the other and keep the middle one of each row")  # fmt: skip
    p.add_argument(
        "--steps-per-call",
        type=int,
        metavar="N",
        help="step: take so many of tinyticket's steps in one call, as its training loop does (default: 1; on a device 50, "
        "of all sides, before it is waited for)",
    )
    p.add_argument(
        "--device", default="cpu", metavar="{cpu,cuda}", help="kernels, step: where all sides run (default: cpu)"
    )
    p.add_argument("--quick", action="store_true", help="only see that it runs: the figures mean nothing")
    return p


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line.

    Raises
    ------
    InputError
        In one sentence, for anything that cannot be.
    """
    given = parser().parse_args(arguments)
    if given.benchmark not in BENCHMARKS:
        raise InputError(f"no benchmark is called {given.benchmark!r}{near(given.benchmark, BENCHMARKS)}")
    options = Options(
        given.benchmark,
        _between("--threads", given.threads, 1, environment.cores()),
        tuple(_words("--models", given.models)) if given.models is not None else None,
        parse_densities(given.densities),
        given.masks,
        None if given.batch_size is None else _between("--batch-size", given.batch_size, 1, 1_000_000),
        tuple(peers.parse(given.peers)),
        given.json,
        given.plot,
        tuple(_words("--cases", given.cases)) if given.cases is not None else None,
        parse_layers(given.layers),
        _between("--processes", given.processes, 1, 99),
        given.quick,
        steps_per_call=_steps(given.steps_per_call, given.device),
        device=given.device,
    )
    _check(options)
    return options


def _check(options: Options) -> None:
    for option, value, benchmarks in (
        ("--models", options.models, ("step", "memory")),
        ("--masks", options.masks if options.masks != "uniform" else None, ("step", "run")),
        ("--cases", options.cases, ("kernels",)),
        ("--layers", options.layers, ("kernels",)),
        ("--plot", options.plot, ("kernels", "step", "run")),
        ("--steps-per-call", options.steps_per_call > 1 and options.device == "cpu", ("step",)),
        ("--device", options.device != "cpu", ("kernels", "step")),
    ):
        if value and options.benchmark not in benchmarks:
            raise InputError(f"{option} belongs to {' and '.join(benchmarks)}, not to {options.benchmark}")
    if unmeasured := [case for case in options.layers if case not in (options.cases or options.layers)]:
        raise InputError(f"--layers has shapes of {unmeasured[0]}, which --cases leaves out")
    require_device(options.device)
    if options.masks != "uniform" and not Path(options.masks).is_file():
        raise InputError(f"--masks is uniform or a result file, and there is no file {options.masks}")
    if complaint := rows.check_writable(options.json):
        raise InputError(complaint)
    if options.plot is not None and Path(options.plot).exists() and not Path(options.plot).is_dir():
        raise InputError(f"--plot {options.plot} is a file; expected a folder")


def _steps(given: int | None, device: str) -> int:
    """Return how many steps a call takes."""
    if given is None:
        return 1 if device == "cpu" else STEPS_ON_DEVICE
    return _between("--steps-per-call", given, 1, 1000)


def _words(option: str, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise InputError(f"{option} names nothing")
    return list(dict.fromkeys(words))


def _between(option: str, value: Any, least: int, most: int) -> int:
    if not least <= value <= most:
        raise InputError(f"{option} is {value}; expected {least} to {most}")
    return value


def parse_layers(text: str | None) -> dict[str, tuple[Shape, ...]]:
    """Return shapes by the case that measures them; InputError for what is no layer."""
    found: dict[str, tuple[Shape, ...]] = {}
    for word in _words("--layers", text) if text is not None else ():
        for case, pattern in LAYERS.items():
            match = re.fullmatch(pattern, word)
            sizes = {name: int(size) for name, size in match.groupdict().items() if size} if match else {}
            if match and all(0 < size <= 2**16 for size in sizes.values()):
                found[case] = (*found.get(case, ()), Shape(**sizes))
                break
        else:
            raise InputError(
                f"--layers holds {word!r}; expected such as linear-784x300-b60 or convolution-64x32x32-128-k5, "
                f"of sizes up to {2**16}"
            )
    return found


def parse_densities(text: str | None) -> tuple[float, ...] | None:
    """Return the densities of a list, or None for none; InputError if one is not above 0 and up to 1."""
    if text is None:
        return None
    found = []
    for word in _words("--densities", text):
        if not re.fullmatch(r"\d*\.?\d+(e-?\d+)?", word) or not 0 < float(word) <= 1:
            raise InputError(f"--densities holds {word!r}; expected numbers above 0 and up to 1")
        found.append(float(word))
    return tuple(dict.fromkeys(found))
