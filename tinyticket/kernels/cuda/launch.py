"""A kernel with everything that it is started with: a training step is a list of these, the same every time."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinyticket.kernels.cuda import driver
from tinyticket.kernels.cuda.toolkit import cuda


@dataclass(frozen=True)
class Routine:
    """A function of the host in the place of a kernel: launching it calls it, whatever the stream."""

    function: Callable[..., None]

    def __getitem__(self, configuration: Any) -> Callable[..., None]:
        return self.function


class Launch(NamedTuple):
    """One start of a kernel. Its arguments stay what they are from step to step: what changes, kernels read from arrays."""

    kernel: Any  # a function under `cuda.jit`
    grid: tuple[int, ...]  # how many blocks
    block: tuple[int, ...]  # how many threads in each
    arguments: tuple[Any, ...]  # device arrays and numbers
    shared: int = 0  # bytes of shared memory that a block has besides what the kernel itself asks for

    @property
    def recordable(self) -> bool:
        """Whether it is a kernel, which can become part of a graph, and not a routine of a library."""
        return not isinstance(self.kernel, Routine)

    def run(self, stream: Any = 0) -> None:
        """Start the kernel, on a stream if there is one; it has finished once the device has been waited for."""
        if self.shared:
            driver.allow_shared_memory(self.kernel, self.arguments)
        self.kernel[self.grid, self.block, stream, self.shared](*self.arguments)


Division = tuple[tuple[int, ...], int, dict[str, Any]]
"""Grid, threads of a block, and arguments that follow from both."""


class Kernel:
    """A function under `cuda.jit` that is divided by its geometry, `g`: called with its arguments it makes their launch.

    Fractions go to the device as float32 and flags as integers. An array that is None, which the kernel then does not read, has to
    be one all the same: it is the first of the others.
    """

    def __init__(self, function: Callable[..., None], divide: Callable[[Any], Division]):
        self.__signature__, self.__doc__ = inspect.signature(function), function.__doc__
        function.__defaults__ = None  # the kernel itself is always given all its arguments
        self.compiled, self._divide = cuda.jit(function), divide

    def __call__(self, *given: Any, **named: Any) -> Launch:
        bound = self.__signature__.bind(*given, **named)
        bound.apply_defaults()
        grid, threads, derived = self._divide(bound.arguments["g"])
        arguments = (bound.arguments | derived).values()
        spare = next(each for each in arguments if getattr(each, "ndim", 0))
        return Launch(self.compiled, grid, (threads,), tuple(_on_device(each, spare) for each in arguments))


def divided(divide: Callable[[Any], Division]) -> Callable[[Callable[..., None]], Kernel]:
    """Make a `Kernel` of the function below: `divide` says from a geometry among how many blocks and threads."""
    return lambda function: Kernel(function, divide)


def _on_device(argument: Any, spare: Any) -> Any:
    """Return an argument of the type that the kernel is compiled for."""
    if argument is None:
        return spare
    if isinstance(argument, float):
        return np.float32(argument)
    return int(argument) if isinstance(argument, bool | np.bool_) else argument
