"""Logits of fully-connected networks against the same in float64."""

import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.mlp.test_step import network
from tinyticket.compiler.mlp import predict as module
from tinyticket.compiler.mlp.step import MLPStep
from tinyticket.errors import InputError


def program(weights, biases, masks, batch_size, sparse_below=0.8, threads=None):
    """Return a program filled with weights; layers below a density run sparse."""
    masks = [None] * len(weights) if masks is None else masks
    sparse = [mask is not None and bool(mask.mean() < sparse_below) for mask in masks]
    shapes = [w.shape for w in weights]
    made = MLPStep(shapes, masks, sparse, [True] * len(weights), batch_size=batch_size, rule="sgd", threads=threads)
    made.write([([w], [b]) for w, b in zip(weights, biases, strict=True)])
    return made


def in_float64(weights, biases, masks, x):
    x = x.astype(np.float64)
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        x = x @ (w if masks is None else w * masks[i]).astype(np.float64).T + b
        x = x if i == len(weights) - 1 else np.maximum(x, 0)
    return x


def inputs(count, features, seed=7):
    return np.random.default_rng(seed).standard_normal((count, features)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([1, 2, 10, 16, 31, 70]), min_size=2, max_size=5),
    density=st.sampled_from([None, 0.0, 0.1, 0.5, 1.0]),
    batch_size=st.sampled_from([1, 16, 20, 60, 100]),
    count=st.sampled_from([0, 1, 2, 15, 16, 17, 64, 65, 200]),
    sparse_below=st.sampled_from([0.0, 0.7, 1.1]),
)
def test_logits_agree_with_float64_and_depend_on_neither_threads_nor_company(
    sizes, density, batch_size, count, sparse_below
):
    weights, biases, masks = network(sizes, density)
    x = inputs(count, sizes[0])
    worth, module.WORTH_THREADS = module.WORTH_THREADS, 1  # so that two threads are used wherever there are two tiles
    try:
        one, two = (program(weights, biases, masks, batch_size, sparse_below, threads) for threads in (1, 2))
    finally:
        module.WORTH_THREADS = worth
    logits = two.predict(x)
    assert logits.dtype == np.float32
    assert logits.shape == (count, sizes[-1])
    np.testing.assert_allclose(logits, in_float64(weights, biases, masks, x), rtol=1e-4, atol=1e-5)
    assert logits.tobytes() == one.predict(x).tobytes()
    for part in (slice(0, 1), slice(count // 2, None)):
        assert two.predict(x[part]).tobytes() == logits[part].tobytes()
    assert program(weights, biases, masks, 1, sparse_below).predict(x).tobytes() == logits.tobytes()


def test_few_samples_are_left_to_one_thread(monkeypatch):
    opened = []
    monkeypatch.setattr(module, "predict", lambda told, x, logits, threads: opened.append((len(x), threads)))
    weights, biases, masks = network([784, 300, 100, 10], 0.05)
    predict = program(weights, biases, masks, 128, threads=2).predict
    for count in (0, 1, 64, 128, 1000):
        predict(inputs(count, 784))
    assert opened == [(0, 1), (1, 1), (64, 1), (128, 2), (1000, 2)]
    small = program(*network([10, 10, 4], None), 16, threads=2).predict
    small(inputs(160, 10))
    assert opened[-1] == (160, 1)


def test_threads_that_are_not_to_be_had_are_done_without():
    weights, biases, masks = network([300, 300, 10], 0.5)
    predict = program(weights, biases, masks, 64, threads=2).predict
    x = inputs(300, 300)
    want = predict(x)
    numba.set_num_threads(1)
    try:
        assert predict(x).tobytes() == want.tobytes()
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


@pytest.mark.parametrize("classes", [1, 10, 16, 33])
def test_nothing_beside_the_logits_is_touched(classes):
    weights, biases, masks = network([20, 18, classes], 0.3)
    x = inputs(37, 20)
    made = program(weights, biases, masks, 20)
    around = np.full((41, classes), np.float32(-7))
    module.predict(made.predict._told, x, around[2:-2], 1)
    assert around[2:-2].tobytes() == made.predict(x).tobytes()
    assert (around[[0, 1, -2, -1]] == -7).all()


def test_a_mask_that_moves_in_place_is_seen():
    weights, biases, masks = network([20, 18, 4], 0.3)
    x, made = inputs(5, 20), program(weights, biases, masks, 16, sparse_below=1.1)
    made.predict(x)
    mask = masks[0].copy()
    mask[:, :10], mask[:, 10:] = masks[0][:, 10:], masks[0][:, :10]
    assert made.change_mask(0, mask)
    left = [weights[0] * (mask & masks[0]), weights[1]]
    np.testing.assert_allclose(made.predict(x), in_float64(left, biases, masks, x), rtol=1e-4, atol=1e-5)


def test_whatever_holds_the_numbers_is_taken_and_compiles_nothing():
    weights, biases, masks = network([20, 18, 4], 0.3)
    predict = program(weights, biases, masks, 16).predict
    x = inputs(21, 20)
    want, variants = predict(x), len(module.predict.signatures)
    still = x.copy()
    still.flags.writeable = False
    odd = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    odd[:] = x
    for same in (still, odd, x.astype(">f4"), x.astype(np.float64), np.asfortranarray(x), x.reshape(21, 4, 5)):
        assert predict(same).tobytes() == want.tobytes()
    assert predict(np.repeat(x, 2, axis=0)[::2]).tobytes() == want.tobytes()
    assert predict(np.ones((2, 20), np.int64)).tobytes() == predict(np.ones((2, 20), np.float32)).tobytes()
    assert len(module.predict.signatures) == variants


@pytest.mark.parametrize("shape", [(), (20,), (3, 19), (3, 4, 4), (0, 21)])
def test_another_shape_is_refused_with_the_one_that_is_expected(shape):
    predict = program(*network([20, 18, 4], 0.3), 16).predict
    with pytest.raises(
        InputError, match=r"of shape \(N, 20\), not " + str(shape).replace("(", r"\(").replace(")", r"\)")
    ):
        predict(np.zeros(shape, np.float32))


def test_a_call_leaves_nothing_behind():
    predict, x = program(*network([784, 300, 10], 0.1), 16).predict, inputs(16, 784)
    predict(x)
    tracemalloc.start()
    for _ in range(100):
        predict(x)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in range(100):
        predict(x)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert now - before < 2_000
    assert peak - before < 20_000, "the examples alone have 50,000 bytes"
