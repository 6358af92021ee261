"""What the compiler made of the kernels, for CPUs that this machine need not be.

Each test runs in a process of its own, because Numba reads the target from the environment once.
"""

import os
import platform
import subprocess
import sys
import textwrap

import llvmlite.binding as llvm
import pytest


def host_has(*features):
    return all(llvm.get_host_cpu_features().get(feature) for feature in features)


pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="asserts on x86 instructions")

HASWELL = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
SKYLAKE = {"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": "+avx512f,+avx512dq,+avx512bw,+avx512vl"}

COMPILE = """
import re, sys
import numpy as np
from numba import typeof
from tinyticket.kernels.cpu import Shape
from tinyticket.kernels.cpu.dense_passes import dense_forward
from tinyticket.kernels.cpu.sparse_calls import sparse_backward, sparse_forward

register = sys.argv[1]
f, told, shape = np.zeros(1, np.float32), np.zeros(2, np.int64), Shape(1, 1, 1, 16)
arguments = {
    sparse_forward: (told, True),
    sparse_backward: (told, True),
    dense_forward: (told, f, f, f, f, shape, True),
}
for kernel, args in arguments.items():
    kernel.compile(tuple(typeof(a) for a in args))
    (assembly,) = kernel.inspect_asm().values()
    lines_of, label_at, loops = assembly.splitlines(), {}, []
    for n, line in enumerate(lines_of):  # a loop: from a label to a later jump back to it
        if match := re.match(r"(\\.L\\w+):", line):
            label_at[match[1]] = n
        elif (match := re.match(r"\\s+j\\w+\\s+(\\.L\\w+)", line)) and match[1] in label_at:
            loops.append((label_at[match[1]], n))
    best = (0, 0, 0)
    for start, end in loops:
        if any(start <= s and e <= end and (s, e) != (start, end) for s, e in loops):
            continue  # not innermost
        body = lines_of[start : end + 1]
        fused = [line for line in body if re.search(rf"vfmadd\\d+ps.*%{register}\\d+$", line)]
        spills = sum("(%rsp)" in line and register in line for line in body)
        best = max(best, (len(fused), sum("(%" in line for line in fused), -spills))
    print(kernel.__name__, *best)
"""


def run(code, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, **environment, "TINYTICKET_CACHE": "off"},
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
    loops = {}
    for line in run(COMPILE, register, **target).splitlines():
        name, *counts = line.split()
        loops[name] = tuple(map(int, counts))
    fused, from_memory, spills = loops["sparse_forward"]
    assert fused >= per_survivor
    assert from_memory == fused, "each multiply-add of the sparse forward pass reads its activations itself"
    assert spills == 0
    fused, _, spills = loops["dense_forward"]
    assert fused >= 12
    assert spills == 0, "the dense panel fits into the register file"
    assert loops["sparse_backward"][0] >= 4 * per_survivor - 8


@pytest.mark.skipif(not host_has("avx2", "fma"), reason="runs what it compiles")
def test_kernels_are_right_on_avx2():
    here = os.path.dirname(__file__)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", os.path.join(here, "test_cpu.py")]
    done = subprocess.run(command, env={**os.environ, **HASWELL}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
