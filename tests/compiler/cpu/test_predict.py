"""Predictions on the CPU against double precision, whatever holds the numbers and however many are asked for."""

import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.compiling import nothing_compiled
from tests.compiler.cpu.plain_walk import Steady, walking
from tests.compiler.cpu.steps import cpu_step, in_float64
from tests.compiler.networks import ACTIVATIONS, CLASSES, architectures, examples, masked, mlp, network
from tinyticket.compiler.cpu import program, programs
from tinyticket.compiler.cpu import step as module
from tinyticket.compiler.cpu.walk import Walk
from tinyticket.errors import InputError
from tinyticket.kernels.cpu.job import places

IMAGES = (3, 8, 8)
MODELS = {
    "features": (lambda: masked(mlp(20, 18, CLASSES), 0.3), (20,)),
    "images": (lambda: masked(network(("conv3", "norm relu", "max"), "linear", IMAGES), 0.3), IMAGES),
}


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([1, 2, 10, 16, 31, 70]), min_size=1, max_size=4),
    classes=st.sampled_from([1, 10, 16, 33]),
    activations=st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=1, max_size=3),
    density=st.sampled_from([None, 0.0, 0.1, 0.5, 1.0]),
    kernels=st.sampled_from(["dense", "sparse", "mixed"]),
    batch_size=st.sampled_from([1, 16, 20, 60, 100]),
    count=st.sampled_from([0, 1, 2, 15, 16, 17, 64, 65, 200]),
)
def test_logits_of_linear_layers_agree_with_double_precision(
    sizes, classes, activations, density, kernels, batch_size, count
):
    model = mlp(*sizes, classes, activations=activations)
    if density is not None:
        masked(model, density)
    x = examples(sizes[:1], count)[0]
    logits = cpu_step(model, sizes[:1], kernels=kernels, batch_size=batch_size).predict(x)
    assert logits.dtype == np.float32
    assert logits.shape == (count, classes)
    np.testing.assert_allclose(logits, in_float64(model).predict(x), rtol=1e-5, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    architecture=architectures(),
    kernels=st.sampled_from(["dense", "sparse", "mixed"]),
    batch_sizes=st.tuples(*2 * [st.sampled_from([1, 16, 20, 40, 64, 100])]),
    count=st.sampled_from([1, 2, 15, 16, 17, 64, 65, 150]),
)
def test_logits_depend_on_no_threads_no_batch_size_and_no_company(architecture, kernels, batch_sizes, count):
    model, shape = architecture
    x, results = examples(shape, count)[0], []
    # So that two threads are used wherever there are two tiles, and those of a batch stay together or go apart.
    for threads, small, apart, batch_size in (
        (1, 1, 1 << 20, batch_sizes[0]),
        (2, 1, 1 << 20, batch_sizes[1]),
        (2, 1, -1, 20),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(programs, "SMALL", small)
            patch.setattr(programs, "APART", apart)
            step = cpu_step(model, shape, kernels=kernels, batch_size=batch_size, threads=threads)
        logits = step.predict(x)
        for part in (slice(0, 1), slice(count // 2, None), slice(count // 3, count // 3 + 16)):
            assert step.predict(x[part]).tobytes() == logits[part].tobytes()
        results.append(logits.tobytes())
    assert results[0] == results[1] == results[2]


def test_few_examples_of_networks_of_little_work_are_left_to_one_thread(monkeypatch):
    taken, walk, place = [], program.walk, places(Walk)["threads"]
    monkeypatch.setattr(program, "walk", lambda told: taken.append(int(told[place])) or walk(told))
    with walking(None, 2):
        large = cpu_step(masked(mlp(784, 300, 100, 10), 0.05), (784,), batch_size=128)
        middle, small = (
            cpu_step(mlp(100, 30, 10), (100,), batch_size=128),
            cpu_step(mlp(10, 10, 4), (10,), batch_size=16),
        )
        for step, count, threads in ((middle, 1, 1), (middle, 64, 1), (large, 1000, 2), (small, 160, 1)):
            taken[:] = [1]  # few examples do not come that way
            step.predict(np.zeros((count, step.graph.start.size), np.float32))
            assert taken[-1] == threads


class Guarded:
    """NumPy, whose new float32 arrays lie between rows that nobody may write."""

    def __init__(self):
        self.around = []

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype):
        self.around.append(np.full((shape[0] + 4, *shape[1:]), -7, dtype))
        return self.around[-1][2:-2]


@pytest.mark.parametrize("count", [1, 16, 37])
@pytest.mark.parametrize("classes", [1, 10, 16, 33])
def test_nothing_beside_the_logits_is_touched(classes, count, monkeypatch):
    step, x = cpu_step(mlp(20, 18, classes), (20,), batch_size=20), examples((20,), count)[0]
    want, guarded = step.predict(x), Guarded()
    monkeypatch.setattr(module, "np", guarded)
    assert step.predict(x).tobytes() == want.tobytes()
    [around] = guarded.around
    assert (around[[0, 1, -2, -1]] == -7).all()


@pytest.mark.parametrize("kind", MODELS)
def test_whatever_holds_the_numbers_is_taken_and_compiles_nothing(kind):
    make, shape = MODELS[kind]
    step, x = cpu_step(make(), shape), examples(shape, 21)[0]
    want = step.predict(x)
    assert step.predict(x[:2]).tobytes() == want[:2].tobytes()
    still = x.copy()
    still.flags.writeable = False
    odd = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    odd[:] = x
    for same in (still, odd, x.astype(">f4"), x.astype(np.float64), np.asfortranarray(x), x.reshape(21, -1)):
        for count in (21, 2):
            with nothing_compiled():
                assert step.predict(same[:count]).tobytes() == want[:count].tobytes()
    assert step.predict(np.repeat(x, 2, axis=0)[::2]).tobytes() == want.tobytes()
    ones = np.ones((2, *shape), np.int64)
    assert step.predict(ones).tobytes() == step.predict(ones.astype(np.float32)).tobytes()


@pytest.mark.parametrize("shape", [(), (20,), (3, 19), (3, 4, 4), (0, 21)])
def test_another_shape_is_refused_with_the_one_that_is_expected(shape):
    step = cpu_step(MODELS["features"][0](), (20,))
    words = f"predict takes examples of shape (20,), not an array of shape {shape}"
    with pytest.raises(InputError) as refusal:
        step.predict(np.zeros(shape, np.float32))
    assert str(refusal.value) == words


def test_a_mask_that_moves_in_place_is_seen():
    model, shape = masked(mlp(20, 18, CLASSES), 0.3), (20,)
    step, x = cpu_step(model, shape, kernels="sparse"), examples(shape, 5)[0]
    step.predict(x)
    weight = model.prunable()["0.weight"]
    before, mask = weight.mask, np.roll(weight.mask, 10, axis=1)
    assert step.change_masks({weight: mask}) == {weight}
    left = weight.data * (mask & before)
    weight.mask = mask
    weight.data = left
    np.testing.assert_allclose(step.predict(x), in_float64(model).predict(x), rtol=1e-5, atol=1e-5)


class InPieces(Steady):
    """One thread of several, and a look at the clock after every turn."""

    threads = 1

    def turns(self, most):
        return 1


@pytest.mark.parametrize("kind", MODELS)
def test_few_examples_after_many_are_read_from_their_own_beginning(kind, monkeypatch):
    make, shape = MODELS[kind]
    x = examples(shape, 150)[0]
    want = cpu_step(make(), shape, threads=1).predict(x)
    monkeypatch.setattr(programs, "SMALL", 1)
    with walking(None, 2):
        monkeypatch.setattr(program, "Pace", InPieces)
        step = cpu_step(make(), shape)
        for count in (150, 1, 40, 16, 150, 2, 2, 0, 1):
            assert step.predict(x[-count:] if count else x[:0]).tobytes() == want[150 - count :].tobytes()


@pytest.mark.parametrize("count", [1, 16, 60])
@pytest.mark.parametrize("kind", MODELS)
def test_a_call_leaves_nothing_behind(kind, count):
    make, shape = MODELS[kind]
    step, x = cpu_step(make(), shape), examples(shape, count)[0]
    tracemalloc.start()
    try:
        for _ in range(100):
            step.predict(x)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(100):
            step.predict(x)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now - before < 2_000
    assert peak - before < 5_000 + 4 * CLASSES * count


@pytest.mark.parametrize("count", [1, 16, 60])
@pytest.mark.parametrize("kind", MODELS)
def test_nothing_of_the_examples_is_kept(kind, count, monkeypatch):
    monkeypatch.setattr(programs, "SMALL", 1)  # so that sixty are as many as thousands
    make, shape = MODELS[kind]
    step, x = cpu_step(make(), shape), examples(shape, count)[0].reshape(count, -1).copy()
    step.predict(x)
    held = weakref.ref(x)
    del x
    assert held() is None
