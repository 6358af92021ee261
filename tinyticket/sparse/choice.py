"""Dense, sparse or Winograd's: which kernels are faster for a layer, by a model of their costs.

A dense layer costs so much for each weight and a sparse one so much for each survivor, plus something for each row or column that a
pass opens. A survivor of a layer behind others costs more the wider the layer is, because what it reads and writes is less often in
the first-level cache. Rates come with the library for the machines that it was measured on, and others are taken for the one on
which sparse layers pay off latest, until `calibrate` measures them; a result file records what was chosen.
"""

from __future__ import annotations

import json
import logging
import math
import os
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

CLEARLY = 0.95
"""How much of a dense layer's time a sparse one may be expected to take: rates are of some layers, and others differ."""


@dataclass(frozen=True)
class Rates:
    """Costs of a training step, in nanoseconds of one core at 64 samples; those of a first layer are without an input gradient."""

    dense: float  # for each weight of a dense layer: forward, both gradients and the update
    sparse: float  # the same for each survivor of a sparse layer
    dense_first: float
    sparse_first: float
    line: float  # for each row or column that a pass over a sparse layer opens
    dense_doubling: float = 0.0  # to be added to `dense` each time that a layer's width (see `NARROW`) doubles ...
    sparse_doubling: float = 1.2  # ... and to `sparse`
    convolution: float = (
        3.7  # for each weight of a dense convolution at every pixel of its output: forward and gradients
    )
    sparse_convolution: float = 3.7  # the same for each survivor of a sparse one
    convolution_first: float = 3.0
    sparse_convolution_first: float = 2.8
    convolution_base: float = (
        0.2  # for each weight of a sparse one at every pixel, survivor or not: images pass by anyway
    )
    winograd: float = 1.0  # for each weight of one by Winograd's algorithm at every pixel of its patches ...
    winograd_channel: float = 80.0  # ... for each of its channels, inputs and outputs, there ...
    winograd_weight: float = 10.0  # ... and for transforming each weight, and its gradient, whatever the images


MEASURED = {
    "znver4": Rates(dense=4.4, sparse=4.8, dense_first=2.7, sparse_first=3.3, line=33.0),
    "emeraldrapids": Rates(
        3.4, 5.2, 2.4, 4.2, 25.0, 0.35, 1.1, 2.4, 2.9, 1.8, 2.8, 0.15, winograd=0.75, winograd_channel=80.0
    ),
}
"""Rates of the CPUs that were measured, by the names that LLVM gives them; convolutions were on the first alone."""

OTHERWISE = "emeraldrapids"
"""The one of them whose sparse layers pay off latest."""

PATCH = 4
"""Pixels along a side of what Winograd's algorithm computes at a time, whole patches only."""

NARROW = 256
"""Mean of a layer's inputs and outputs up to which a survivor costs the same."""


def expected(shape: tuple[int, ...], density: float, first: bool, sparse: bool) -> float:
    """Return the nanoseconds that a layer (out, in) is expected to take of a training step, on one core at 64 samples."""
    rates, weights = current(), shape[0] * shape[1]
    if not sparse:
        return (rates.dense_first if first else rates.dense + rates.dense_doubling * doublings(shape)) * weights
    if first:
        return rates.sparse_first * density * weights + rates.line * 2 * shape[0]
    rate = rates.sparse + rates.sparse_doubling * doublings(shape)
    return rate * density * weights + rates.line * sum(shape)


def doublings(shape: tuple[int, ...]) -> float:
    """Return how often a layer (out, in) is twice as wide as a narrow one."""
    return max(0.0, math.log2((shape[0] + shape[1]) / (2 * NARROW)))


def sparse_is_faster(shape: tuple[int, ...], density: float, first: bool) -> bool:
    """Return whether the sparse kernels are expected to be clearly faster for a layer (out, in) of this density."""
    return expected(shape, density, first, sparse=True) < CLEARLY * expected(shape, density, first, sparse=False)


def expected_convolution(
    shape: tuple[int, ...], density: float, size: tuple[int, int], first: bool, kernel: str
) -> float:
    """Return what `expected` does, for a convolution (out, in, kernel rows, kernel columns) with outputs of a size (height, width).

    The kernel is "dense", "sparse" or "winograd".
    """
    rates, products = current(), math.prod(shape) * math.prod(size)
    if kernel == "dense":
        return (rates.convolution_first if first else rates.convolution) * products
    if kernel == "winograd":  # two of three passes in a first layer
        pixels = math.prod(-(-side // PATCH) * PATCH for side in size)
        weights = math.prod(shape)
        passes = (rates.winograd * weights + rates.winograd_channel * (shape[0] + shape[1])) * pixels
        return (passes * 2 / 3 if first else passes) + rates.winograd_weight * weights
    rate = rates.sparse_convolution_first if first else rates.sparse_convolution
    return (rate * density + rates.convolution_base) * products


def fastest_convolution(
    shape: tuple[int, ...], density: float, size: tuple[int, int], first: bool, winograd: bool
) -> str:
    """Return the kernel expected to be fastest for a convolution with outputs of a size; sparse only if clearly so.

    `winograd` says whether Winograd's algorithm can compute it, and may.
    """

    def cost(kernel: str) -> float:
        return expected_convolution(shape, density, size, first, kernel)

    whole = min(("dense", "winograd")[: 1 + winograd], key=cost)
    return "sparse" if cost("sparse") < CLEARLY * cost(whole) else whole


def calibration_file() -> Path:
    """Return where this machine's rates are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyticket" / "rates.json"


def default() -> Rates:
    """Return the rates that come with the library for such a CPU."""
    from tinyticket.kernels.cpu.vector.machine import target  # which needs Numba

    return MEASURED.get(target()[0], MEASURED[OTHERWISE])


@cache
def current() -> Rates:
    """Return this machine's rates if they were measured, or those that come with the library."""
    try:
        return Rates(**json.loads(calibration_file().read_text()))
    except FileNotFoundError:
        return default()
    except (OSError, ValueError, TypeError) as error:
        log.warning(
            "%s cannot be used (%s); measure again with `tinyticket bench --calibrate`", calibration_file(), error
        )
        return default()


def remember(rates: Rates) -> Path:
    """Keep measured rates for later processes, and use them in this one."""
    path = calibration_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(rates)))
    current.cache_clear()
    return path
