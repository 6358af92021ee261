"""Kernels: arrays in, arrays out. Nothing here knows a Tensor.

`reference` holds the specification of every fast kernel in plain NumPy, and `cpu` the fast ones, on the packed layout; all of them,
with `pack` and `unpack` and the patterns that sparse ones read, are names of this module too, imported (and Numba with them) when
first used:

    y = tt.kernels.unpack(tt.kernels.linear(weight, bias, tt.kernels.pack(samples), relu=True), len(samples))
"""

import importlib
from typing import Any

__all__ = ["cpu", "reference"]


PATTERNS = ("Blocks", "ConvPattern", "Pattern", "Slices")
"""What sparse kernels read of a mask; these are made in `tinyticket.sparse`, which is built on kernels."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"tinyticket.kernels.{name}")
    if name in PATTERNS:
        return getattr(importlib.import_module("tinyticket.sparse"), name)
    if not name.startswith("_"):
        cpu = importlib.import_module("tinyticket.kernels.cpu")
        if name in cpu.__all__:
            return getattr(cpu, name)
    raise AttributeError(f"module 'tinyticket.kernels' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *PATTERNS, *importlib.import_module("tinyticket.kernels.cpu").__all__])
