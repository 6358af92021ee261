"""The process that measures: nothing that slows a peer, equal threads for all sides, and a description of the machine."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import threadpoolctl

UNFAIR = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Settings that make OpenBLAS choose kernels for another CPU than it runs on, which would slow NumPy, our dense peer."""

TELLING = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "NUMBA_NUM_THREADS", "NUMBA_CPU_NAME",
           "NUMBA_THREADING_LAYER", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TINYTICKET_CACHE")  # fmt: skip
"""Settings that are left alone, but reported."""


def fair(environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return the environment without what is unfair, or None if it is fair already."""
    kept = {name: value for name, value in environment.items() if name not in UNFAIR}
    return None if len(kept) == len(environment) else kept


def start_again_fairly() -> None:
    """Replace this process by one that starts without unfair settings; libraries read them when they are loaded."""
    environment = fair(os.environ)
    if environment is not None:
        print(f"benchmarks: starting again without {', '.join(n for n in UNFAIR if n in os.environ)}", flush=True)
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], environment)


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Give every library that is loaded so many threads: Numba, BLAS, OpenMP and PyTorch, which has its own."""
    import numba

    torch = sys.modules.get("torch")
    before = numba.get_num_threads(), torch.get_num_threads() if torch else None
    with threadpoolctl.threadpool_limits(count):
        numba.set_num_threads(count)
        if torch:
            torch.set_num_threads(count)
        try:
            yield
        finally:
            numba.set_num_threads(before[0])
            if torch:
                torch.set_num_threads(before[1])


def describe(versions: Mapping[str, str]) -> list[str]:
    """Say in a few lines what measures: CPU, versions, OpenBLAS's kernel, settings that matter."""
    import numba

    import tinyticket
    from tinyticket.kernels.cpu.vector import machine

    (np.ones((2, 2)) @ np.ones((2, 2))).sum()  # makes sure that BLAS is there to be asked
    blas = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    kernels = ", ".join(f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}" for pool in blas)
    peers = "".join(f", {name} {version}" for name, version in versions.items() if name != "numpy")
    lines = [
        f"{_cpu()}, {cores()} cores, compiled for {machine.target()[0]}",
        f"Python {platform.python_version()}, tinyticket {tinyticket.__version__}, NumPy {np.__version__}, "
        f"Numba {numba.__version__}{peers}",
        f"NumPy's BLAS: {kernels or 'unknown'}",
    ]
    if reported := [f"{name}={os.environ[name]}" for name in TELLING if name in os.environ]:
        lines.append(f"set in the environment: {', '.join(reported)}")
    return lines


def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
