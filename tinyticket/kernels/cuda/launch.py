"""A kernel with everything that it is started with: a training step is a list of these, the same every time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tinyticket.kernels.cuda import driver


@dataclass(frozen=True)
class Routine:
    """A function of the host in the place of a kernel: launching it calls it, whatever the stream."""

    function: Callable[..., None]

    def __getitem__(self, configuration: Any) -> Callable[..., None]:
        return self.function


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
    shared : int
        Bytes of shared memory that a block has besides what the kernel itself asks for.
    """

    kernel: Any
    grid: tuple[int, ...]
    block: tuple[int, ...]
    arguments: tuple[Any, ...]
    shared: int = 0

    @property
    def recordable(self) -> bool:
        """Whether it is a kernel, which can become part of a graph, and not a routine of a library."""
        return not isinstance(self.kernel, Routine)

    def run(self, stream: Any = 0) -> None:
        """Start the kernel, on a stream if there is one; it has finished once the device has been waited for."""
        if self.shared:
            driver.allow_shared_memory(self.kernel, self.arguments)
        self.kernel[self.grid, self.block, stream, self.shared](*self.arguments)
