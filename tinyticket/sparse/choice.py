"""Dense or sparse: which kernels are faster for a layer, by a model of their costs.

A dense layer costs so much for each weight and a sparse one so much for each survivor, plus something for each row or column
that a pass opens: a first layer's rows forward and for their gradients, another's rows forward and its columns backward. The
rates are those of the machine that they were measured on until `calibrate` measures this one's; whichever they are, a result
file records what was chosen.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

CLEARLY = 0.95
"""How much of a dense layer's time a sparse one may be expected to take: rates are of some layers, and others differ."""


@dataclass(frozen=True)
class Rates:
    """Costs of a training step, in nanoseconds of one core at 64 samples.

    Attributes
    ----------
    dense, sparse : float
        For each weight of a dense layer, for each survivor of a sparse one: forward, both gradients and the update.
    dense_first, sparse_first : float
        The same for a first layer, which needs no input gradient.
    line : float
        For each row or column that a pass over a sparse layer opens.
    convolution, sparse_convolution : float
        For each weight of a dense convolution and each survivor of a sparse one, at every pixel of its output: forward and both
        gradients.
    convolution_first, sparse_convolution_first : float
        The same without an input gradient.
    convolution_base : float
        For each weight of a sparse convolution, whether it survives or not, at every pixel of its output: images pass by anyway.
    """

    dense: float
    sparse: float
    dense_first: float
    sparse_first: float
    line: float
    convolution: float = 3.7
    sparse_convolution: float = 3.7
    convolution_first: float = 3.0
    sparse_convolution_first: float = 2.8
    convolution_base: float = 0.2


DEFAULT = Rates(dense=4.4, sparse=4.8, dense_first=2.7, sparse_first=3.3, line=33.0)  # of a Zen 4 core with AVX-512


def expected(shape: tuple[int, ...], density: float, first: bool, sparse: bool) -> float:
    """Return the nanoseconds that a layer's share of a training step is expected to take, on one core at 64 samples."""
    rates, weights = current(), shape[0] * shape[1]
    if not sparse:
        return (rates.dense_first if first else rates.dense) * weights
    lines = 2 * shape[0] if first else sum(shape)
    return (rates.sparse_first if first else rates.sparse) * density * weights + rates.line * lines


def sparse_is_faster(shape: tuple[int, ...], density: float, first: bool) -> bool:
    """Return whether the sparse kernels are expected to be clearly faster for a layer (out, in) of this density."""
    return expected(shape, density, first, sparse=True) < CLEARLY * expected(shape, density, first, sparse=False)


def expected_convolution(shape: tuple[int, ...], density: float, pixels: int, first: bool, sparse: bool) -> float:
    """Return the nanoseconds that a convolution's share of a training step is expected to take, on one core at 64 samples.

    Parameters
    ----------
    shape : (out, in, kernel rows, kernel columns)
    density : float
        What share of the weights survives.
    pixels : int
        Rows times columns of its output.
    first : bool
        Whether it needs no input gradient.
    sparse : bool
        Which kernels.
    """
    rates, products = current(), shape[0] * shape[1] * shape[2] * shape[3] * pixels
    if not sparse:
        return (rates.convolution_first if first else rates.convolution) * products
    rate = rates.sparse_convolution_first if first else rates.sparse_convolution
    return (rate * density + rates.convolution_base) * products


def sparse_convolution_is_faster(shape: tuple[int, ...], density: float, pixels: int, first: bool) -> bool:
    """Return whether the sparse kernels are expected to be faster for a convolution of this density."""
    one, other = (expected_convolution(shape, density, pixels, first, sparse) for sparse in (True, False))
    return one < CLEARLY * other


def calibration_file() -> Path:
    """Return where this machine's rates are kept."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "tinyticket" / "rates.json"


@cache
def current() -> Rates:
    """Return this machine's rates if they were measured, or those that come with the library."""
    try:
        return Rates(**json.loads(calibration_file().read_text()))
    except FileNotFoundError:
        return DEFAULT
    except (OSError, ValueError, TypeError) as error:
        log.warning(
            "%s cannot be used (%s); measure again with `tinyticket bench --calibrate`", calibration_file(), error
        )
        return DEFAULT


def remember(rates: Rates) -> Path:
    """Keep measured rates for later processes, and use them in this one."""
    path = calibration_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(rates)))
    current.cache_clear()
    return path
