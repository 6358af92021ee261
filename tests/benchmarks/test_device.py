"""`--device cuda`: rows where there is a device, if only a simulated one, and one sentence where there is none."""

import json

import pytest

from benchmarks import device, device_passes, problems, step
from benchmarks.device_peers import LAYERS, TorchCSRLayer, TorchLayer
from benchmarks.image_layer import ImageLayer
from benchmarks.layer import Layer
from benchmarks.program import main
from benchmarks.timing import Discipline
from tests import simulator
from tinyticket.kernels.cuda import toolkit

simulator.install()


@pytest.fixture
def once():
    """Everything is called once: a step takes a second where devices are simulated."""
    return Discipline(blocks=1, calls=1, seconds=0, longest=0.01, settle_calls=0, settle_seconds=0, rest=0)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(device, "LINEAR", (6, 5, 4))
    monkeypatch.setattr(device, "IMAGES", ((2, 2, 3),))
    monkeypatch.setattr(device, "PASSES", 1)
    monkeypatch.setattr(problems, "EXAMPLES", {"train": 30, "validation": 4, "test": 4})
    monkeypatch.setattr(step, "CHECKED", 1)


def rows_of(given, tiny, path):
    assert main([*given, "--device", "cuda", "--threads", "1", "--json", str(path)], tiny) == 0
    return json.loads(path.read_text())


def test_without_a_device_there_is_a_sentence(monkeypatch, tiny, capsys):
    monkeypatch.setattr(toolkit, "available", lambda: False)
    for benchmark in ("kernels", "step"):
        assert main([benchmark, "--device", "cuda"], tiny) == 2
        error = capsys.readouterr().err
        assert error.startswith("benchmarks: device 'cuda' needs an NVIDIA GPU")
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["run", "--device", "cuda"], "--device belongs to kernels and step"),
        (["step", "--device", "gpu"], "no device is called 'gpu'"),
        (["kernels", "--device", "cuda", "--cases", "adam"], "--cases names 'adam'"),
    ],
)
def test_bad_input(given, said, tiny, capsys):
    assert main(given, tiny) == 2
    assert said in capsys.readouterr().err


def test_layers_are_measured_and_checked(small, once, tmp_path, capsys):
    rows = rows_of(["kernels", "--densities", "0.25", "--peers", "torch,scipy"], once, tmp_path / "rows.json")
    assert [(r["case"], r["kernel"]) for r in rows] == [("linear-6x5-b4", "sparse"), ("convolution-2x2x2-b3", "sparse")]
    assert all(r["dense_seconds"] > 0 and r["sparse_seconds"] == r["seconds"] for r in rows)
    assert all(r["seconds"] > 0 and r["error"] < 1e-5 and r["device"] == "cuda" for r in rows)
    said = capsys.readouterr().out
    assert "CUDA device: " in said
    assert "peer scipy: kernels does not compare with it" in said


def test_every_pass_has_a_time_of_its_own(small, capsys, monkeypatch):
    monkeypatch.setattr(device_passes, "ROUNDS", 1)
    monkeypatch.setattr(device_passes, "STARTS", 1)
    device_passes.main(["--densities", "1,0.25"])
    said = capsys.readouterr().out
    assert said.count("6 to 5") == said.count("convolution-2x2x2-b3") == 2
    assert "e-0" in said, "errors are there"
    monkeypatch.setattr(toolkit, "available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        device_passes.main([])
    assert "device 'cuda' needs an NVIDIA GPU" in capsys.readouterr().err


def test_steps_are_measured_many_at_a_time(small, once, tmp_path):
    given = ["step", "--models", "mlp-5-4-3", "--batch-size", "4", "--densities", "0.25", "--steps-per-call", "2"]
    (row,) = rows_of(given, once, tmp_path / "rows.json")
    assert (row["device"], row["steps_per_call"], row["peer"]) == ("cuda", 2, None)
    assert row["error"] < 1e-4


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("layer", [Layer(6, 5, 4, 0.5), ImageLayer(2, 4, 3, 0.5)], ids=["linear", "convolution"])
def test_peers_compute_the_same(layer):
    kinds = [TorchLayer, TorchCSRLayer] if isinstance(layer, Layer) else [TorchLayer]
    for kind in kinds:
        side = kind(layer, device="cpu")
        side.forward(), side.backward()
        assert layer.check(kind.__name__, side.results()) < 1e-5
    assert set(LAYERS) == {"torch", "torch-tf32", "torch-sparse"}
