"""Steps on sparse matrices have the bits of those on the same numbers as dense arrays, compiled and eager."""

import copy
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import tinyticket as tt
from tests.compiler.networks import CLASSES, OPTIMIZERS, compiled, masked, mlp, network, state
from tinyticket.compiler import EagerStep
from tinyticket.data import SparseInputs, from_arrays
from tinyticket.errors import InputError
from tinyticket.nn import BatchNorm1d, Linear, ReLU, Sequential

COUNT, FEATURES = 90, 40


def matrix(seed=0, features=FEATURES):
    return sparse.random_array((COUNT, features), density=0.1, format="csr", rng=seed, dtype=np.float32)


def normalised(seed=0):
    """Return a network that gathers features as images of one row."""
    rng = np.random.default_rng(seed)
    return Sequential(Linear(FEATURES, 20, rng=rng), BatchNorm1d(20), ReLU(), Linear(20, CLASSES, rng=rng))


def first_normalised(seed=0):
    return Sequential(BatchNorm1d(FEATURES), Linear(FEATURES, CLASSES, rng=seed))


MODELS = {"mlp": lambda: mlp(FEATURES, 24, 9, CLASSES), "normalised": normalised, "first": first_normalised}


def everything(step, source, x, batches):
    """Return the bytes of all that a step computes: of a data set, of a batch and of predictions."""
    losses = [step(source, batches[0]), step(x[batches[1]], Y[batches[1]]), *step.run(source, batches[2:])]
    gradients = [g.tobytes() for g in step.gradients(x[batches[0]], Y[batches[0]]).values()]
    held = [array.tobytes() for arrays in state(step).values() for array in arrays]
    predicted = [step.predict(x[:count]).tobytes() for count in (1, 17, COUNT)]
    return [losses, step.evaluate(source), gradients, held, predicted]


Y = np.random.default_rng(0).integers(0, CLASSES, COUNT)


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(sorted(MODELS)),
    density=st.sampled_from([None, 0.3]),
    kernels=st.sampled_from(["dense", "sparse"]),
    batch_size=st.sampled_from([5, 16, 70]),
    turns=st.sampled_from([None, "batch", "tiles"]),
    seed=st.integers(0, 99),
)
def test_compiled_steps(name, density, kernels, batch_size, turns, seed):
    model, x, rng = MODELS[name](), matrix(seed), np.random.default_rng(seed)
    if density is not None:
        masked(model, density)
    batches, found = rng.integers(0, COUNT, (5, batch_size)), []
    options = {"kernels": kernels if density else None, "turns": turns if name == "mlp" else None}
    for examples in (x.toarray(), x, SparseInputs(x)):
        for threads in (1, 2):
            step = compiled(copy.deepcopy(model), batch_size=batch_size, threads=threads, **options)
            given_x = x.tocsc() if examples is x else examples  # scipy's slices, SparseInputs' are dense
            found.append(everything(step, (given_x, Y), examples, batches))
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("name", MODELS)
def test_eager_steps(name):
    model, x = MODELS[name](), matrix()
    batches, found = np.random.default_rng(1).integers(0, COUNT, (5, 16)), []
    for examples in (x.toarray(), x, SparseInputs(x)):
        twin = copy.deepcopy(model)
        step = EagerStep(twin, OPTIMIZERS["adam"](twin.parameters()), threads=2)
        found.append(everything(step, (examples, Y), examples, batches))
    assert all(each == found[0] for each in found)


def test_data_sets_of_either_kind_may_take_turns():
    step, x = compiled(mlp(FEATURES, 9, CLASSES)), matrix()
    dense, held = from_arrays(x.toarray(), Y), from_arrays(x, Y)
    assert step.evaluate(held) == step.evaluate(dense) == step.evaluate(held)
    first = step.predict(x[:3]).tobytes()
    assert step.predict(x[:3].toarray()).tobytes() == first == step.predict(x[:3]).tobytes()
    with pytest.raises(InputError, match="indices must be from 0 to 71"):
        step(held, np.array([72]))


def test_a_model_that_tells_no_shape_learns_it_from_a_sparse_batch():
    x, model = matrix(), mlp(FEATURES, CLASSES)
    step = tt.compile(model, optimizer=tt.optim.SGD(model.parameters(), 0.1), batch_size=16)
    assert step(x[:16], Y[:16]) > 0


def test_the_whole_is_never_dense():
    wide = SparseInputs(sparse.random_array((400, 100_000), density=1e-4, format="csr", rng=0))  # dense: 160 MB
    y, model = np.arange(400) % 3, mlp(100_000, 2, 3)
    for eager in (False, True):
        optimizer = tt.optim.SGD(model.parameters(), 0.1)
        step = EagerStep(model, optimizer) if eager else tt.compile(model, optimizer=optimizer, batch_size=16)
        step.predict(wide.select(range(16)))  # what a step holds besides
        tracemalloc.start()
        step.run((wide, y), np.arange(64).reshape(4, 16))
        if not eager:
            step.evaluate((wide, y))
            step.predict(wide)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40e6


def test_what_is_refused():
    step = compiled(network(("conv3",), "linear", (1, 5, 8)), input_shape=(1, 5, 8))
    with pytest.raises(InputError, match=r"predict takes examples of shape \(1, 5, 8\)"):
        step.predict(matrix())
    step = compiled(mlp(FEATURES, CLASSES))
    with pytest.raises(InputError, match="holds inf at index"):
        step(sparse.csr_array(np.full((2, FEATURES), np.inf)), Y[:2])
    with pytest.raises(InputError, match="the network takes"):
        step(matrix(features=41), Y)
    with pytest.raises(InputError, match="one example at least"):
        step.evaluate((sparse.csr_array((0, FEATURES)), Y[:0]))
