"""`tt.compile` against the eager step, and everything that may happen to a model between two steps."""

import copy
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyticket as tt
from tests.compiler.networks import masked
from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.compiler.mlp.trace import trace
from tinyticket.errors import InputError
from tinyticket.nn import Flatten, Linear, Module, ReLU, Sequential, Tanh, functional
from tinyticket.optim import SGD, Adam

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X, Y = RNG.random((150, 20), np.float32), RNG.integers(0, 4, 150)
OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, 0.05, weight_decay=1e-3),
    "momentum": lambda parameters: SGD(parameters, 0.02, momentum=0.9),
    "nesterov": lambda parameters: SGD(parameters, 0.02, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda parameters: Adam(parameters, 1e-3, weight_decay=1e-3),
}


def mlp(*sizes, bias=True, seed=0):
    rng = np.random.default_rng(seed)
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [Linear(inputs, outputs, bias=bias, rng=rng), ReLU()]
    return Sequential(*layers[:-1])


def compiled(model, make="adam", batch_size=16, **options):
    step = tt.compile(model, functional.cross_entropy, OPTIMIZERS[make](model.parameters()), batch_size, **options)
    assert isinstance(step, CompiledStep)
    return step


def twins(model, make="adam", batch_size=16, **options):
    """Return a compiled step and an eager one of equal models."""
    twin = copy.deepcopy(model)
    return compiled(model, make, batch_size, **options), EagerStep(twin, OPTIMIZERS[make](twin.parameters()))


