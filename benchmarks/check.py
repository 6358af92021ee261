"""A wrong result is not fast: everything that is timed is compared with float64 first."""

from typing import Any

import numpy as np


class WrongResultError(Exception):
    """A kernel's error is too large: nothing that it measures may be printed."""


def error_of(result: Any, exact: Any) -> float:
    """Return the largest difference, relative to the largest exact value."""
    result, exact = np.asarray(result, np.float64), np.asarray(exact, np.float64)
    if not exact.size:
        return 0.0
    worst = np.abs(result - exact).max()
    scale = np.abs(exact).max()
    return float(worst / scale) if scale else float(worst)


def require_near(what: str, result: Any, exact: Any, tolerance: float) -> float:
    """Return the error, or raise if it is above `tolerance` or not a number."""
    error = error_of(result, exact)
    if not error <= tolerance:
        raise WrongResultError(f"{what}: error {error:.1e} against float64, more than {tolerance:.0e}")
    return error
