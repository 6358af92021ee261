"""Early-Bird tickets: the mask that training would find is there long before its end (You et al. 2020).

A mask is drawn after every epoch of the dense training. Once the last five differ little from each other, the ticket has emerged.
"""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np

from tinyticket.errors import InputError
from tinyticket.prune.overlap import hamming_distance
from tinyticket.prune.selection import Arrays, Masks


class EarlyBird:
    """Looks at one mask an epoch and says when the ticket has emerged (algorithm 1).

    Parameters
    ----------
    last : int
        How many masks are compared.
    tolerance : float
        How far apart they may be, as the share of all places that differ.
    pairs : {"all", "newest"}
        Whether each is compared with each, or the newest with those before it, as the authors' code does.

    Notes
    -----
    Masks of density d are never further apart than 2 d: at 5% and below the first five masks always qualify, whatever they are.
    """

    def __init__(self, last: int = 5, tolerance: float = 0.1, pairs: str = "all"):
        if last < 2 or not 0 <= tolerance <= 1:
            raise InputError(f"at least 2 masks are compared, with a tolerance from 0 to 1; got {last} and {tolerance}")
        if pairs not in ("all", "newest"):
            raise InputError(f"pairs of masks are all or newest, not {pairs!r}")
        self.tolerance, self._pairs = tolerance, pairs
        self._seen: deque[Masks] = deque(maxlen=last)

    @property
    def seen(self) -> list[Masks]:
        """The last masks, the oldest first."""
        return list(self._seen)

    def see(self, masks: Arrays) -> float:
        """Look at the mask of another epoch; return the largest distance of the pairs compared, 1 while there are too few masks."""
        self._seen.append({name: np.array(mask) for name, mask in masks.items()})
        if len(self._seen) < (self._seen.maxlen or 0):
            return 1.0
        seen = list(self._seen)
        pairs = itertools.combinations(seen, 2) if self._pairs == "all" else ((seen[-1], other) for other in seen[:-1])
        return max(hamming_distance(one, other) for one, other in pairs)

    def emerged(self, masks: Arrays) -> bool:
        """Look at the mask of another epoch; return whether the ticket has emerged."""
        return self.see(masks) <= self.tolerance
