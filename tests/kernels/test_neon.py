"""What the compiler makes of the kernels for NEON, where there is no such machine: inspected, and run by an emulator.

Numba is told that it is on an AArch64 machine (neon.py says how), so the code is what it would make there, with the tiles of
such a machine. The emulator shows that it is right; how fast it is, only such a machine could.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import llvmlite.binding as llvm
import pytest

from tests.kernels.neon import CPU, ENVIRONMENT, FEATURES, TRIPLE
from tinyticket.kernels.cpu.vector.machine import tiles

ROOT = pathlib.Path(__file__).parents[2]


def has_aarch64():
    llvm.initialize_all_targets()
    try:
        return bool(llvm.Target.from_triple(TRIPLE))
    except RuntimeError:
        return False


pytestmark = pytest.mark.skipif(not has_aarch64(), reason="llvmlite was built without the AArch64 target")

ADDING = {
    "sparse_linear": lambda t: t.sparse_width,
    "sparse_linear_single": lambda t: 1,
    "linear": lambda t: t.dense_rows * t.dense_width,
    "linear_input_gradient": lambda t: t.dense_rows * t.dense_width,
    "linear_update": lambda t: t.outer_rows * t.outer_width,
    "sparse_conv2d": lambda t: t.patch,
    "conv2d": lambda t: t.image_rows * t.image_width,
    "conv2d_weight_gradient": lambda t: t.taps_rows * t.taps_width,
    "winograd_conv2d": lambda t: t.winograd_rows * t.winograd_width,
    "winograd_sums": lambda t: t.winograd_outer_rows * t.winograd_outer_width,
}
"""How many vectors of sixteen lanes the innermost loop adds to."""

FOUR_SURVIVORS = {
    "sparse_linear_gradient": lambda t: 2 * t.fused_width,
    "sparse_linear_weight_gradient": lambda t: t.sparse_width,
    "sparse_conv2d_gradient": lambda t: 2 * t.fused_patch,
    "sparse_conv2d_weight_gradient": lambda t: t.patch,
}
"""How many products of vectors a survivor is. Four are taken together and their sums over the lanes formed at once."""

COMPILE = r"""
import json, re, sys
from tests.kernels.neon import pretend

pretend()

from tinyticket.compiler.assembly import assembly_of, innermost_loops
from tinyticket.kernels.cpu.vector.machine import TILES

JUMP = r"\s+(?:b|b\.\w+|cbn?z|tbn?z)\s(?:.*,)?\s*(\.L\w+)$"
PATTERNS = dict(
    fused=r"\s+fmla\s+v\d+\.4s",
    products=r"\s+fmul\s+v\d+\.4s",
    sums=r"\s+fadd\s+v\d+\.4s",
    scalars=r"\s+f(n?madd|n?msub|mul|add)\s+s\d",
    spills=r"\s+(ldr|str|ldp|stp)\s+[qds]\d.*\[sp",
    calls=r"\s+blr?\s",
)

def inspected(lines):
    loops = innermost_loops(lines, JUMP)
    found = [{name: sum(bool(re.match(p, line)) for line in loop) for name, p in PATTERNS.items()} for loop in loops]
    calls = sorted({match[1] for line in lines if (match := re.match(r"\s+bl\s+(\w+)", line))})
    return {"loops": found, "calls": [call for call in calls if not call.startswith("_Z")]}

print(json.dumps({"tiles": TILES} | {name: inspected(assembly_of(name)) for name in sys.argv[1:]}))
"""


def run(*command):
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compiled():
    return json.loads(
        run("-c", COMPILE, *ADDING, *FOUR_SURVIVORS, "batch_norm", "cross_entropy", "sigmoid", "tanh", "update")
    )


@pytest.fixture
def sizes(monkeypatch):
    monkeypatch.setattr("tinyticket.kernels.cpu.vector.machine.target", lambda: (CPU, FEATURES))
    return tiles()


def test_kernels_call_no_mathematical_function(compiled, sizes):
    assert tuple(compiled["tiles"]) == sizes
    for name in compiled.keys() - {"tiles"}:
        # What Numba does with an error, and memory, are all that is called: nothing such as fmaf, sqrtf or expf.
        others = [c for c in compiled[name]["calls"] if not c.startswith(("Py", "NRT_", "numba_", "memcpy", "memset"))]
        assert not others, f"{name} calls {others}"


@pytest.mark.parametrize("name", ADDING)
def test_a_tile_stays_in_registers_and_each_vector_is_four_fused_multiply_adds(compiled, sizes, name):
    loops, expected = compiled[name]["loops"], 4 * ADDING[name](sizes)
    hot = [loop for loop in loops if loop["fused"] == expected]
    if name.startswith("winograd"):  # its transforms add as well, in loops of their own
        hot = [loop for loop in hot if not loop["products"] + loop["sums"]]
    else:
        assert max(loop["fused"] for loop in loops) == expected
    assert hot
    for loop in hot:
        assert loop["products"] == loop["sums"] == loop["scalars"] == loop["calls"] == 0
        # The gradient of a convolution's weights has places of pixels to hold too.
        assert loop["spills"] <= (4 if name == "conv2d_weight_gradient" else 0)


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


@pytest.mark.skipif(
    importlib.util.find_spec("unicorn") is None, reason="unicorn, an emulator of CPUs, is not installed"
)
def test_kernels_are_right_on_neon():
    plugins = "-p", "no:cacheprovider", "-p", "tests.kernels.neon"
    printed = run("-m", "pytest", "-q", "-x", *plugins, str(pathlib.Path(__file__).with_name("test_cpu.py")))
    assert f"emulated calls for {CPU}:" in printed
