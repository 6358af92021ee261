"""Experiments with layers and optimizers that no kernel is compiled for, from training to replay."""

import re

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, find
from tinyticket import nn
from tinyticket.data import from_arrays
from tinyticket.errors import InputError
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.report.export import export

SEQUENCES = from_arrays(DATA.x_train[:, None], DATA.y_train, DATA.x_test[:, None], DATA.y_test)


def sequences(rng):
    conv = nn.Conv1d(1, 4, 3, padding=1, rng=rng)
    return nn.Sequential(conv, nn.GELU(), nn.Flatten(), nn.LayerNorm(48), nn.Linear(48, 3, rng=rng))


def test_a_network_of_sequences_is_pruned_and_replayed_from_its_file(out):
    result = find(sequences, SEQUENCES, optimizer="adamw", weight_decay=0.1, rounds=1, out=out)
    assert result.round(0, 1).plan == {"mode": "eager"}
    assert result.round(0, 1).masks["0.weight"].shape == (4, 1, 3)
    assert result.round(0, 1).masks["0.weight"].sum() == 10
    assert replay(tt.load(out), 0, 1, data=SEQUENCES).agrees
    decayed = find(sequences, SEQUENCES, rounds=0, optimizer="adam").round(0, 0).trained
    assert any((decayed[name] != value).any() for name, value in result.round(0, 0).trained.items())


@pytest.mark.parametrize("batch_size", [4, 20])  # of few samples beside each other, and of whole vectors
def test_networks_of_s_shaped_relus_are_compiled_verified_and_replayed(out, batch_size):
    name, options = "sparse-mlp-12-16-8-3@0.3-srelu", {"optimizer": "adam", "weight_decay": 1e-3, "threads": 1}
    result = find(name, rounds=1, controls="reinit", iterations=10, batch_size=batch_size, out=out, **options)
    assert result.round(0, 1).plan["mode"] == "compiled"
    initial, trained, drawn = result.init(0), result.round(0, 1).trained, result.round(0, 1, "reinit").trained
    assert [part for part in initial if part.startswith("srelu2")] == [
        f"srelu2.{part}" for part in ("t_left", "a_left", "t_right", "a_right")
    ]
    assert all((initial[part] != trained[part]).any() for part in initial if part.startswith("srelu"))
    assert (drawn["srelu1.a_left"] - trained["srelu1.a_left"]).std() > 0.1, "those of the control were drawn anew"
    assert [check for check in verify(result, retrain=1, data=DATA, threads=1) if check.failures] == []
    assert replay(result, 0, 1, "reinit", data=DATA, threads=1).differences == []


@pytest.mark.parametrize("ending", ["c", "onnx"])
def test_formats_that_know_no_s_shaped_relu_say_so(tmp_path, ending):
    result = find("mlp-12-8-3-srelu", rounds=0, iterations=5)
    with pytest.raises(InputError, match="cannot express the layer srelu1, SReLU"):
        export(result, tmp_path / f"ticket.{ending}", 0, 0)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (
            lambda: nn.Conv1d(1, 4, 3, padding=1, rng=0),
            r"0 \(Conv1d\): there is no compiled kernel for expand_dims here",
        ),
        (lambda: nn.LayerNorm(12), r"0 \(LayerNorm\): there is no compiled kernel for layer_norm here"),
        (nn.GELU, r"0 \(GELU\): there is no compiled kernel for gelu here"),
    ],
)
def test_a_step_says_which_layer_it_is_eager_for(layer, reason):
    model = nn.Sequential(layer(), nn.Flatten(), nn.Linear(48 if "Conv1d" in reason else 12, 3, rng=0))
    step = tt.compile(model, optimizer=tt.optim.SGD(model.parameters(), 0.1), input_shape=(1, 12))
    assert not step.compiled
    assert re.search(reason, step.explain())


def test_a_step_says_that_adamw_and_other_losses_are_eager():
    model = nn.models.create("mlp-12-8-3", (12,), 3, 0)
    step = tt.compile(model, optimizer=tt.optim.AdamW(model.parameters(), 0.1))
    assert "no compiled kernel for the optimizer AdamW" in step.explain()
    step = tt.compile(model, nn.losses.CrossEntropy(label_smoothing=0.1), tt.optim.SGD(model.parameters(), 0.1))
    assert "no compiled kernel for cross-entropy with label smoothing" in step.explain()
    before = step.evaluate((DATA.x_train, DATA.y_train))[0]
    for _ in range(20):
        step(DATA.x_train, DATA.y_train)
    assert step.evaluate((DATA.x_train, DATA.y_train))[0] < before


def test_sequences_that_are_flattened_at_once_compile():
    model = nn.models.create("mlp-12-8-3", (2, 6), 3, 0)
    step = tt.compile(model, optimizer=tt.optim.SGD(model.parameters(), 0.1), input_shape=(2, 6))
    assert step.compiled
    x = DATA.x_train[:20].reshape(-1, 2, 6)
    np.testing.assert_allclose(step.predict(x), model(x).data, rtol=1e-5, atol=1e-6)
