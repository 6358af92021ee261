"""`tinyticket import`."""

import numpy as np
import pytest

from tests.cli.commands import find_arguments, one_sentence
from tinyticket import load
from tinyticket.nn import models
from tinyticket.store.weights import read_weights, to_pytorch

MODEL = "mlp-12-16-8-3"
OPTIONS = ("--model", MODEL, "--input-shape", "12", "--classes", "3")


@pytest.fixture
def theirs(tmp_path):
    """A file as torch.save writes it of a network pruned by torch.nn.utils.prune, whose layers are called 0, 2 and 4."""
    state = models.create(MODEL, (12,), 3, rng=5).state_dict()
    names = {
        f"{layer}.{own}": f"{i}.{own}"
        for layer, i in (("fc1", 0), ("fc2", 2), ("output", 4))
        for own in ("bias", "weight")
    }
    arrays = {theirs: state[name] for name, theirs in names.items()}
    mask = (np.arange(192).reshape(16, 12) % 3 == 0).astype(np.float32)
    arrays |= {"0.weight_orig": arrays.pop("0.weight"), "0.weight_mask": mask}
    (path := tmp_path / "theirs.pt").write_bytes(to_pytorch(arrays))
    return path


def test_a_pruned_network_of_pytorch(command, theirs, npz, out, tmp_path):
    ours = tmp_path / "ours.safetensors"
    said = one_sentence(command("import", theirs, *OPTIONS, "-o", ours))
    assert "0.bias is no weight of the model" in said
    assert "--in-order" in said
    ours.write_bytes(b"something else")
    assert "is there already" in one_sentence(command("import", theirs, *OPTIONS, "--in-order", "-o", ours))
    done = command("import", theirs, *OPTIONS, "--in-order", "-o", ours, "--force")
    assert done == (0, f"6 arrays and masks of {MODEL}: 216 of 344 weights are left, 62.8%\n", f"wrote {ours}\n")
    weights = read_weights(ours)
    assert weights.masks["fc1.weight"].sum() == 64
    assert weights.state["fc1.weight"].all()
    more = ("--masks-from", ours, "--eager", "--controls", "none", "-q")
    assert command(*find_arguments(npz, out, *more, rounds=None)).code == 0
    assert np.array_equal(load(out).round(0, 1).masks["fc1.weight"], weights.masks["fc1.weight"])


def test_an_exported_ticket_comes_back(command, ticket, tmp_path):
    masks = load(ticket).round(0, 2).masks
    for ending in ("npz", "safetensors", "pt"):
        there, back = tmp_path / f"ticket.{ending}", tmp_path / f"back-{ending}.npz"
        command("export", ticket, "--round", 2, "-o", there)
        assert command("import", there, *OPTIONS, "-o", back, "-q").code == 0
        assert all(np.array_equal(read_weights(back).masks[name], mask) for name, mask in masks.items())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ("--model", "mlp-12-9-3", *OPTIONS[2:], "--in-order"),
            "there are 3 layers with weights (0, 2, 4), in the model 2",
        ),
        ((*OPTIONS, "--input-shape", "a"), "--input-shape is whole numbers such as 1,28,28, not 'a'"),
        ((*OPTIONS, "--in-order", "-o", "x.pt"), "the ending says what is written, .npz or .safetensors"),
    ],
)
def test_bad_input_is_one_sentence(options, says, command, theirs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in one_sentence(command("import", theirs, "-o", "ours.npz", *options))
    assert {file.name for file in tmp_path.iterdir()} <= {"theirs.pt", "results"}


@pytest.mark.parametrize(("made", "says"), [("None", "NoneType"), ("tt.nn.ReLU()", "ReLU")])
def test_a_model_of_ones_own_gets_a_generator_and_is_checked(made, says, command, theirs, tmp_path):
    (model := tmp_path / "own.py").write_text(
        f"import tinyticket as tt\n\ndef make(input_shape, classes, rng):\n    rng.normal()\n    return {made}\n"
    )
    said = one_sentence(command("import", theirs, "--model", f"{model}:make", "-o", tmp_path / "ours.npz"))
    assert f"no Module with weights that can be pruned, but {says}" in said
