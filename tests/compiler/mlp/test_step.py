"""The compiled step against the same step written out in float64."""

import itertools
import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyticket.compiler.mlp.step import MLPStep
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.reference import packed as reference

RULES = ("sgd", "momentum", "nesterov", "adam")


def network(sizes, density, seed=0):
    """Draw weights, biases and masks; a density of None is no mask."""
    rng = np.random.default_rng(seed)
    shapes = [(o, i) for i, o in itertools.pairwise(sizes)]
    weights = [(rng.standard_normal(shape) * (2 / sum(shape)) ** 0.5).astype(np.float32) for shape in shapes]
    biases = [0.1 * rng.standard_normal(o).astype(np.float32) for o, _ in shapes]
    masks = None if density is None else [rng.random(shape) < density for shape in shapes]
    return weights, biases, masks


def examples(features, classes, pixels=False, count=200):
    rng = np.random.default_rng(7)
    x = rng.random((count, features), np.float32)
    return (np.rint(x * 255) / np.float32(255) if pixels else x).astype(np.float32), rng.integers(0, classes, count)


def train_in_float64(weights, biases, masks, x, y, batches, rule, **options):
    """Return losses, weights and biases after plain training."""
    kept = [np.ones(w.shape, bool) for w in weights] if masks is None else masks
    weights = [w.astype(float) * m for w, m in zip(weights, kept, strict=True)]
    biases = [b.astype(float) for b in biases]
    parameters = weights + biases
    slots = [[np.zeros_like(p) for _ in range({"sgd": 0, "adam": 2}.get(rule, 1))] for p in parameters]
    losses = []
    for step, batch in enumerate(batches, 1):
        acts = [x[batch].astype(float)]
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            z = acts[-1] @ w.T + b
            acts.append(np.maximum(z, 0) if i < len(weights) - 1 else z)
        z = acts[-1] - acts[-1].max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        rows = np.arange(len(batch))
        losses.append(-log_p[rows, y[batch]].mean())
        d = np.exp(log_p)
        d[rows, y[batch]] -= 1
        d /= len(batch)
        gradients = []
        for i in reversed(range(len(weights))):
            gradients.insert(0, (d.T @ acts[i] * kept[i], d.sum(axis=0)))
            if i:
                d = (d @ weights[i]) * (acts[i] > 0)
        scalars = cpu.settings(rule, step, **options)
        every = [g for g, _ in gradients] + [g for _, g in gradients]
        for p, s, g, m in zip(parameters, slots, every, [*kept, *[None] * len(biases)], strict=True):
            reference.update(rule, scalars, p, tuple(s), g, mask=m)
    return np.array(losses), weights, biases


