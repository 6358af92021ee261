"""`memory`: rows of bytes, from processes that do nothing else."""

import json
import sys

import pytest

from benchmarks import memory, problems
from benchmarks.own_step import OwnStep
from benchmarks.program import main

FOUND = {"": {"peak_bytes": 100, "batch_size": 60, "weight_bytes": 40}, "torch": {"peak_bytes": 250, "batch_size": 60}}


@pytest.mark.usefixtures("torch")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_row_compares_peaks(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(memory, "_in_a_process", lambda name, density, batch_size, way, threads: FOUND[way])
    path = tmp_path / "rows.json"
    given = ["memory", "--models", "mlp-784-20-10", "--densities", "0.05", "--peers", "torch", "--threads", "1"]
    assert main([*given, "--json", str(path)], tiny) == 0
    (row,) = json.loads(path.read_text())
    assert (row["peer"], row["seconds"], row["memory_ratio"], row["weight_bytes"]) == ("torch", None, 2.5, 40)
    assert "peer torch, MiB: peak" in capsys.readouterr().out


def test_sparse_weights_take_less():
    problem = problems.make("mlp-784-60-10", 16, memory.EXAMPLES)
    sizes = []
    for density in (1.0, 0.05):
        [(_, masks)] = memory.masks_for(problem.model(), [density], "uniform")
        step = OwnStep(problem, masks if density < 1 else None)
        step()
        sizes.append(memory.by_kind(step))
    dense, sparse = (size["weight_bytes"] + size["pattern_bytes"] for size in sizes)
    assert sparse < 0.2 * dense
    assert all(size["weight_bytes"] < size["arena_bytes"] for size in sizes)
