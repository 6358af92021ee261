"""The CPU that kernels are compiled for, and the register tiles that suit it.

A vector is always sixteen float32 lanes, one cache line: activations then lie the same way everywhere, and LLVM splits a vector
into two registers on AVX2 and four on NEON. What must differ is how many vectors a loop may hold at once: 32 fit in AVX-512's
register file, 8 in AVX2's and NEON's. Tiles larger than that spill to the stack; tiles smaller than the latency of a fused
multiply-add leave the units idle. For NEON kernels are inspected and run by an emulator (tests/kernels/test_neon.py), but not
timed.
"""

from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba.core.config

from tinyticket.kernels.geometry import LANES

__all__ = ["LANES", "LARGE_CACHE", "TILES", "target"]

_config: Any = numba.core.config

LARGE_CACHE = 1024 * 1024
"""Bytes of a second-level cache."""


class Tiles(NamedTuple):
    """Sizes of register tiles, in vectors of sixteen lanes."""

    dense_rows: int  # outputs that share one load of the activations ...
    dense_width: int  # ... and vectors of samples beside each other
    outer_rows: int  # outputs of a dense weight gradient's tile ...
    outer_width: int  # ... and vectors of inputs
    image_rows: int  # channels of a convolution that share each load of a pixel ...
    image_width: int  # ... and pixels
    winograd_rows: (
        int  # channels of Winograd's convolution that share each load of a transformed patch, a divisor of sixteen ...
    )
    winograd_width: int  # ... and patches
    winograd_outer_rows: int  # outputs of its weight gradient's tile, a divisor of sixteen ...
    winograd_outer_width: int  # ... and vectors of inputs
    taps_rows: int  # outputs of the weight gradient of a convolution ...
    taps_width: int  # ... and its taps (a channel and a place in the kernel)
    sparse_width: int  # vectors of samples held while a row of survivors streams by
    fused_width: int  # the same in the fused backward pass, which holds three tiles
    patch: int  # pixels of an image, a vector each, held by a sparse convolution ...
    fused_patch: int  # ... and by its fused backward pass


def target() -> tuple[str, str]:
    """Return name and features of the CPU that Numba generates code for; its environment variables count."""
    name = _config.CPU_NAME or llvm.get_host_cpu_name()
    features = _config.CPU_FEATURES
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    return name, features


_AVX512 = Tiles(5, 4, 3, 7, 4, 6, 8, 3, 8, 2, 4, 6, 4, 4, 16, 16)
_OTHERS = Tiles(6, 1, 6, 1, 6, 1, 4, 1, 4, 1, 2, 3, 4, 2, 4, 2)


def tiles() -> Tiles:
    """Choose the tiles for the target CPU."""
    return _AVX512 if "+avx512f" in target()[1].split(",") else _OTHERS


TILES = tiles()
