"""A kernel's call, prepared: arrays are checked once, and then it is run as often as one likes.

A call from Python checks shapes, counts threads and makes arrays for its results, ten to twenty microseconds, as much as a small
sparse layer takes. Whoever calls a layer again and again with arrays that stay has that done once. What is written into the
arrays between two runs is seen by the next.
"""

from collections.abc import Callable
from typing import Any, Generic, NoReturn, TypeVar

from tinyticket.kernels.cpu.handover import handed_over
from tinyticket.kernels.cpu.threads import is_forked

Results = TypeVar("Results")


class Prepared(Generic[Results]):
    """A call that is ready to be run.

    Attributes
    ----------
    results : array, or tuple of arrays
        What each run writes, the same arrays every time.
    """

    def __init__(self, kernel: Callable[[Any, bool], None], told: tuple[Any, ...], results: Results):
        self.results = results
        self._kernel, self._numbers = kernel, handed_over(told)
        self._told = told  # keeps the arrays, of which the kernel has the addresses

    def __reduce__(self) -> NoReturn:
        raise TypeError("a prepared call holds the addresses of its arrays: prepare another one for copies of them")

    def __call__(self) -> Results:
        """Run the kernel once more and return its results."""
        self._kernel(self._numbers, is_forked())
        return self.results
