"""A kernel with everything that it is started with: a training step is a list of these, the same every time."""

from typing import Any, NamedTuple


class Launch(NamedTuple):
    """One start of a kernel.

    Attributes
    ----------
    kernel : callable
        A function under `cuda.jit`.
    grid, block : tuple of int
        How many blocks, and how many threads in each.
    arguments : tuple
        Device arrays and numbers. All of them stay what they are from step to step: what changes, kernels read from arrays.
    """

    kernel: Any
    grid: tuple[int, ...]
    block: tuple[int, ...]
    arguments: tuple[Any, ...]

    def run(self) -> None:
        """Start the kernel; it has finished once the device has been waited for."""
        self.kernel[self.grid, self.block](*self.arguments)
