"""What the compiler makes of the kernels, for a device that need not be there.

`python -m tests.kernels.cuda.assembly --cc 9.0` prints for every kernel its fused multiply-adds, registers, shared memory, and
accesses to local memory, which is slow: sums that do not stay in registers. Registers come from ptxas, if it is there.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import math
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from numba import typeof, types
from numba.np.numpy_support import from_dtype

from tinyticket.errors import InputError
from tinyticket.kernels.cuda import (
    activations,
    batch_norm,
    convolution,
    elementwise,
    gather,
    linear,
    loss,
    pooling,
    sparse_convolution,
    sparse_products,
    sparse_walk,
    staging,
    tiles,
    toolkit,
    update,
)
from tinyticket.kernels.cuda.geometry import Geometry
from tinyticket.kernels.cuda.launch import Launch

_F, _I, _B, _L = types.float32[::1], types.int32[::1], types.uint8[::1], types.int64[::1]
_N, _S = types.int64, types.float32


def _numbers(record: Any) -> Any:
    """Return the type of a NamedTuple of integers."""
    return types.NamedUniTuple(_N, len(record._fields), record)


_G, _WORK = _numbers(Geometry), _numbers(staging.Work)
_CORRELATE = (_F, _F, _F, _F, _F, _I, _I, _numbers(tiles.Product))
_CORRELATE_ALL = (_F, _F, _F, _I, _G, _N)
_ADDEND = (_F, _F, _numbers(elementwise.Spots))
_FORWARD, _POOL, _BACK = (_F, _F, _G, _N), (_F, _F, _G, _S), (_F, _F, _F, _F, _G)
_WALK = (_F, _F, _I, _I, _I, _I, _F, _F, _F, _WORK)
_PRODUCTS = (_F, _F, _I, _I, _I, _I, _F, _N, _WORK)
_GATHER = (_I, _I, _I, _I, _F, _I, _F, _F, _G, _N, _N)

SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "correlate, large tile": (tiles.LARGE.correlate, _CORRELATE),
    "correlate, small tile": (tiles.SMALL.correlate, _CORRELATE),
    "correlate_all, large tile": (tiles.LARGE.correlate_all, _CORRELATE_ALL),
    "correlate_all, small tile": (tiles.SMALL.correlate_all, _CORRELATE_ALL),
    "conv2d_bias_gradient": (convolution.conv2d_bias_gradient.compiled, (_F, _F, _G)),
    "finish_product": (linear.finish_product, (_F, _F, _F, _N, _N, _N, _N)),
    "walk, linear": (sparse_walk.LINEAR.kernel, _WALK),
    "walk, wide": (sparse_walk.LINEAR_WIDE.kernel, _WALK),
    "walk, few lines": (sparse_walk.LINEAR_FEW.kernel, _WALK),
    "walk, image": (sparse_walk.IMAGE.kernel, _WALK),
    "walk, few channels": (sparse_walk.IMAGE_FEW.kernel, _WALK),
    "multiply, linear": (sparse_products.LINEAR.kernel, _PRODUCTS),
    "multiply, few samples": (sparse_products.LINEAR_FEW.kernel, _PRODUCTS),
    "multiply, image": (sparse_products.IMAGE.kernel, _PRODUCTS),
    "take": (sparse_convolution.take, (_F, _I, _F, _N)),
    "batch_statistics": (batch_norm.batch_statistics.compiled, (_F, _F, _G, _I, _N)),
    "batch_norm": (batch_norm.batch_norm.compiled, (*_ADDEND, _N, *[_F] * 8, _G, _I, _S, _S, _N, _N)),
    "batch_norm_eval": (batch_norm.batch_norm_eval.compiled, (*_ADDEND, _N, *[_F] * 5, _G, _S, _N, _N)),
    "batch_gradient_sums": (batch_norm.batch_gradient_sums.compiled, (*[_F] * 5, _G, _I, _N, _N)),
    "batch_norm_gradient": (batch_norm.batch_norm_gradient.compiled, (*[_F] * 10, _G, _I, _N, _N, _N, _N)),
    "max_pool2d": (pooling.max_pool2d.compiled, _POOL),
    "give_to_first": (pooling.give_to_first.compiled, (*_BACK, _N, _N)),
    "give_to_maximum": (pooling.give_to_maximum.compiled, (*_BACK, _N, _N)),
    "avg_pool2d": (pooling.avg_pool2d.compiled, _POOL),
    "avg_pool2d_gradient": (pooling.avg_pool2d_gradient.compiled, (_F, _F, _F, _G, _N, _N, _S)),
    "copy": (elementwise.copy.compiled, _FORWARD),
    "copy_gradient": (elementwise.copy_gradient.compiled, (*_BACK, _N, _N, _N)),
    "add": (elementwise.add.compiled, (*_ADDEND, _F, _G, _N)),
    "dropout": (elementwise.dropout.compiled, (_F, _B, _N, _N, _F, _S, _G, _I)),
    "dropout_gradient": (elementwise.dropout_gradient.compiled, (_F, _F, _B, _N, _N, _F, _S, _G, _I, _N, _N)),
    "leaky_relu": (activations.leaky_relu.compiled, (_F, _F, _G, _S)),
    "leaky_relu_gradient": (activations.leaky_relu_gradient.compiled, (*_BACK, _S, _N, _N)),
    "tanh": (activations.tanh.compiled, _FORWARD),
    "tanh_gradient": (activations.tanh_gradient.compiled, (*_BACK, _N, _N, _N)),
    "sigmoid": (activations.sigmoid.compiled, _FORWARD),
    "sigmoid_gradient": (activations.sigmoid_gradient.compiled, (*_BACK, _N, _N, _N)),
    "gather, float32": (gather.gather, (_F, *_GATHER)),
    "gather, uint8": (gather.gather, (_B, *_GATHER)),
    "cross_entropy": (loss.cross_entropy.compiled, (_F, _I, _F, _F, _F, _G, _I, _N)),
    "sum_lanes": (loss.sum_lanes, (_F, _F, _F, _I)),
    "update_each": (update.update_each, (_N, _F, _B, _L, _I, _F, _I)),
}
"""Every kernel and the types that it is launched with: there are no others."""


def signature_of(launch: Launch) -> tuple[Any, ...]:
    """Return the types that a launch's arguments have on a device."""
    return tuple(
        types.Array(from_dtype(argument.dtype), argument.ndim, "C")
        if hasattr(argument, "copy_to_host")
        else typeof(argument)
        for argument in launch.arguments
    )