def equal_to_rounding(model, other, tolerance=2e-5):
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        np.testing.assert_allclose(one, two, atol=tolerance, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=0, max_size=3),
    st.sampled_from([None, 0.0, 0.1, 0.5, 1.0]),
    st.sampled_from(sorted(OPTIMIZERS)),
    st.lists(st.integers(1, 33), min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_steps_agree_with_eager_ones_to_rounding(hidden, density, make, batches, bias, seed):
    model = mlp(20, *hidden, 4, bias=bias, seed=seed)
    if density is not None:
        masked(model, density, seed)
    step, eager = twins(model, make, batch_size=33)
    order = np.random.default_rng(seed)
    for size in batches:
        indices = order.integers(0, len(X), size)
        assert step((X, Y), indices) == pytest.approx(eager((X, Y), indices), rel=1e-4, abs=1e-5)
    # Adam's first steps are as long as the learning rate whatever the gradient, down to one that is all rounding.
    equal_to_rounding(model, eager.model, 1e-3 * len(batches) * 2.5 if make == "adam" else 2e-5)
    assert step.evaluate((X, Y))[0] == pytest.approx(eager.evaluate((X, Y))[0], rel=1e-2)
    for weight in model.prunable().values():
        if density is not None:
            assert not weight.data[~weight.mask].view(np.uint32).any()


def test_a_step_on_arrays_is_the_step_on_their_indices():
    by_arrays, by_indices = compiled(mlp(20, 8, 4)), compiled(mlp(20, 8, 4))
    for start in (0, 16, 32):
        chosen = np.arange(start, start + 16)
        assert by_arrays(X[chosen], Y[chosen]) == by_indices((X, Y), chosen)


def test_a_data_set_is_trained_on_and_its_test_part_evaluated():
    data = tt.data.from_arrays(X[:100], Y[:100], X[100:], Y[100:])
    one, other = compiled(mlp(20, 8, 4)), compiled(mlp(20, 8, 4))
    assert one(data, np.arange(9)) == other((X[:100], Y[:100]), np.arange(9))
    assert one.evaluate(data) == other.evaluate((X[100:], Y[100:]))
    with pytest.raises(TypeError, match="data set or a pair"):
        one([X, Y], np.arange(9))


def test_threads_change_no_bit():
    states = []
    for threads in (1, 2):
        model = masked(mlp(20, 40, 30, 4), 0.3)
        step = compiled(model, threads=threads)
        for start in range(0, 96, 16):
            step((X, Y), np.arange(start, start + 16))
        states.append((model.state_dict(), step.evaluate((X, Y))))
    assert states[0][1] == states[1][1]
    for one, two in zip(states[0][0].values(), states[1][0].values(), strict=True):
        assert one.tobytes() == two.tobytes()


# -- what happens to the model between steps is seen


def test_reading_gives_the_newest_values_and_disturbs_nothing():
    watched, alone = compiled(mlp(20, 8, 4)), compiled(mlp(20, 8, 4))
    for start in (0, 16, 32):
        chosen = np.arange(start, start + 16)
        before = watched.model.state_dict()
        watched((X, Y), chosen), alone((X, Y), chosen)
        assert any(not np.array_equal(before[name], value) for name, value in watched.model.state_dict().items())
    for one, two in zip(watched.model.state_dict().values(), alone.model.state_dict().values(), strict=True):
        assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("write", ["assign", "in place", "load_state_dict"])
def test_what_is_written_is_seen_by_the_next_step(write):
    step, eager = twins(masked(mlp(20, 8, 4), 0.5), "momentum")
    for model, one in ((step.model, step), (eager.model, eager)):
        one((X, Y), np.arange(16))
        weight = model.prunable()["0.weight"]
        if write == "assign":
            weight.data = np.full(weight.shape, 0.1)
        elif write == "in place":
            weight.data[...] = np.where(weight.mask, 0.1, 0)
        else:
            model.load_state_dict({name: np.full_like(value, 0.1) for name, value in model.state_dict().items()})
        one((X, Y), np.arange(16))
    equal_to_rounding(step.model, eager.model)


def test_a_new_mask_takes_weights_and_momentum_along_and_compiles_nothing():
    from tinyticket.compiler.mlp.train import train

    step, eager = twins(masked(mlp(20, 30, 4), 0.6), "momentum")
    variants = None
    for density in (0.6, 0.4, 0.2):
        for model, one in ((step.model, step), (eager.model, eager)):
            rng = np.random.default_rng(5)
            for weight in model.prunable().values():
                weight.mask = weight.mask & (rng.random(weight.shape) < density)
            for _ in range(3):
                one((X, Y), np.arange(16))
        variants = variants or len(train.signatures)
        assert len(train.signatures) == variants
    equal_to_rounding(step.model, eager.model)


def test_eager_and_compiled_steps_may_take_turns():
    model = masked(mlp(20, 30, 4), 0.4)
    optimizer = OPTIMIZERS["adam"](model.parameters())
    turns = [tt.compile(model, "cross_entropy", optimizer, 16), EagerStep(model, optimizer)]
    _, eager = twins(masked(mlp(20, 30, 4), 0.4))
    for i in range(6):
        turns[i % 2]((X, Y), np.arange(16)), eager((X, Y), np.arange(16))
    assert optimizer.steps == [6] * 4
    equal_to_rounding(model, eager.model, 1e-4)


def test_two_compiled_steps_of_one_model_hand_it_to_each_other():
    model = mlp(20, 8, 4)
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    first, second = (tt.compile(model, "cross_entropy", optimizer, 16) for _ in range(2))
    alone = compiled(mlp(20, 8, 4), "momentum")
    for one in (first, second, second, first):
        one((X, Y), np.arange(16)), alone((X, Y), np.arange(16))
    for one, two in zip(model.state_dict().values(), alone.model.state_dict().values(), strict=True):
        assert one.tobytes() == two.tobytes()


def test_a_reset_optimizer_and_rewound_weights_start_again_bit_for_bit():
    model = masked(mlp(20, 8, 4), 0.5)
    start, step = model.state_dict(), compiled(model)
    ends = []
    for _ in range(2):
        step.optimizer.reset()
        model.load_state_dict(start)
        for begin in (0, 16, 32):
            step((X, Y), np.arange(begin, begin + 16))
        ends.append(b"".join(value.tobytes() for value in model.state_dict().values()))
    assert ends[0] == ends[1]


def test_the_learning_rate_is_read_at_every_step():
    step = compiled(mlp(20, 8, 4), "sgd")
    before = step.model.state_dict()
    step.optimizer.lr = 0.0
    step.optimizer.weight_decay = 0.0
    step((X, Y), np.arange(16))
    assert all(np.array_equal(before[name], value) for name, value in step.model.state_dict().items())


def test_gradients_are_dense_and_change_nothing():
    model = masked(mlp(20, 8, 4), 0.3)
    step = compiled(model)
    step((X, Y), np.arange(16))
    before = model.state_dict()
    gradients = step.gradients(X[:16], Y[:16])
    assert gradients.keys() == before.keys()
    assert np.count_nonzero(gradients["0.weight"][~model.prunable()["0.weight"].mask])
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


# -- what is chosen, and said about it


def test_kernels_can_be_chosen_and_are_explained():
    model = masked(mlp(20, 30, 4), 0.3)
    step = compiled(model, kernels={"0.weight": "dense", "2.weight": "sparse"})
    assert step.plan() == {"mode": "compiled", "kernels": {"0.weight": "dense", "2.weight": "sparse"}}
    _, heading, first, second = step.explain().splitlines()
    assert heading.split()[:4] == ["layer", "shape", "density", "kernel"]
    assert first.split()[:4] == ["0.weight", "30", "x", "20"]
    assert "dense" in first
    assert "sparse" in second
    with pytest.raises(InputError, match="kernels maps names of weights"):
        compiled(mlp(20, 4), kernels={"0.weight": "fast"})


def test_a_layer_without_mask_runs_dense_and_a_sparse_one_sparse():
    model = mlp(784, 300, 4)
    step = compiled(model)
    assert set(step.plan()["kernels"].values()) == {"dense"}
    model.prunable()["0.weight"].mask = np.random.default_rng(0).random((300, 784)) < 0.05
    assert step.plan()["kernels"]["0.weight"] == "sparse"


class Forward(Module):
    """A layer, and a forward pass that is given."""

    def __init__(self, forward):
        self.layer, self.pass_ = Linear(20, 4, rng=0), forward

    def forward(self, x):
        return self.pass_(self.layer, x)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Sequential(Linear(20, 8), Tanh(), Linear(8, 4)), "1 (Tanh): there is no compiled kernel for tanh"),
        (mlp(20, 4).astype(np.float64), "0 (Linear): compiled kernels want float32"),
        (Forward(lambda layer, x: functional.dropout(layer(x), 0.5)), "the model (Forward): compiled steps draw for"),
        (Forward(lambda layer, x: layer(x) + np.ones((2, 1), np.float32)), "compiled additions want equal shapes"),
        (Forward(lambda layer, x: layer(x) + np.ones((2, 4), np.float32)), "uses a tensor that is no result of"),
        (Forward(lambda layer, x: layer(x) + layer(x)), "two layers share a parameter"),
        (Forward(lambda layer, x: layer(x.reshape(1, -1, 20))), "compiled steps reshape"),
    ],
    ids=["tanh", "float64", "dropout", "broadcast", "constant", "shared", "reshape"],
)
def test_what_cannot_be_compiled_runs_eagerly_and_names_the_layer(model, words):
    step = tt.compile(model, functional.cross_entropy, SGD(model.parameters(), 0.1), 16)
    assert isinstance(step, EagerStep)
    assert words in step.explain()


