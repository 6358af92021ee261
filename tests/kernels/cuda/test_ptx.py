"""What NVIDIA's compiler makes of the kernels, for devices that need not be there.

Each capability is compiled for in a process of its own, since the others simulate a device.
"""

import functools
import json
import os
import subprocess
import sys

import pytest

# Multiply-adds in the inner loop, and the most registers that a kernel may use: 255 is all there are.
BOUNDS = {
    "correlate, large tile": (64, 144),
    "correlate, small tile": (8, 112),
    "correlate_all, large tile": (64, 144),
    "correlate_all, small tile": (8, 80),
    "finish_product": (0, 40),
    "walk, linear": (8 * 4, 64),
    "walk, wide": (4 * 2 * 4, 64),
    "walk, few lines": (2 * 4, 64),
    "walk, image": (4 * 16, 128),
    "walk, few channels": (16, 128),
    "multiply, linear": (4, 80),
    "multiply, few samples": (1, 64),
    "multiply, image": (16, 128),
    "take": (0, 16),
    "batch_statistics": (1, 80),
    "batch_norm": (1, 96),
    "batch_norm_eval": (1, 96),
    "batch_gradient_sums": (1, 96),
    "batch_norm_gradient": (0, 80),
    "max_pool2d": (0, 80),
    "give_to_first": (0, 64),
    "give_to_maximum": (0, 80),
    "avg_pool2d": (0, 80),
    "avg_pool2d_gradient": (0, 80),
    "copy": (0, 32),
    "copy_gradient": (0, 32),
    "add": (0, 32),
    "dropout": (0, 32),
    "dropout_gradient": (0, 32),
    "leaky_relu": (0, 32),
    "leaky_relu_gradient": (0, 32),
    "tanh": (1, 32),
    "tanh_gradient": (0, 32),
    "sigmoid": (1, 32),
    "sigmoid_gradient": (0, 32),
    "gather, float32": (0, 64),
    "gather, uint8": (0, 72),
    "conv2d_bias_gradient": (0, 40),
    "cross_entropy": (2, 40),
    "sum_lanes": (0, 40),
    "update_each": (5, 40),
}

COMPILE = """
import json, sys
from tinyticket.errors import InputError
from tests.kernels.cuda import assembly
cc = tuple(map(int, sys.argv[1].split(".")))
try:
    print(json.dumps([assembly.assemble(name, cc) for name in assembly.SIGNATURES]))
except InputError as error:
    print(json.dumps(str(error)))
"""


@functools.cache
def compiled(cc):
    """Return what was counted of every kernel, by name; skip where nothing compiles."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0"}
    command = [sys.executable, "-W", "ignore", "-c", COMPILE, cc]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(params=["7.5", "9.0"])
def kernels(request):
    told = compiled(request.param)
    if isinstance(told, str):
        pytest.skip(told)
    return {name: counts for name, *counts in told}


def test_kernels_compile_to_what_was_meant(kernels):
    assert kernels.keys() == BOUNDS.keys(), "every kernel has its bounds"
    for name, (fused, double, local, registers, spills, _) in kernels.items():
        least, most = BOUNDS[name]
        assert fused >= least, f"{name}: {fused} fused multiply-adds"
        assert double == 0, f"{name} computes in float64"
        assert local == 0, f"{name} keeps {local} values in local memory"
        if registers is not None:
            assert registers <= most, f"{name} uses {registers} registers"
            assert spills == 0, f"{name} spills {spills} bytes"
