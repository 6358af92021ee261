"""The iterations of a training cut into calls of its step: between two of them Ctrl-C is heard, and a checkpoint may be written."""

from __future__ import annotations

import time
from collections.abc import Iterator

STEPS_A_CALL = 25
"""Steps of a call at most: enough to make entering compiled code cheap."""

SECONDS_A_CALL = 0.25
"""About how long a call of several steps takes at most."""


def calls(first: int, last: int, evaluate_every: int, others: tuple[int, ...], device: str) -> Iterator[range]:
    """Yield the iterations from the first to the last, of one call after the other, timing whatever is done with them.

    Calls end where something else is to be done in between: every so many iterations, and at others. The host of another device
    than the CPU waits once a call, of as many steps as can be.
    """
    cuts = {last, *range(evaluate_every, last, evaluate_every), *others}
    steps = 1  # of a call at most, until it is known how long one takes
    for until in sorted(cut for cut in cuts if first < cut <= last):
        while first < until:
            stop = min(first + steps, until) if device == "cpu" else until
            began = time.perf_counter()
            yield range(first, stop)
            each = (time.perf_counter() - began) / (stop - first)
            first, steps = stop, max(1, int(min(STEPS_A_CALL, SECONDS_A_CALL / max(each, 1e-9))))
