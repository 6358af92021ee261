"""What the compiler makes of the kernels for NEON: every routine of a training step, compiled and inspected, never run.

Numba compiles for the machine it is on. Here it is told that this is an AArch64 one: its typing, its lowering and LLVM's
passes are those of such a machine, with its tiles, and only the loading of machine code is left out. So this shows which
instructions are made, and not that they are right.
"""

import json
import os
import subprocess
import sys

import llvmlite.binding as llvm
import pytest

from tinyticket.kernels.cpu.machine import tiles

TRIPLE, CPU, FEATURES = "aarch64-unknown-linux-gnu", "neoverse-n1", "+neon"


def has_aarch64():
    llvm.initialize_all_targets()
    try:
        return bool(llvm.Target.from_triple(TRIPLE))
    except RuntimeError:
        return False


pytestmark = pytest.mark.skipif(not has_aarch64(), reason="llvmlite was built without the AArch64 target")

COMPILE = """
import ctypes, json, platform, re, sys
import llvmlite.binding as llvm
from numba.core import codegen, types

platform.machine = lambda: "aarch64"
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
target = llvm.Target.from_triple(sys.argv[1])
llvm.get_process_triple = lambda: sys.argv[1]
llvm.Target.from_default_triple = lambda: target
llvm.create_mcjit_compiler = lambda module, machine, **options: machine

class NoEngine:  # takes machine code and loads none
    environment = ctypes.c_void_p()

    def __init__(self, machine):
        pass

    def get_global_value_address(self, name):
        return ctypes.addressof(self.environment)

    def __getattr__(self, name):
        return lambda *arguments: None

codegen.JitEngine = NoEngine
libraries, point = [], codegen.JITCodeLibrary.get_pointer_to_function  # libraries whose functions were asked for
codegen.JITCodeLibrary.get_pointer_to_function = lambda library, name: libraries.append(library) or point(library, name)

from tinyticket.compiler.mlp import routines as mlp
from tinyticket.compiler.mlp.train import train
from tinyticket.compiler.network.routines import ROUTINES
from tinyticket.kernels.cpu.machine import TILES

def inspected(assembly):
    lines, label_at, loops, found = assembly.splitlines(), {}, [], []
    for n, line in enumerate(lines):  # a loop: from a label to a later branch back to it
        if match := re.match(r"(\\.L\\w+):", line):
            label_at[match[1]] = n
        elif (match := re.match(r"\\s+(?:b|b\\.\\w+|cbn?z|tbn?z)\\s(?:.*,)?\\s*(\\.L\\w+)$", line)) and match[1] in label_at:
            loops.append((label_at[match[1]], n))
    for start, end in loops:
        if any(start <= s and e <= end and (s, e) != (start, end) for s, e in loops):
            continue  # not innermost
        body = lines[start : end + 1]
        patterns = dict(
            fused=r"\\s+fmla\\s+v\\d+\\.4s",
            products=r"\\s+fmul\\s+v\\d+\\.4s",
            sums=r"\\s+fadd\\s+v\\d+\\.4s",
            scalars=r"\\s+f(n?madd|n?msub|mul|add)\\s+s\\d",
            spills=r"\\s+(ldr|str|ldp|stp)\\s+[qds]\\d.*\\[sp",
            calls=r"\\s+blr?\\s",
        )
        found.append({name: sum(bool(re.match(p, line)) for line in body) for name, p in patterns.items()})
    calls = sorted({match[1] for line in lines if (match := re.match(r"\\s+bl\\s+(\\w+)", line))})
    return {"loops": found, "calls": [call for call in calls if not call.startswith("_Z")]}

named = {name: mlp.ROUTINES[n] for name, n in vars(mlp).items() if n in range(mlp.COUNT) and name.isupper()}
result = {"tiles": TILES}
for name, routine in {**named, **ROUTINES}.items():
    libraries.clear()
    routine.address
    result[name] = inspected(libraries[-1].get_asm_str())
train.compile(tuple(kind[::1] for kind in (types.int64, types.int64, types.float32, types.float64)))
(assembly,) = train.inspect_asm().values()
result["train"] = inspected(assembly)
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def compiled():
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, TRIPLE],
        env={**os.environ, "NUMBA_CPU_NAME": CPU, "NUMBA_CPU_FEATURES": FEATURES, "TINYTICKET_CACHE": "off"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def sizes(monkeypatch):
    monkeypatch.setattr("tinyticket.kernels.cpu.machine.target", lambda: (CPU, FEATURES))
    return tiles()


def test_every_routine_compiles_and_none_calls_a_mathematical_function(compiled, sizes):
    assert tuple(compiled.pop("tiles")) == sizes
    assert len(compiled) > 45
    for name, routine in compiled.items():
        for call in routine["calls"]:
            # Memory, what Numba does with an error, and in a whole step its threads: nothing such as fmaf, sqrtf or expf.
            python = call.startswith(("Py", "_Py", "NRT_", "numba_"))
            scheduling = name == "train" and ("sched" in call or "parallel" in call or "threads" in call)
            assert python or scheduling or call in ("memcpy", "memset", "printf"), f"{name} calls {call}"


FORWARD = {
    "SPARSE_FORWARD": lambda t: t.sparse_width,
    "DENSE_FORWARD": lambda t: t.dense_rows * t.dense_width,
    "DENSE_BACKWARD": lambda t: t.dense_rows * t.dense_width,
    "DENSE_UPDATE": lambda t: t.outer_rows * t.outer_width,
    "sparse_convolution_forward": lambda t: t.patch,
    "convolution_forward": lambda t: t.image_rows * t.image_width,
    "convolution_backward": lambda t: t.image_rows * t.image_width,
    "convolution_gradient": lambda t: t.taps_rows * t.taps_width,
}
"""How many vectors of sixteen lanes the innermost loop adds to."""


@pytest.mark.parametrize("name", FORWARD)
def test_a_tile_stays_in_registers_and_each_vector_is_four_fused_multiply_adds(compiled, sizes, name):
    loops, expected = compiled[name]["loops"], 4 * FORWARD[name](sizes)
    assert max(loop["fused"] for loop in loops) == expected
    for loop in loops:
        if loop["fused"] == expected:
            assert loop["products"] == loop["sums"] == loop["scalars"] == loop["calls"] == 0
            # The gradient of a convolution's weights has places of pixels to hold too.
            assert loop["spills"] <= (2 if name == "convolution_gradient" else 0)


FOUR_SURVIVORS = {
    "SPARSE_BACKWARD": lambda t: 2 * t.fused_width,
    "SPARSE_GRADIENT": lambda t: t.sparse_width,
    "sparse_convolution_backward": lambda t: 2 * t.fused_patch,
    "sparse_convolution_gradient": lambda t: t.patch,
}
"""How many products of vectors a survivor is. Four are taken together and their sums over the lanes formed at once."""


@pytest.mark.parametrize("name", FOUR_SURVIVORS)
def test_four_survivors_together_spill_less_than_their_arithmetic_hides(compiled, sizes, name):
    expected = 4 * 4 * FOUR_SURVIVORS[name](sizes)
    loops = [loop for loop in compiled[name]["loops"] if loop["fused"] + loop["products"] == expected]
    assert loops
    for loop in loops:
        assert loop["products"] == 4 * 4, "a sum begins with a product, and all others are fused"
        assert loop["scalars"] == loop["calls"] == 0
        # The four sums and the tile are all the registers there are: some of what is read lies on the stack.
        assert loop["spills"] <= expected * 3 // 8
