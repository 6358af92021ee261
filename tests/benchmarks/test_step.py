"""`step` and `run` on tiny data: rows, peers present and missing, wrong results. Nothing here asserts a time."""

import json

import numpy as np
import pytest

import tinyticket as tt
from benchmarks import peers, problems, run
from benchmarks.masks import masks_for, uniform_mask
from benchmarks.program import main
from tinyticket.lottery import find

MODEL = "mlp-784-20-10"


def rows_of(given, tiny, path):
    assert main([*given, "--threads", "1", "--json", str(path)], tiny) == 0
    return json.loads(path.read_text())


def test_alone_it_needs_no_peer(eager_step, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(peers, "_import", lambda *_: pytest.fail("no peer was asked for"))
    rows = rows_of(["step", "--models", MODEL, "--densities", "1,0.1"], tiny, tmp_path / "rows.json")
    assert [(r["case"], r["density"], r["threads"], r["peer"]) for r in rows] == [
        (MODEL, 1.0, 1, None),
        (MODEL, 0.1, 1, None),
    ]
    assert all(r["seconds"] > 0 and r["ratio"] is None and r["error"] < 1e-4 for r in rows)
    said = capsys.readouterr().out
    assert "NumPy's BLAS" in said
    assert "eager: nothing compiles here" in said


def test_the_default_model_and_densities(eager_step, tiny, tmp_path):
    rows = rows_of(["step"], tiny, tmp_path / "rows.json")
    assert [r["density"] for r in rows] == [1, 0.51, 0.21, 0.1, 0.05, 0.02]
    assert {r["case"] for r in rows} == {"lenet-300-100"}


def test_torch_stands_for_its_three_ways(torch, eager_step, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function: function)  # takes half a minute
    rows = rows_of(["step", "--models", MODEL, "--densities", "0.3", "--peers", "torch"], tiny, tmp_path / "rows.json")
    assert [r["peer"] for r in rows] == ["torch", "torch-masked", "torch-compile"]
    for r in rows:
        assert r["ratio"] == pytest.approx(r["peer_seconds"] / r["seconds"])
        assert r["peer_error"] < 1e-4
        assert r["peer_version"] == torch.__version__


def test_a_missing_peer_is_named(eager_step, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(peers, "_import", lambda *_: False)
    given = ["step", "--models", MODEL, "--densities", "0.3", "--peers", "jax,scipy"]
    (row,) = rows_of(given, tiny, tmp_path / "rows.json")
    assert (row["peer"], row["peer_seconds"], row["ratio"], row["note"]) == ("jax", None, None, "not installed")
    said = capsys.readouterr().out
    assert "peer jax: not installed" in said
    assert "peer scipy: step does not compare with it" in said


def test_a_peer_that_fails_is_named_with_its_reason(torch, eager_step, tiny, tmp_path, capsys, monkeypatch):

    def broken(function):
        raise OSError("no compiler here")

    monkeypatch.setattr(torch, "compile", broken)
    given = ["step", "--models", MODEL, "--densities", "0.3", "--peers", "torch-compile"]
    (row,) = rows_of(given, tiny, tmp_path / "rows.json")
    assert row["peer"] == "torch-compile"
    assert "no compiler here" in row["note"]
    assert "no compiler here" in capsys.readouterr().out


def test_a_wrong_result_fails_loudly(eager_step, tiny, capsys, monkeypatch):
    step = tt.compile
    monkeypatch.setattr(step, "__call__", lambda self, dataset, indices: 0.5)
    assert main(["step", "--models", MODEL, "--densities", "0.3", "--threads", "1"], tiny) == 1
    assert "WRONG RESULT" in capsys.readouterr().err


@pytest.mark.usefixtures("torch")
def test_run_extrapolates_the_protocol(eager_step, tiny, tmp_path, capsys):
    given = ["run", "--densities", "1,0.1", "--peers", "torch"]
    rows = rows_of(given, tiny, tmp_path / "rows.json")
    *rounds, total = rows
    assert len(rounds) == 16
    assert {(r["case"], r["peer"]) for r in rounds} == {("lenet-300-100", "torch-masked")}
    assert [r["density"] for r in rounds] == pytest.approx([0.8**k for k in range(16)])
    assert not rounds[0]["interpolated"]
    assert rounds[1]["interpolated"]
    assert total["density"] is None
    assert total["seconds"] == pytest.approx(sum(r["seconds"] for r in rounds))
    for r in rows:
        assert r["seconds"] == pytest.approx(r["training_seconds"] + r["evaluation_seconds"])
        assert r["peer_seconds"] == pytest.approx(r["peer_training_seconds"] + r["peer_evaluation_seconds"])
    assert "Extrapolated" in capsys.readouterr().out
    assert run.EVALUATIONS == 501


def test_uniform_masks_have_the_density_in_every_layer():
    model = tt.models.create("lenet-300-100")
    [(density, masks)] = masks_for(model, [0.05], "uniform")
    assert density == 0.05
    assert masks.keys() == model.prunable().keys()
    assert all(mask.sum() == round(0.05 * mask.size) for mask in masks.values())
    assert uniform_mask((3, 4), 1.0, 0).all()


def test_masks_come_from_a_result_file(tmp_path, tiny, eager_step, capsys):
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 784)).astype(np.float32), rng.integers(0, 10, 60)
    path = tmp_path / "result.h5"
    data = tt.data.from_arrays(x, y, classes=10)
    find(model=MODEL, data=data, rounds=2, iterations=2, batch_size=20, trials=1, controls=(), validation=10, out=path)
    kept = tt.load(path).trials[0].rounds
    given = ["step", "--models", MODEL, "--masks", str(path)]
    rows = rows_of(given, tiny, tmp_path / "all.json")
    assert [r["density"] for r in rows] == pytest.approx([r.density for r in kept])
    rows = rows_of([*given, "--densities", "0.6"], tiny, tmp_path / "one.json")
    assert [r["density"] for r in rows] == pytest.approx([kept[2].density])
    assert main(["step", "--models", "mlp-784-30-10", "--masks", str(path), "--threads", "1"], tiny) == 2
    assert "shapes" in capsys.readouterr().err


def test_every_contestant_sees_the_same_batches():
    problem = problems.make(MODEL, 20, {"train": 100, "validation": 10, "test": 10})
    feeds = problem.batches(), problem.batches()
    epoch = [next(feeds[0]) for _ in range(5)]
    np.testing.assert_array_equal(np.sort(np.concatenate(epoch)), np.arange(100))
    for batch in (*epoch, epoch[0]):
        np.testing.assert_array_equal(batch, next(feeds[1]))
