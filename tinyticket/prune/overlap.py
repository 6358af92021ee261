"""How far apart two masks are."""

from __future__ import annotations

import numpy as np

from tinyticket.errors import InputError
from tinyticket.prune.selection import Arrays


def hamming_distance(a: Arrays, b: Arrays) -> float:
    """Return the share of places, over all layers, where two masks differ: 0 for equal masks, 1 for opposite ones.

    It is what Early-Bird tickets watch (You et al. 2020): few changes from epoch to epoch mean that the ticket has
    emerged. Masks of equal density d are at most 2 d apart, so compare distances only between masks as dense.
    """
    _check(a, b)
    differing = sum(int(np.count_nonzero(np.asarray(a[name]) != np.asarray(b[name]))) for name in a)
    return differing / sum(np.size(a[name]) for name in a)


def overlap(a: Arrays, b: Arrays) -> float:
    """Return what two masks keep in common over what either keeps, over all layers (intersection over union).

    1 for equal masks, 0 for masks that share nothing; two empty masks count as equal. `expected_overlap` says what chance gives.
    """
    _check(a, b)
    both = sum(int(np.count_nonzero(np.asarray(a[name]) & np.asarray(b[name]))) for name in a)
    either = sum(int(np.count_nonzero(np.asarray(a[name]) | np.asarray(b[name]))) for name in a)
    return both / either if either else 1.0


def expected_overlap(a: Arrays, b: Arrays) -> float:
    """Return the overlap to be expected by chance of masks that keep as many weights of each layer as these do.

    Of a layer of n weights, random masks keeping k and l have k l / n in common on average. The result is the expected
    intersection over the expected union; the mean of the ratio itself differs by less than the spread of one draw.
    """
    _check(a, b)
    counts = [(np.size(a[name]), np.count_nonzero(a[name]), np.count_nonzero(b[name])) for name in a]
    both = sum(k * l / n for n, k, l in counts if n)
    either = sum(k + l for _, k, l in counts) - both
    return float(both / either) if either else 1.0


def _check(a: Arrays, b: Arrays) -> None:
    if a.keys() != b.keys():
        raise InputError(f"masks to compare have the same layers; got {sorted(a)} and {sorted(b)}")
    for name in a:
        first, second = np.asarray(a[name]), np.asarray(b[name])
        if first.dtype != bool or second.dtype != bool or first.shape != second.shape:
            raise InputError(
                f"masks to compare are boolean of one shape; those of {name} are {first.dtype} {first.shape} "
                f"and {second.dtype} {second.shape}"
            )
    if not sum(np.size(mask) for mask in a.values()):
        raise InputError("masks to compare have at least one weight")
