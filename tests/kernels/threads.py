"""The rule that holds for every kernel: as many threads as you like, the same bits."""

import numpy as np


def one_and_two_threads(kernel, *args, **options):
    """Run a kernel with one and with two threads, and return what both gave: the same bits."""
    results = [kernel(*args, threads=threads, **options) for threads in (1, 2)]
    parts = results if isinstance(results[0], tuple) else [(result,) for result in results]
    for once, twice in zip(*parts, strict=True):
        np.testing.assert_array_equal(once, twice)
    return results[0]