class Steps:
    """A program with its learning rate, filled with weights; layers below a density run sparse."""

    def __init__(self, weights, biases, masks, *, sparse_below=0.8, learning_rate=1e-3, **options):
        shapes, self.learning_rate = [w.shape for w in weights], learning_rate
        masks = [None] * len(weights) if masks is None else masks
        sparse = [mask is not None and bool(mask.mean() < sparse_below) for mask in masks]
        self.program = MLPStep(shapes, masks, sparse, [True] * len(weights), **options)
        self.program.write([([w], [b]) for w, b in zip(weights, biases, strict=True)])
        self.bind, self.evaluate = self.program.bind, self.program.evaluate

    def __call__(self, data, indices):
        return self.program.step(data, indices, self.learning_rate)

    def weight(self, layer):
        return self.program.read(layer)[0][0]

    def bias(self, layer):
        return self.program.read(layer)[1][0]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([2, 10, 16, 31, 70]), min_size=2, max_size=4),
    st.sampled_from([None, 0.0, 0.1, 0.5, 1.0]),
    st.sampled_from([1, 20, 60, 100]),
    st.sampled_from(RULES),
    st.booleans(),
    st.sampled_from([0.0, 0.7, 1.1]),
)
def test_steps_agree_with_float64_and_do_not_depend_on_threads(sizes, density, batch, rule, pixels, sparse_below):
    weights, biases, masks = network(sizes, density)
    x, y = examples(sizes[0], sizes[-1], pixels)
    batches = np.random.default_rng(3).integers(0, len(x), (4, batch))
    options = {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 1e-3}
    losses, want_weights, want_biases = train_in_float64(weights, biases, masks, x, y, batches, rule, **options)
    steps = [
        Steps(weights, biases, masks, batch_size=batch, rule=rule, threads=t, sparse_below=sparse_below, **options)
        for t in (1, 2)
    ]
    for step in steps:
        got = [step(step.bind(x, y), indices) for indices in batches]
        np.testing.assert_allclose(got, losses, rtol=1e-4, atol=1e-5)
    for layer, (w, b) in enumerate(zip(want_weights, want_biases, strict=True)):
        np.testing.assert_array_equal(steps[0].weight(layer), steps[1].weight(layer))
        np.testing.assert_array_equal(steps[0].bias(layer), steps[1].bias(layer))
        if rule != "adam":  # whose first steps turn a gradient that is all rounding error into a full step
            np.testing.assert_allclose(steps[0].weight(layer), w, rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(steps[0].bias(layer), b, rtol=1e-3, atol=1e-4)
        if masks is not None:
            assert not steps[0].weight(layer)[~masks[layer]].view(np.uint32).any()


def lenet(threads=1, density=0.1, **options):
    weights, biases, masks = network([50, 40, 20, 10], density)
    step = Steps(weights, biases, masks, batch_size=60, threads=threads, **options)
    return step, step.bind(*examples(50, 10))


@pytest.mark.parametrize("hidden", [False, True])
def test_a_thread_that_never_comes_is_done_without(monkeypatch, hidden):
    batches = np.random.default_rng(0).integers(0, 200, (2, 60))
    alone, data = lenet(threads=1)
    pair, _ = lenet(threads=2)
    if hidden:  # from the step too: both halves of its parallel region fall to one thread, which waits and gives up
        monkeypatch.setattr("tinyticket.compiler.mlp.step.available_threads", lambda: 2)
    numba.set_num_threads(1)
    try:
        assert [pair(data, b) for b in batches] == [alone(data, b) for b in batches]
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


def test_a_step_allocates_no_arrays():
    weights, biases, masks = network([784, 300, 100, 10], 0.1)
    step = Steps(weights, biases, masks, batch_size=60)
    data, indices = step.bind(*examples(784, 10)), np.arange(60)
    step(data, indices)
    tracemalloc.start()
    for _ in range(100):
        step(data, indices)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in range(100):
        step(data, indices)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < 20_000, "a batch of inputs alone has 200,000 bytes"


def test_evaluation_is_that_of_the_same_network_for_any_threads():
    step, data = lenet(threads=2)
    alone, _ = lenet(threads=1)
    x, y = examples(50, 10)
    weights, biases = [step.weight(i) for i in range(3)], [step.bias(i) for i in range(3)]
    for w, b in zip(weights, biases, strict=True):
        x = x @ w.T + b if w is weights[-1] else np.maximum(x @ w.T + b, 0)
    loss, correct, _ = reference.softmax_cross_entropy(cpu.pack(x), y)
    score = step.evaluate(data)
    assert score == alone.evaluate(data)
    assert score.loss == pytest.approx(loss, rel=1e-5)
    assert (score.correct, score.examples) == (correct, 200)
    some = step.evaluate(data, np.arange(7))
    assert some.correct == (x[:7].argmax(axis=1) == y[:7]).sum()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("density", [None, 0.3])
def test_what_is_read_and_written_back_goes_on_as_if_nothing_had_happened(rule, density):
    batches = np.random.default_rng(0).integers(0, 200, (6, 60))
    straight, data = lenet(density=density, rule=rule, momentum=0.9)
    broken, _ = lenet(density=density, rule=rule, momentum=0.9)
    for indices in batches[:3]:
        straight(data, indices), broken(data, indices)
    other, _ = lenet(density=density, rule=rule, momentum=0.9)
    other.program.write([broken.program.read(i) for i in range(3)], steps_taken=3)
    assert [other(data, b) for b in batches[3:]] == [straight(data, b) for b in batches[3:]]
    np.testing.assert_array_equal(other.weight(1), straight.weight(1))


def test_a_layer_without_bias_keeps_none():
    weights, _, masks = network([50, 40, 10], 0.3)
    program = MLPStep([w.shape for w in weights], masks, [True, True], [False, True], batch_size=20)
    program.write([([w], []) for w in weights])
    data = program.bind(*examples(50, 10))
    for _ in range(3):
        program.step(data, np.arange(20), 0.01)
    assert not program.read(0)[1][0].any()
    assert program.read(1)[1][0].any()


def test_a_smaller_batch_is_the_mean_over_its_own_examples():
    small, data = lenet()
    weights, biases, masks = network([50, 40, 20, 10], 0.1)
    exact = Steps(weights, biases, masks, batch_size=7, threads=1)
    assert small(data, np.arange(7)) == pytest.approx(exact(exact.bind(*examples(50, 10)), np.arange(7)), rel=1e-6)
    np.testing.assert_allclose(small.weight(0), exact.weight(0), atol=1e-6)


def test_indices_beyond_the_data_are_refused_before_anything_happens():
    step, data = lenet()
    before = step.weight(0)
    with pytest.raises(InputError, match="from 0 to 199"):
        step(data, np.full(60, 200))
    with pytest.raises(InputError, match="from 0 to 199"):
        step.evaluate(data, np.array([-1]))
    with pytest.raises(InputError, match="compiled for 1 to 60"):
        step(data, np.arange(61))
    with pytest.raises(InputError, match="compiled for 1 to 60"):
        step(data, np.arange(0))
    with pytest.raises(InputError, match="labels must be from 0 to 9"):
        step.bind(np.zeros((2, 50)), [0, 10])
    np.testing.assert_array_equal(step.weight(0), before)
