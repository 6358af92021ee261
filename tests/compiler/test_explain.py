"""What a step says of its layers: shape, density, kernel and time."""

import re

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import BLOCKS, CLASSES, compiled, examples, masked, mlp, network
from tinyticket.errors import InputError

SHAPE = (3, 8, 8)


def rows(step):
    """Return the headings of a step's table and its rows, by column."""
    _, head, *lines = step.explain().splitlines()
    starts = [match.start() for match in re.finditer(r"\S+( \S+)*", head)]
    bounds = list(zip(starts, [*starts[1:], None], strict=True))
    return [[line[begin:end].strip() for begin, end in bounds] for line in (head, *lines)]


def test_kernels_can_be_chosen_and_are_explained():
    model = masked(mlp(20, 30, CLASSES), 0.3)
    step = compiled(model, kernels={"0.weight": "dense", "2.weight": "sparse"})
    assert step.plan() == {"mode": "compiled", "kernels": {"0.weight": "dense", "2.weight": "sparse"}}
    head, first, second = rows(step)
    assert head == ["layer", "shape", "density", "kernel", "expected us", "measured us"]
    assert first[:4] == ["0.weight", "30 x 20", f"{model.prunable()['0.weight'].mask.mean():.1%}", "dense"]
    assert second[:2] + second[3:4] == ["2.weight", "4 x 30", "sparse"]
    for row in (first, second):
        assert float(row[4]) >= 0
        assert float(row[5]) >= 0
    assert step.explain().startswith("compiled, batches of 16, threads: up to all")
    assert compiled(model, threads=2).explain().startswith("compiled, batches of 16, threads: up to 2\n")


def test_a_choice_that_makes_no_sense_is_refused():
    for kernels in ({"0.weight": "fast"}, {"1.weight": "dense"}):
        with pytest.raises(InputError, match="kernels maps names of weights"):
            compiled(mlp(20, CLASSES), kernels=kernels)
    with pytest.raises(InputError, match="turns is one of"):
        compiled(mlp(20, CLASSES), turns="rows")


def test_a_layer_without_mask_runs_dense_and_a_sparse_one_sparse():
    model = mlp(784, 300, CLASSES)
    step = compiled(model)
    assert set(step.plan()["kernels"].values()) == {"dense"}
    model.prunable()["0.weight"].mask = np.random.default_rng(0).random((300, 784)) < 0.05
    assert step.plan()["kernels"] == {"0.weight": "sparse", "2.weight": "dense"}


@pytest.mark.parametrize("batch_size", [16, 40])
@pytest.mark.parametrize("end", ["layers", "global"])
def test_the_explanation_has_every_operation_with_its_kernel_and_time(end, batch_size):
    model = masked(network(("conv3", "norm relu", "residual", "max"), end, SHAPE), 0.3)
    step = compiled(model, kernels="sparse", batch_size=batch_size)
    names = list(model.prunable())
    assert step.plan()["kernels"] == dict.fromkeys(names, "sparse")
    before, data = model.state_dict(), examples(SHAPE)
    _, *found = rows(step)
    assert [row[0] for row in found if row[3] == "sparse"] == names
    assert [row[3] for row in found if row[0] not in names].count("batch_norm") == (4 if end == "layers" else 3)
    assert sum(float(row[5]) for row in found) > 0
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    other = compiled(masked(network(("conv3", "norm relu", "residual", "max"), end, SHAPE), 0.3), kernels="sparse")
    if end == "global":  # nothing is drawn
        assert step(data, np.arange(16)) == pytest.approx(other(data, np.arange(16)), rel=1e-6)


@pytest.mark.parametrize("block", sorted(BLOCKS))
def test_every_kind_of_operation_is_explained(block):
    step = compiled(network((block,), "linear", SHAPE), batch_size=20, input_shape=SHAPE)
    kinds = [operation.kind for operation in step.network.graph.operations]
    found = rows(step)[1:]
    assert len(found) == len(kinds)
    for kind, row in zip(kinds, found, strict=True):
        assert row[3] == ("dense" if kind in ("conv2d", "linear") else kind)


def test_a_plan_says_how_the_batch_is_taken_where_that_may_change_bits():
    model = network(("conv3", "relu", "max"), "linear", SHAPE)
    x, y = examples(SHAPE, 40)
    for turns in ("tiles", "batch"):
        step = tt.compile(
            model, "cross_entropy", tt.optim.SGD(model.parameters(), 0.1), 32, turns=turns, input_shape=SHAPE
        )
        step((x, y), np.arange(32))
        assert step.plan().get("turns", "batch") == turns