class Assembly(NamedTuple):
    """What was counted; None where ptxas is missing."""

    name: str
    fused: int  # multiply-adds
    double: int  # instructions on float64: there should be none
    local: int  # accesses to local memory
    registers: int | None
    spills: int | None  # bytes
    shared: int | None  # bytes


def compile_kernel(name: str, cc: tuple[int, int]) -> str:
    """Return a kernel's PTX for a compute capability.

    Raises
    ------
    InputError
        If kernels are simulated, or the compiler is not installed.
    """
    if toolkit.simulated():
        raise InputError("kernels are simulated (NUMBA_ENABLE_CUDASIM=1) and not compiled")
    if (missing := _missing()) is not None:
        raise InputError(
            f"compiling for a CUDA device needs the extra cuda (pip install 'tinyticket[cuda]'): {missing}"
        )
    kernel, signature = SIGNATURES[name]
    # Device functions ask the device at hand what to compile for; there need be none.
    dispatcher: Any = importlib.import_module(f"{toolkit.cuda.__name__}.dispatcher")
    asked, dispatcher.get_current_device = dispatcher.get_current_device, lambda: SimpleNamespace(compute_capability=cc)
    try:
        ptx, _ = toolkit.cuda.compile_ptx(kernel.py_func, signature, cc=cc)
    finally:
        dispatcher.get_current_device = asked
    return ptx


@functools.cache
def _missing() -> str | None:
    """Say what keeps kernels from being compiled, if something does."""
    if toolkit.cuda.__name__ == "numba.cuda" and find_spec("numba_cuda") is None:
        return "numba-cuda is not installed, and numba's own CUDA target, which is no longer kept up, cannot compile all kernels"
    try:
        toolkit.cuda.compile_ptx(_exponential, (_F,), cc=(9, 0))
    except Exception as error:  # every version of every package has its own
        return f"NVIDIA's compiler NVVM does not work ({toolkit.first_line(error)})"
    return None


def _exponential(x: Any) -> None:
    """Need the compiler and NVIDIA's mathematical functions, and no more."""
    x[0] = math.exp(x[0])


def assemble(name: str, cc: tuple[int, int]) -> Assembly:
    """Compile a kernel for a compute capability and count."""
    ptx = compile_kernel(name, cc)
    fused, double = len(re.findall(r"\bfma\.rn\.f32\b", ptx)), len(re.findall(r"\.f64\b", ptx))
    local = len(re.findall(r"\b(?:ld|st)\.local\b", ptx))
    most = SIGNATURES[name][0].targetoptions.get("max_registers") or 255
    return Assembly(name, fused, double, local, *_registers(ptx, cc, most))


def _registers(ptx: str, cc: tuple[int, int], most: int) -> tuple[int | None, int | None, int | None]:
    """Return registers, bytes spilled and bytes of shared memory as ptxas says."""
    tool = _ptxas()
    if tool is None:
        return None, None, None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        command = [
            tool,
            "-v",
            f"-arch=sm_{cc[0]}{cc[1]}",
            f"-maxrregcount={most}",
            "-o",
            str(Path(folder, "kernel.cubin")),
            str(source),
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    used = re.search(r"Used (\d+) registers", said)
    spilled = sum(int(count) for count in re.findall(r"(\d+) bytes spill", said))
    shared = re.search(r"(\d+) bytes smem", said)
    return int(used[1]) if used else None, spilled, int(shared[1]) if shared else 0


def _ptxas() -> str | None:
    """Find ptxas: where NVIDIA's package puts it, or on the path."""
    for folder in map(Path, sys.path):
        for found in folder.glob("nvidia/*/bin/ptxas"):
            return str(found)
    return shutil.which("ptxas")


def main(arguments: list[str] | None = None) -> None:
    """Print a line for every kernel."""
    parser = argparse.ArgumentParser(description="Compile every CUDA kernel and say what became of it.")
    parser.add_argument("--cc", default="9.0", metavar="X.Y", help="compute capability to compile for (default: 9.0)")
    parser.add_argument("--ptx", metavar="KERNEL", choices=SIGNATURES, help="print this kernel's PTX instead")
    given = parser.parse_args(arguments)
    if not (parts := re.fullmatch(r"(\d+)\.(\d)", given.cc)):
        parser.error(f"--cc {given.cc} is not of the form 9.0")
    cc = int(parts[1]), int(parts[2])
    try:
        if given.ptx:
            print(compile_kernel(given.ptx, cc))
            return
        print(f"{'kernel':32} {'fma':>5} {'f64':>4} {'local':>6} {'registers':>10} {'spills':>7} {'shared':>7}")
        for name in SIGNATURES:
            line = assemble(name, cc)
            said = ["?" if number is None else number for number in line[4:]]
            print(f"{name:32} {line.fused:5} {line.double:4} {line.local:6} {said[0]:>10} {said[1]:>7} {said[2]:>7}")
    except InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
