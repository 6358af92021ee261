"""What using tinyticket costs before the first step is done: in an empty cache of machine code, and ever after.

Two processes one after the other, with a cache folder of their own. Compilation is in no other figure: everything is
called once before the clock runs.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.arguments import Options
from benchmarks.peers import Peers
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline, first_call

DENSITY = 0.1
MODELS = ("lenet-300-100", "conv-2", "resnet-20")

STEP = """
import time; began = time.perf_counter()
import json, numba; numba.set_num_threads({threads})
from benchmarks.masks import masks_for
from benchmarks.own_step import OwnStep
from benchmarks.problems import make
problem = make("{model}", 60, {{"train": 600, "validation": 60, "test": 60}})
[(_, masks)] = masks_for(problem.model(), [{density}], "uniform")
step = OwnStep(problem, masks); step(); step.evaluate()
print(json.dumps({{"startup-{model}": time.perf_counter() - began}}))
"""

KERNELS = """
import json
from benchmarks.startup import first_calls
print(json.dumps(first_calls()))
"""


def measure(options: Options, peers: Peers, discipline: Discipline) -> Iterator[Row]:
    """Yield a row for each kernel and one for a whole step of some models: seconds of a first use, and of a later process's.

    "startup" is from starting to import tinyticket to the end of a model's first training step and evaluation.
    """
    steps = [STEP.format(model=model, threads=options.threads, density=DENSITY) for model in MODELS]
    for script, density in ((KERNELS, None), *((step, DENSITY) for step in steps)):
        with tempfile.TemporaryDirectory() as folder:
            runs = [_start(script, folder) for _ in range(2)]
        if isinstance(runs[0], str):
            yield row("kernels", "startup", density, options.threads, None, note=runs[0])
            continue
        for name in runs[0]:
            for use, found in zip(("first-use", "later-use"), runs, strict=True):
                yield row("kernels", f"{name}-{use}", density, options.threads, found[name])


def _start(script: str, folder: str) -> Any:
    """Run a script in a process of its own; return what it printed, or why it failed."""
    environment = {**os.environ, "TINYTICKET_CACHE": folder}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1]}"
    return json.loads(done.stdout.splitlines()[-1])


def first_calls() -> dict[str, float]:
    """Return the seconds of each kernel's first call in this process; the work itself is next to nothing."""
    from tinyticket.kernels import cpu
    from tinyticket.sparse import Pattern

    rng = np.random.default_rng(0)
    mask = rng.random((32, 48)) < 0.5
    weight, bias = rng.standard_normal(mask.shape).astype(np.float32) * mask, np.zeros(32, np.float32)
    x, dy = (rng.standard_normal((60, size)).astype(np.float32) for size in (48, 32))
    labels, packed, packed_dy, samples = np.zeros(60, np.int64), cpu.pack(x), cpu.pack(dy), cpu.pack_samples(x)
    pattern = Pattern.from_mask(mask, packed.shape[2])
    values = pattern.values(weight)
    slots, scalars = (np.zeros_like(weight), np.zeros_like(weight)), cpu.scalars_of("adam", 1, 1e-3)
    calls = {
        "gather": lambda: cpu.gather(x, np.arange(60)),
        "linear": lambda: cpu.linear(weight, bias, packed),
        "linear_input_gradient": lambda: cpu.linear_input_gradient(weight, packed, packed_dy),
        "linear_weight_gradient": lambda: cpu.linear_weight_gradient(samples, packed_dy, 60, 48),
        "sparse_linear": lambda: cpu.sparse_linear(pattern, values, bias, packed),
        "sparse_linear_gradient": lambda: cpu.sparse_linear_gradient(pattern, values, packed, packed_dy),
        "sparse_linear_weight_gradient": lambda: cpu.sparse_linear_weight_gradient(pattern, packed, packed_dy),
        "cross_entropy": lambda: cpu.cross_entropy(packed_dy, labels),
        "optimizer_step": lambda: cpu.optimizer_step("adam", scalars, weight, slots, weight.copy()),
    }
    return {f"compile-{name}": first_call(call)[1] for name, call in calls.items()}
