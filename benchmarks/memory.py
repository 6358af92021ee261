"""`memory`: what a training step needs at its peak, ours and PyTorch's, and what of ours depends on the weights.

Each figure comes from a fresh process. A first model of a small batch compiles and loads everything and is thrown away; then the
process's high-water mark is set back to what it uses, the real model is made and takes a few steps, and the mark is read. Data are
not in it: few examples, bound before.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import problems
from benchmarks.arguments import Options
from benchmarks.masks import masks_for
from benchmarks.own_step import OwnStep
from benchmarks.peers import Peers
from benchmarks.probe import Probe
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline
from tinyticket.errors import InputError

MODELS = ("lenet-300-100", "conv-2", "resnet-20")
DENSITIES = (1, 0.05)
STEPS = 3
EXAMPLES = {"train": 256, "validation": 16, "test": 16}

SCRIPT = """
import json, sys
from benchmarks import environment, memory
with environment.threads({threads}):
    print(json.dumps(memory.of_this_process({name!r}, {density}, {batch_size}, {way!r})))
"""


def measure(options: Options, peers: Peers, discipline: Discipline, probe: Probe) -> Iterator[Row]:
    """Yield a row for every model, density and peer: bytes at the peak, and for ours bytes by kind."""
    if not Path("/proc/self/clear_refs").exists():
        raise InputError("memory is read from /proc, which only Linux has")
    for name in options.models or MODELS:
        batch_size = options.batch_size or problems.make(name, None, EXAMPLES).batch_size
        for density in options.densities or DENSITIES:
            own = _in_a_process(name, density, batch_size, "", options.threads)
            shared = ("memory", name, density, options.threads, None)
            for peer in peers.present:
                theirs = _in_a_process(name, density, batch_size, peer, options.threads)
                ratio = theirs["peak_bytes"] / own["peak_bytes"]
                yield row(*shared, peer, None, **own, peer_peak_bytes=theirs["peak_bytes"], memory_ratio=ratio)
            for peer, reason in peers.missing.items():
                yield row(*shared, peer, None, **own, note=reason)
            if not peers.present and not peers.missing:
                yield row(*shared, **own)


def of_this_process(name: str, density: float, batch_size: int, way: str) -> dict[str, Any]:
    """Return the bytes that a model and its training steps take at their peak in this process, which does nothing else."""
    _steps(name, density, min(batch_size, 16), way)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark back
    before = _status("VmRSS")
    contestant = _steps(name, density, batch_size, way)
    found: dict[str, Any] = {"peak_bytes": _status("VmHWM") - before, "batch_size": batch_size}
    return found if way else found | by_kind(contestant)


def by_kind(own: OwnStep) -> dict[str, int]:
    """Return the bytes of a compiled step: weights with slots and gradients, patterns, dense weights' masks, and everything."""
    program = getattr(own._step, "_program", None)
    if program is None:  # an eager step
        return {}
    kept = program._layout.weights.values()
    weights = {block for each in kept for block in (*each.slot_blocks, each.gradient, each.values)}
    patterns = [block for each in kept for block in each.pattern_blocks]
    return {
        "weight_bytes": 4 * sum(block.size for block in weights),
        "pattern_bytes": 4 * sum(block.size for block in patterns),
        "mask_bytes": sum(each.mask_bytes.size for each in kept if each.masked),
        "arena_bytes": program.nbytes,
    }


def _steps(name: str, density: float, batch_size: int, way: str) -> Any:
    problem = problems.make(name, batch_size, EXAMPLES)
    [(_, masks)] = masks_for(problem.model(), [density], "uniform")
    if way:
        from benchmarks.torch_step import TorchStep

        step: Any = TorchStep(problem, way, masks)
    else:
        step = OwnStep(problem, masks if density < 1 else None)
    for _ in range(STEPS):
        step()
    return step


def _in_a_process(name: str, density: float, batch_size: int, way: str, threads: int) -> dict[str, Any]:
    script = SCRIPT.format(threads=threads, name=name, density=density, batch_size=batch_size, way=way)
    # Whatever is freed goes back at once, so that the first model leaves no room for the second.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"memory of {name}, {way or 'tinyticket'}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise InputError(f"/proc/self/status has no {field}")


def remarks(found: list[Row]) -> Iterator[str]:
    """Say the bytes, which the table of seconds has no room for."""
    for each in found:
        sizes = {name.removesuffix("_bytes"): size for name, size in each.items() if name.endswith("_bytes")}
        listed = ", ".join(f"{name} {size / 2**20:.1f}" for name, size in sizes.items())
        yield f"{each['case']} at density {each['density']:g}, peer {each['peer'] or 'none'}, MiB: {listed}"
