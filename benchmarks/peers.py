"""Whom we compare with: names, what they need, which benchmark knows them. A missing one is named, never skipped."""

import contextlib
import importlib
import importlib.metadata
import os
from dataclasses import dataclass, field

from tinyticket.errors import InputError, near

PACKAGES = {
    "numpy": "numpy",  # dense products through its BLAS
    "torch": "torch",  # dense, eager, with the fused Adam
    "torch-masked": "torch",  # as lottery repositories do it: default Adam, gradients and weights times masks
    "torch-compile": "torch",  # dense, torch.compile, with the fused Adam
    "torch-tf32": "torch",  # on a device only: dense, with matrix units that round to ten bits
    "torch-sparse": "torch",  # torch.sparse CSR; on a device that is cuSPARSE
    "scipy": "scipy",  # CSR products, serial
    "jax": "jax",  # dense, jit
    "sparseprop": "sparseprop",  # its SparseLinear in place of torch's Linear, with the fused Adam
    "sparselab": "sparselab",  # the same with its own; in `kernels` without PyTorch's tape
    "sparse-dot-mkl": "sparse_dot_mkl",  # CSR products of Intel's MKL; MKL_RT is the path of libmkl_rt where it is not found
    "nerva": "nerva_torch",  # its linear layer, which is dense
}
COMPARED = {
    "kernels": ("numpy", "torch", "torch-sparse", "scipy", "sparseprop", "sparselab", "sparse-dot-mkl", "nerva"),
    "step": ("torch", "torch-masked", "torch-compile", "jax", "sparseprop", "sparselab"),
    "run": ("torch-masked",),
    "memory": ("torch", "torch-masked"),
}
COMPARED_ON_DEVICE = {
    "kernels": ("torch", "torch-tf32", "torch-sparse"),
    "step": ("torch", "torch-tf32", "torch-masked", "torch-compile"),
}
"""`torch` is cuBLAS and cuDNN there, in float32 unless it says TF32."""

INCLUDES: dict[str, dict[str, tuple[str, ...]]] = {
    "step": {"torch": ("torch", "torch-masked", "torch-compile")},
    "run": {"torch": ("torch-masked",)},
}
"""What `torch` stands for: all the ways of PyTorch in `step`, its usual loop in `run`."""

SERIAL = ("scipy", "torch-sparse", "sparseprop")
"""Compared with one thread a side in `kernels`, whatever --threads says: SciPy has one only, and goals are set so."""


@dataclass
class Peers:
    """The peers that were asked for.

    Attributes
    ----------
    present : list of str
    missing : dict of str to str
        Why a peer that this benchmark knows cannot be compared with, by its name.
    elsewhere : list of str
        Peers that this benchmark does not compare with at all.
    versions : dict of str to str
        By package.
    """

    present: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def among(self, *names: str) -> "Peers":
        """Return those that take part in a case."""
        present = [name for name in self.present if name in names]
        missing = {name: reason for name, reason in self.missing.items() if name in names}
        return Peers(present, missing, [], self.versions)


def parse(text: str) -> list[str]:
    """Split a list of names; an unknown one is an error."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in PACKAGES:
            raise InputError(f"no peer is called {name!r}{near(name, PACKAGES)}")
    return list(dict.fromkeys(names))


def resolve(benchmark: str, names: list[str], threads: int, device: str = "cpu") -> Peers:
    """Import the peers that a benchmark was asked to compare with, and find out which are missing."""
    peers, compared = Peers(), (COMPARED if device == "cpu" else COMPARED_ON_DEVICE)[benchmark]
    includes = INCLUDES.get(benchmark, {})
    for name in dict.fromkeys(part for asked in names for part in includes.get(asked, (asked,))):
        package = PACKAGES[name]
        if name not in compared:
            peers.elsewhere.append(name)
        elif not _import(package, threads):
            peers.missing[name] = "not installed"
        elif device != "cpu" and not importlib.import_module("torch").cuda.is_available():
            peers.missing[name] = "without CUDA: this PyTorch sees no device"
        else:
            peers.present.append(name)
            peers.versions[package] = _version(package)
    return peers


def _import(package: str, threads: int) -> bool:
    if package == "jax":  # reads these when it is loaded, and otherwise takes every core
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        if threads == 1:
            flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
            os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


def _version(package: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return str(getattr(importlib.import_module(package), "__version__", "unknown"))
