"""`kernels` on tiny layers: rows, who is compared with how many threads, errors, pictures. Nothing here asserts a time."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import linear, plots, roofline, small, startup
from benchmarks.arguments import Options, parse
from benchmarks.check import WrongResultError, require_near
from benchmarks.environment import UNFAIR, cores, fair
from benchmarks.layer import Layer
from benchmarks.own_layer import OwnDense, OwnSparse, OwnSparsePacking
from benchmarks.peer_layers import LAYERS
from benchmarks.peers import PACKAGES
from benchmarks.probe import Probe
from benchmarks.program import main

ROOT = Path(__file__).parents[2]
INSTALLED = [
    pytest.param(side, marks=() if PACKAGES[name] in ("numpy", "scipy") else pytest.mark.extra)
    for name, side in LAYERS.items()
    if importlib.util.find_spec(PACKAGES[name])
]


@pytest.fixture
def small_sizes(monkeypatch):
    monkeypatch.setattr(linear, "SQUARE", (40, 24, 20))
    monkeypatch.setattr(linear, "WIDE", (24, 40, 70))
    monkeypatch.setattr(small, "EXAMPLES", 100)
    monkeypatch.setattr(small, "SQUARE", (32, 32))


def rows_of(given, tiny, path):
    assert main(["kernels", *given, "--json", str(path)], tiny) == 0
    return json.loads(path.read_text())


@pytest.mark.parametrize("density", [1.0, 0.3, 0.05])
@pytest.mark.parametrize("side", [OwnSparse, OwnSparsePacking, OwnDense, *INSTALLED])
def test_every_side_computes_the_same(side, density):
    layer = Layer(40, 24, 70, density)
    contestant = side(layer)
    contestant.forward()
    if contestant.backward:
        contestant.backward()
    assert layer.check("it", contestant.results()) < 1e-5


def test_a_wrong_result_is_an_error():
    assert require_near("it", [1.0, 2.0], [1.0, 2.0], 0.0) == 0.0
    for wrong in ([1.0, 2.1], [1.0, np.nan]):
        with pytest.raises(WrongResultError, match="it: error"):
            require_near("it", wrong, [1.0, 2.0], 1e-3)


def test_alone_every_case_has_one_row(small_sizes, tiny, tmp_path):
    given = ["--cases", "linear,wide,gather,softmax,adam,pattern", "--densities", "0.3", "--threads", "1"]
    rows = rows_of(given, tiny, tmp_path / "rows.json")
    assert all(r["benchmark"] == "kernels" and r["peer"] is None and r["seconds"] > 0 for r in rows)
    assert [r["case"] for r in rows] == [
        "linear-40x24-b20", "linear-40x24-b20-forward", "linear-24x40-b70", "linear-24x40-b70-packing",
        "gather-784-b60", "softmax-cross-entropy-10-b60", "softmax-cross-entropy-1000-b128", "adam-266200",
        "pattern-32x32",
    ]  # fmt: skip
    assert rows[0]["sparse_seconds"] > 0 < rows[0]["dense_seconds"]


def test_layers_of_ones_own_are_said_as_they_are_measured(tiny, tmp_path, capsys):
    layers = "linear-20x12,convolution-2x6x6,linear-12x20-b9,convolution-2x6x6-5-k5-b3"
    given = ["--layers", layers, "--densities", "0.3", "--threads", "1", "--batch-size", "16"]
    cases = [r["case"] for r in rows_of(given, tiny, tmp_path / "rows.json")]
    linear = [f"linear-{shape}{end}" for shape in ("20x12-b16", "12x20-b9") for end in ("", "-forward")]
    assert cases == [*linear, "convolution-2x6x6-b16", "convolution-2x6x6-5-k5-b3"]
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" at 0.3: ")[0] for line in said] == cases


@pytest.mark.skipif(cores() < 2, reason="needs two cores")
def test_serial_peers_are_compared_with_one_thread(small_sizes, tiny, tmp_path):
    given = ["--cases", "linear", "--densities", "0.3", "--peers", "numpy,scipy", "--threads", "2"]
    rows = rows_of(given, tiny, tmp_path / "rows.json")
    assert [(r["case"], r["peer"], r["threads"]) for r in rows] == [
        ("linear-40x24-b20", "numpy", 2),
        ("linear-40x24-b20-forward", "numpy", 2),
        ("linear-40x24-b20-forward", "scipy", 1),
    ]


def test_a_missing_peer_is_named_in_its_cases(small_sizes, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.peers._import", lambda package, threads: package == "numpy")
    given = [
        "--cases",
        "linear,gather,pattern",
        "--densities",
        "0.3",
        "--peers",
        "numpy,sparseprop,jax",
        "--threads",
        "1",
    ]
    rows = rows_of(given, tiny, tmp_path / "rows.json")
    named = [r for r in rows if r["peer"] == "sparseprop"]
    assert [r["case"] for r in named] == ["linear-40x24-b20", "linear-40x24-b20-forward"]
    assert all(r["ratio"] is None and r["note"] == "not installed" for r in named)
    assert [r["peer"] for r in rows if r["case"].startswith(("gather", "pattern"))] == ["numpy", None]
    said = capsys.readouterr().out
    assert "peer sparseprop: not installed" in said
    assert "peer jax: kernels does not compare with it" in said


def test_start_up_is_measured_in_an_empty_cache_and_again(tiny, tmp_path, monkeypatch):
    seconds = iter([{"compile-a": 2.0}, {"compile-a": 0.1}, {"startup-lenet": 9.0}, {"startup-lenet": 1.0}])
    monkeypatch.setattr(startup, "MODELS", ("lenet",))
    monkeypatch.setattr(startup, "_start", lambda script, folder: next(seconds))
    rows = rows_of(["--cases", "startup", "--threads", "1"], tiny, tmp_path / "rows.json")
    assert [(r["case"], r["seconds"]) for r in rows] == [
        ("compile-a-first-use", 2.0),
        ("compile-a-later-use", 0.1),
        ("startup-lenet-first-use", 9.0),
        ("startup-lenet-later-use", 1.0),
    ]


def test_inference(tiny, tmp_path):
    rows = rows_of(["--cases", "inference", "--batch-size", "5", "--threads", "1"], tiny, tmp_path / "rows.json")
    assert [r["case"] for r in rows] == ["inference-1024x1024-b5", "inference-lenet-300-100-b5"]
    assert all(r["density"] == 0.05 and r["error"] < 1e-5 for r in rows)


def test_pictures(small_sizes, tiny, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(roofline, "peaks", lambda threads: {"flops": 1e11, "L1": 1e11, "L2": 5e10, "memory": 1e10})
    given = ["--cases", "linear", "--densities", "1,0.5,0.1", "--threads", "1", "--plot", str(tmp_path / "new")]
    rows_of(given, tiny, tmp_path / "rows.json")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"kernels-linear-40x24-b20.png", "kernels-linear-40x24-b20-forward.png", "roofline.png"}


def test_pictures_of_layers_that_differ_in_size_or_in_batch(tiny, tmp_path):
    pytest.importorskip("matplotlib")
    layers = "linear-8x8-b20,linear-16x8-b20,linear-16x16-b20,linear-8x8-b10,linear-8x8-b5,linear-8x8-b6"
    given = f"--layers {layers} --densities 0.5 --peers numpy --threads 1 --plot".split()
    rows_of([*given, str(tmp_path / "new")], tiny, tmp_path / "rows.json")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names >= {"kernels-linear-b20-by-size.png", "kernels-linear-8x8-by-batch.png"}
    assert not [name for name in names if "b5-by" in name or "16x8-by" in name]


def test_a_quick_or_disturbed_run_is_stamped():
    free = {"probe_variation": dict.fromkeys(Probe.TOLERANCE, 0.0)}
    busy = {"probe_variation": {**free["probe_variation"], "memory": 9.0}}
    assert plots._stamp(Options("kernels", 1, quick=True), [free]) == "--quick: these figures mean nothing"
    assert plots._stamp(Options("kernels", 1), [free]) == ""
    assert plots._stamp(Options("kernels", 1), [busy]) == "disturbed while measured: memory"


def test_break_even_lies_between_the_densities_around_it():
    crossing = plots.break_even([1.0, 0.5, 0.1], [4.0, 2.0, 0.4], [3.0, 3.0, 3.0])
    assert crossing == pytest.approx(0.75)
    assert plots.break_even([1.0, 0.1], [1.0, 0.5], [3.0, 3.0]) is None


def test_unfair_settings_are_taken_out_before_a_start():
    assert set(UNFAIR) == {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
    assert fair({"HOME": "x", "OPENBLAS_CORETYPE": "Haswell"}) == {"HOME": "x"}
    assert fair({"HOME": "x"}) is None


def test_a_start_with_unfair_settings_is_a_start_without_them():
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Haswell"}
    command = [sys.executable, "-m", "benchmarks", "nothing"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "starting again without OPENBLAS_CORETYPE" in done.stdout
    assert done.stderr.startswith("benchmarks: no benchmark is called 'nothing'")


def test_threads_default_to_all_cores():
    assert parse(["kernels"]).threads == cores()
