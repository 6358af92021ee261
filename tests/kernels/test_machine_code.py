"""What the compiler made of the kernels, for CPUs that this machine need not be.

Each test runs in a process of its own, because Numba reads the target from the environment once.
"""

import os
import pathlib
import platform
import subprocess
import sys

import llvmlite.binding as llvm
import pytest

ROOT = pathlib.Path(__file__).parents[2]


def host_has(*features):
    return all(llvm.get_host_cpu_features().get(feature) for feature in features)


pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="asserts on x86 instructions")

HASWELL = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
SKYLAKE = {"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": "+avx512f,+avx512dq,+avx512bw,+avx512vl"}

COMPILE = r"""
import re, sys
from tinyticket.compiler.assembly import assembly_of, innermost_loops

register, *names = sys.argv[1:]
for name in names:
    for loop in innermost_loops(assembly_of(name), r"\s+j\w+\s+(\.L\w+)"):
        fused = [line for line in loop if re.search(rf"vfmadd\d+ps.*%{register}\d+( \{{%k\d\}})?$", line)]
        spills = sum("(%rsp)" in line and register in line for line in loop)
        print(name, len(fused), sum("(%" in line for line in fused), -spills)
"""


def run(code, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment, "TINYTICKET_CACHE": "off"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("target", "register", "per_survivor"), [(SKYLAKE, "zmm", 4), (HASWELL, "ymm", 8)], ids=["avx512", "avx2"]
)
def test_hot_loops_are_fused_multiply_adds(target, register, per_survivor):
    loops, all_loops = {}, []
    names = (
        "linear",
        "sparse_linear",
        "sparse_linear_gradient",
        "winograd_conv2d",
        "winograd_sums",
        "sparse_linear_single",
    )
    for line in run(COMPILE, register, *names, **target).splitlines():
        name, *counts = line.split()
        all_loops.append((name, *map(int, counts)))
        loops[name] = max(loops.get(name, (0, 0, 0)), all_loops[-1][1:])
    fused, from_memory, spills = loops["sparse_linear"]
    assert fused >= per_survivor
    assert from_memory == fused, "each multiply-add of the sparse forward pass reads its activations itself"
    assert spills == 0
    fused, from_memory, spills = loops["sparse_linear_single"]
    assert fused == from_memory > 0 == spills, "a single sample's sums stay in registers"
    fused, _, spills = loops["linear"]
    assert fused >= 12
    assert spills == 0, "the dense panel fits into the register file"
    assert loops["sparse_linear_gradient"][0] >= 4 * per_survivor - 8
    for name, registers in (("winograd_conv2d", {4: 24, 8: 8}), ("winograd_sums", {4: 16, 8: 8})):
        products = [(fused, spills) for other, fused, _, spills in all_loops if other == name]
        assert (registers[per_survivor], 0) in products, "transforms have other loops"


@pytest.mark.skipif(not host_has("avx2", "fma"), reason="runs what it compiles")
def test_kernels_are_right_on_avx2():
    here = os.path.dirname(__file__)
    files = [os.path.join(here, f"test_{name}.py") for name in ("cpu", "winograd", "sparse_convolution")]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, env={**os.environ, **HASWELL}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
