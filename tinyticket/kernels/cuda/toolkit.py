"""The one place that imports numba's CUDA target, and says in words what is there and what is missing.

Which packages matter: numba-cuda (the extra `cuda`, with the compiler NVVM and ptxas from NVIDIA's packages), which takes over the
name `numba.cuda` where it is installed, or numba-cuda-mlir, its successor. The target that numba itself still has can simulate
kernels and ask the driver, but not compile them all. A driver comes with the operating system, not from a package. nvmath-python or
cupy, if there, bring cuBLAS for dense layers. Kernels keep to what numba-cuda and its successor have in common.

NUMBA_ENABLE_CUDASIM=1, set before numba is imported, runs kernels in Python instead: for tests on machines without a device.
"""

import contextlib
import importlib
import threading
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from tinyticket.errors import InputError


def first_line(error: Exception) -> str:
    """Return what an error says, without the headings before it and the advice after it."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.endswith(":")]
    return said[0].rstrip(".") if said else type(error).__name__


def _target() -> Any:
    """Import the CUDA target that is there; numba-cuda looks for NVIDIA's libraries already now."""
    reason = "it is not installed"
    for name in ("numba.cuda", "numba_cuda_mlir.cuda"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        except (ImportError, RuntimeError, OSError) as error:
            reason = first_line(error)
    raise InputError(f"CUDA kernels need the package numba-cuda, but {reason}: pip install 'tinyticket[cuda]'")


cuda = _target()

PACKAGES = "numba-cuda numba-cuda-mlir cuda-bindings nvidia-cuda-nvcc-cu12 nvidia-cuda-nvcc nvmath-python cupy-cuda12x cupy-cuda13x"
"""Packages that decide what kernels are compiled with and what runs them."""


def simulated() -> bool:
    """Say whether kernels run in Python, on numba's simulator of a device."""
    return "simulator" in cuda.jit.__module__


if simulated():

    def _syncwarp(fake: Any) -> None:
        """Be a barrier for the threads of a warp, all of which come to it: numba's simulator has none."""
        thread: Any = threading.current_thread()
        barriers, size = thread._manager.__dict__.setdefault("barriers", {}), min(32, fake.blockDim.x)
        barriers.setdefault(thread.thread_id // 32, threading.Barrier(size)).wait()

    importlib.import_module(f"{cuda.__name__}.simulator.kernelapi").FakeCUDAModule.syncwarp = _syncwarp
else:
    # A launch of few blocks does not fill a device, of which numba would warn: in every step there are some.
    with contextlib.suppress(ImportError, AttributeError):
        importlib.import_module(f"{cuda.__name__}.dispatcher").config.CUDA_LOW_OCCUPANCY_WARNINGS = 0

REGISTERS = 65536
"""What the threads of a block share, in eights."""


def jit_for(threads: int) -> Any:
    """Return `cuda.jit` for a kernel in blocks of so many threads: with too many registers each, a block would not start."""
    return cuda.jit if simulated() else cuda.jit(max_registers=min(255, REGISTERS // threads // 8 * 8))


def compiles() -> bool:
    """Say whether all kernels can be compiled: the target that numba itself still has fails at some with a TypeError."""
    return cuda.__name__ != "numba.cuda" or find_spec("numba_cuda") is not None


def available() -> bool:
    """Say whether kernels can run here: on a device, or on the simulator."""
    return simulated() or (bool(cuda.is_available()) and compiles())


def require() -> None:
    """Raise InputError if kernels cannot run here, since there is no device, no driver for it, or no compiler."""
    if not available():
        raise InputError(f"device 'cuda' needs an NVIDIA GPU, its driver and its compiler, but {_missing()}")


def describe() -> dict[str, str]:
    """Return in words "CUDA device", "CUDA driver" and "CUDA packages"; nothing that is missing is an error."""
    return {"CUDA device": _device(), "CUDA driver": _driver(), "CUDA packages": _packages()}


def _missing() -> str:
    """Say why there is no device."""
    try:
        count = len(cuda.gpus)
    except Exception as error:  # targets have different errors for a driver that is not there
        return f"no driver answers ({first_line(error)})"
    if count and not compiles():
        return "the package numba-cuda is not installed: pip install 'tinyticket[cuda]'"
    return "the driver answers, but nothing can compile for it" if count else "the driver finds none"


def _device() -> str:
    if simulated():
        return "simulated in Python (NUMBA_ENABLE_CUDASIM=1)"
    if not available():
        return f"none: {_missing()}"
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    major, minor = device.compute_capability
    _, memory = cuda.current_context().get_memory_info()
    return f"{name}, compute capability {major}.{minor}, {memory / 2**30:.0f} GiB"


def _driver() -> str:
    if simulated():
        return "none: simulated"
    try:
        major, minor = cuda.cudadrv.driver.driver.get_version()
    except Exception as error:
        return f"none: {first_line(error)}"
    return f"for CUDA {major}.{minor}"


def _packages() -> str:
    found = []
    for name in PACKAGES.split():
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join(found) or "none but numba itself: pip install 'tinyticket[cuda]'"