def test_what_cannot_be_compiled_is_trained_all_the_same():
    model = Sequential(Linear(20, 8, rng=0), Tanh(), Linear(8, 4, rng=0))
    step = tt.compile(model, functional.cross_entropy, SGD(model.parameters(), 0.1), 16)
    assert step((X, Y), np.arange(16)) > step((X, Y), np.arange(16))


def test_an_optimizer_of_other_parameters_cannot_be_compiled():
    model = mlp(20, 8, 4)
    step = tt.compile(model, functional.cross_entropy, SGD(list(model.parameters())[:2], 0.1), 16)
    assert "exactly the model's parameters" in step.explain()


def test_tracing_leaves_the_model_as_it_was():
    model = Sequential(Flatten(), Linear(20, 8, rng=0), ReLU(), Linear(8, 4, rng=0)).eval()
    before = {name: dict(vars(part)) for name, part in model.named_modules()}
    assert [layer.name for layer in trace(model, (20,))] == ["1.weight", "3.weight"]
    assert {name: dict(vars(part)) for name, part in model.named_modules()} == before


@pytest.mark.parametrize("bad", [{"loss": functional.mse_loss}, {"batch_size": 0}])
def test_what_makes_no_sense_is_refused(bad):
    model = mlp(20, 4)
    arguments = {"loss": functional.cross_entropy, "optimizer": SGD(model.parameters(), 0.1), "batch_size": 4} | bad
    with pytest.raises(InputError):
        tt.compile(model, **arguments)


def test_a_batch_that_is_too_large_is_refused():
    with pytest.raises(InputError, match="1 to 16"):
        compiled(mlp(20, 4))((X, Y), np.arange(17))


# -- processes

FORK = """
import os, sys, numpy as np, tinyticket as tt
rng = np.random.default_rng(0)
x, y = rng.random((60, 20), np.float32), rng.integers(0, 4, 60)
model = tt.models.create("mlp-20-30-4", (20,), 4, 0)
step = tt.compile(model, "cross_entropy", tt.optim.Adam(model.parameters(), 1e-3), 60, threads=2)
step((x, y), np.arange(60))
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, repr(step((x, y), np.arange(60))).encode())
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert os.read(read, 100).decode() == repr(step((x, y), np.arange(60)))
print("equal")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_goes_on_alone_with_the_same_bits():
    done = subprocess.run([sys.executable, "-c", FORK], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "equal\n", done.stderr


def test_warming_up_leaves_nothing_to_compile(tmp_path):
    code = "import logging, tinyticket as tt; logging.basicConfig(); tt.warmup()"
    environment = os.environ | {"TINYTICKET_CACHE": str(tmp_path)}
    run = [sys.executable, "-c", code]
    first = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True)
    compiled_files = sorted(path.name for path in tmp_path.rglob("*.nbc"))
    again = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert "once" in first.stderr
    assert again.stderr == ""
    assert sorted(path.name for path in tmp_path.rglob("*.nbc")) == compiled_files
    assert 0 < len(compiled_files) <= 20, "an MLP compiles at most about twenty variants"


def test_a_result_file_tells_how_it_was_trained(tmp_path):
    result = tt.lottery.find(
        "mlp-20-16-4", (X, Y), rounds=1, iterations=5, trials=1, validation=20, batch_size=16, prune=0.5
    )
    dense, ticket = result.trials[0].rounds
    assert json.dumps(dense.plan) == json.dumps({"mode": "compiled", "kernels": dict.fromkeys(dense.masks, "dense")})
    assert ticket.plan["mode"] == "compiled"


def test_compiled_and_eager_experiments_agree_statistically():
    settings = {"rounds": 2, "iterations": 60, "trials": 2, "validation": 20, "batch_size": 16, "evaluate_every": 10}
    runs = [tt.lottery.find("mlp-20-16-4", (X, X[:, :4].argmax(1)), eager=eager, **settings) for eager in (False, True)]
    finals = [np.mean([r.history["validation_loss"][-1] for t in run.trials for r in t.rounds]) for run in runs]
    assert finals[0] == pytest.approx(finals[1], rel=0.05)
