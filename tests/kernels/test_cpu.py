"""Every packed kernel against its specification, over shapes, densities, empty lines, odd batches and numbers of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.threads import one_and_two_threads
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.reference import l1_gradient
from tinyticket.kernels.reference import packed as reference
from tinyticket.sparse import Pattern

quick = settings(max_examples=25, deadline=None)
RULES = ("sgd", "momentum", "nesterov", "adam")


@st.composite
def layers(draw):
    """Yield a batch's input, a masked weight, a bias and an upstream gradient, with sizes on both sides of every tile."""
    samples = draw(st.sampled_from([1, 5, 16, 17, 40, 60, 70, 130]))
    inputs, outputs = draw(st.sampled_from([1, 3, 15, 16, 33, 120])), draw(st.sampled_from([1, 2, 6, 10, 31]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    mask = rng.random((outputs, inputs)) < draw(st.sampled_from([0.0, 0.02, 0.2, 0.7, 1.0]))
    mask[rng.random(outputs) < 0.2] = False
    mask[:, rng.random(inputs) < 0.2] = False
    weight = (rng.standard_normal(mask.shape) * mask).astype(np.float32)
    x = np.maximum(rng.standard_normal((samples, inputs)), 0).astype(np.float32)
    dy = rng.standard_normal((samples, outputs)).astype(np.float32)
    lanes = draw(st.sampled_from([None, 16, 48, 64, 128]))
    return mask, weight, rng.standard_normal(outputs).astype(np.float32), cpu.pack(x, lanes), cpu.pack(dy, lanes), x


def same(result, expected):
    """Agree to float32 rounding of sums of some hundred terms."""
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=2e-5)


@quick
@given(layers(), st.booleans())
def test_dense_layer(layer, relu):
    _, weight, bias, x, dy, rows = layer
    same(
        one_and_two_threads(cpu.dense_linear, weight, bias, x, relu=relu),
        reference.dense_linear(weight, bias, x, relu=relu),
    )
    same(
        one_and_two_threads(cpu.dense_input_gradient, weight, x, dy, relu=relu),
        reference.dense_input_gradient(weight, x, dy, relu=relu),
    )
    by_sample = one_and_two_threads(cpu.transpose_samples, x)
    np.testing.assert_array_equal(by_sample, reference.transpose_samples(x))
    arguments = by_sample, dy, len(rows), weight.shape[1]
    same(one_and_two_threads(cpu.dense_weight_gradient, *arguments), reference.dense_weight_gradient(*arguments))
    same(one_and_two_threads(cpu.bias_gradient, dy), reference.bias_gradient(dy))


@quick
@given(layers(), st.booleans(), st.sampled_from([None, 1, 3]))
def test_sparse_layer(layer, relu, blocks):
    mask, weight, bias, x, dy, _ = layer
    pattern = Pattern.from_mask(mask, x.shape[2], row_blocks=blocks, column_blocks=blocks)
    values, by_column = weight[mask], weight.T[mask.T]
    same(
        one_and_two_threads(cpu.sparse_linear, pattern, values, bias, x, relu=relu),
        reference.sparse_linear(pattern, values, bias, x, relu=relu),
    )
    dx, gradient = one_and_two_threads(cpu.sparse_linear_backward, pattern, by_column, x, dy, relu=relu)
    expected = reference.sparse_linear_backward(pattern, by_column, x, dy, relu=relu)
    same(dx, expected[0])
    same(gradient, expected[1])
    alone = one_and_two_threads(cpu.sparse_weight_gradient, pattern, x, dy)
    same(alone, reference.sparse_weight_gradient(pattern, x, dy))


@quick
@given(
    st.sampled_from([1, 16, 50, 64, 130]),
    st.sampled_from([1, 2, 10, 33]),
    st.sampled_from([0.1, 3, 60]),
    st.integers(0, 99),
)
def test_softmax_cross_entropy(samples, classes, scale, seed):
    rng = np.random.default_rng(seed)
    logits = cpu.pack((rng.standard_normal((samples, classes)) * scale).astype(np.float32))
    logits[-1, :, -1] = np.nan if samples < logits.shape[0] * logits.shape[2] else 0  # padding must not matter
    labels = rng.integers(0, classes, samples)
    loss, correct, gradient = one_and_two_threads(cpu.softmax_cross_entropy, logits, labels)
    expected_loss, expected_correct, expected = reference.softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(expected_loss, rel=1e-5, abs=1e-6)
    assert correct == expected_correct
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


@quick
@given(st.sampled_from(RULES), st.sampled_from([1, 15, 16, 33, 200]), st.booleans(), st.sampled_from([0, 1e-2]))
def test_update(rule, size, masked, weight_decay):
    rng = np.random.default_rng(size)
    mask = rng.random(size) < 0.5 if masked else None
    weights = rng.standard_normal(size).astype(np.float32) * (1 if mask is None else mask)
    slots = {"sgd": 0, "adam": 2}.get(rule, 1)
    runs = [[weights.copy() for _ in range(1)] + [np.zeros(size, np.float32) for _ in range(slots)] for _ in range(3)]
    for step in range(1, 6):
        gradient = rng.standard_normal(size).astype(np.float32)
        scalars = cpu.settings(rule, step, 0.01, momentum=0.9, weight_decay=weight_decay)
        for run, threads in zip(runs[:2], (1, 2), strict=True):
            cpu.update(rule, scalars, run[0], tuple(run[1:]), gradient, mask=mask, threads=threads)
        reference.update(rule, scalars, runs[2][0], tuple(runs[2][1:]), gradient, mask=mask)
    for once, twice, expected in zip(*runs, strict=True):
        np.testing.assert_array_equal(once, twice)
        np.testing.assert_allclose(once, expected, rtol=1e-5, atol=1e-6)
        if mask is not None:
            assert not once[~mask].view(np.uint32).any(), "a pruned weight is +0.0 bit for bit"


@quick
@given(st.sampled_from([1, 15, 16, 33, 200]), st.sampled_from([1e-4, 0.5]))
def test_l1_gradient(size, strength):
    rng = np.random.default_rng(size)
    weights = rng.standard_normal(size).astype(np.float32) * (rng.random(size) < 0.7)
    before = rng.standard_normal(size).astype(np.float32)
    slow = [slope + np.float32(strength * np.sign(weight)) for slope, weight in zip(before, weights, strict=True)]
    results = [before.copy() for _ in range(3)]
    for gradient, threads in zip(results, (1, 2), strict=False):
        cpu.l1_gradient(weights, gradient, strength, threads=threads)
    l1_gradient(weights, results[2], strength)
    for gradient in results:
        np.testing.assert_array_equal(gradient, np.array(slow, np.float32))


@pytest.mark.parametrize("rule", RULES)
def test_update_agrees_with_pytorch(torch, rule):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(100).astype(np.float32)
    parameter = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    if rule == "adam":
        peer = torch.optim.Adam([parameter], lr=1e-2, weight_decay=1e-3)
    else:
        momentum = 0.0 if rule == "sgd" else 0.9
        peer = torch.optim.SGD([parameter], lr=1e-2, momentum=momentum, weight_decay=1e-3, nesterov=rule == "nesterov")
    slots = tuple(np.zeros_like(weights) for _ in range({"sgd": 0, "adam": 2}.get(rule, 1)))
    for step in range(1, 20):
        gradient = rng.standard_normal(100).astype(np.float32)
        parameter.grad = torch.from_numpy(gradient.copy())
        peer.step()
        scalars = cpu.settings(rule, step, 1e-2, momentum=0.9, weight_decay=1e-3)
        cpu.update(rule, scalars, weights, slots, gradient)
    np.testing.assert_allclose(weights, parameter.detach().numpy(), rtol=2e-5, atol=2e-6)


@quick
@given(layers(), st.sampled_from(RULES), st.booleans())
def test_dense_weight_update_is_gradient_then_update(layer, rule, masked):
    mask, weight, _, x, dy, rows = layer
    kept = mask if masked else None
    by_sample = cpu.transpose_samples(x)
    slots = [np.zeros_like(weight) for _ in range({"sgd": 0, "adam": 2}.get(rule, 1))]
    scalars = cpu.settings(rule, 1, 0.01, momentum=0.9)
    separate = [weight.copy(), *(slot.copy() for slot in slots)]
    gradient = cpu.dense_weight_gradient(by_sample, dy, len(rows), weight.shape[1])
    cpu.update(rule, scalars, separate[0], tuple(separate[1:]), gradient, mask=kept)
    for threads in (1, 2):
        state = [weight.copy(), *(slot.copy() for slot in slots)]
        cpu.dense_weight_update(
            rule, scalars, state[0], tuple(state[1:]), by_sample, dy, len(rows), mask=kept, threads=threads
        )
        for fused, apart in zip(state, separate, strict=True):
            np.testing.assert_array_equal(fused, apart)


@quick
@given(st.sampled_from([1, 15, 16, 60, 130]), st.sampled_from([1, 16, 17, 50]), st.sampled_from([16, 64]))
def test_gather(samples, features, lanes):
    rng = np.random.default_rng(samples)
    data = rng.standard_normal((200, features)).astype(np.float32)
    indices = rng.integers(0, 200, samples)
    x, _ = one_and_two_threads(lambda **options: (cpu.gather(data, indices, lanes=lanes, **options)[0], 0))
    np.testing.assert_array_equal(x, reference.gather(data, indices, lanes))
    by_sample = cpu.gather(data, indices, lanes=lanes, sample_major=True)[1]
    np.testing.assert_array_equal(by_sample[:samples], reference.transpose_samples(x)[:samples])


def test_pixels_are_divided_exactly():
    pixels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    x, by_sample = cpu.gather(pixels, np.arange(8), sample_major=True)
    np.testing.assert_array_equal(x, reference.gather(pixels, np.arange(8), 16))
    np.testing.assert_array_equal(by_sample[:8], reference.transpose_samples(x)[:8])
    odd = np.arange(250, dtype=np.uint8).reshape(10, 25)
    chosen = np.array([9, 0, 9, 3])
    np.testing.assert_array_equal(cpu.gather(odd, chosen, threads=2)[0], reference.gather(odd, chosen, 16))


@given(st.integers(1, 200), st.integers(1, 20), st.sampled_from([None, 16, 80]))
def test_unpack_undoes_pack(samples, features, lanes):
    x = np.random.default_rng(0).standard_normal((samples, features)).astype(np.float32)
    packed = cpu.pack(x, lanes)
    assert packed.ctypes.data % 64 == 0
    np.testing.assert_array_equal(cpu.unpack(packed, samples), x)


def test_nan_goes_through_every_kernel():
    weight = np.ones((3, 20), np.float32)
    x = np.ones((4, 20), np.float32)
    x[1, 7] = np.nan
    packed = cpu.pack(x)
    pattern = Pattern.from_mask(weight != 0, packed.shape[2])
    bias = np.zeros(3, np.float32)
    for y in (
        cpu.dense_linear(weight, bias, packed, relu=True),
        cpu.sparse_linear(pattern, weight.ravel(), bias, packed, relu=True),
    ):
        np.testing.assert_array_equal(np.isnan(cpu.unpack(y, 4)), [[False] * 3, [True] * 3, [False] * 3, [False] * 3])
        loss, _, gradient = cpu.softmax_cross_entropy(y, np.zeros(4, np.int64))
        assert np.isnan(loss)
        assert np.isnan(gradient[0, :, 1]).all()
        assert np.isnan(cpu.sparse_weight_gradient(pattern, packed, gradient)).any()
        assert np.isnan(cpu.sparse_linear_backward(pattern, weight.T.ravel(), packed, gradient, relu=True)[1]).any()
        assert np.isnan(cpu.dense_input_gradient(weight, packed, gradient, relu=True)).any()
    for rule in RULES:
        weights = np.ones(20, np.float32)
        slots = tuple(np.zeros(20, np.float32) for _ in range({"sgd": 0, "adam": 2}.get(rule, 1)))
        cpu.update(rule, cpu.settings(rule, 1, 0.1), weights, slots, x[1])
        np.testing.assert_array_equal(np.isnan(weights), np.isnan(x[1]))


def test_any_array_is_brought_into_the_one_signature():
    weight = np.arange(12.0).reshape(4, 3).T  # float64, Fortran order
    weight.flags.writeable = False
    x = cpu.pack(np.ones((2, 4)))
    y = cpu.dense_linear(weight, [0, 0, 0], x)
    same(y, reference.dense_linear(weight, np.zeros(3), x))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cpu.dense_linear(np.ones((3, 5)), np.ones(3), cpu.pack(np.ones((2, 4)))), "4 features, but 5"),
        (lambda: cpu.dense_linear(np.ones((3, 4)), np.ones(2), cpu.pack(np.ones((2, 4)))), "bias has shape"),
        (lambda: cpu.dense_linear(np.ones((3, 4)), np.ones(3), np.ones((2, 4))), "packed as"),
        (lambda: cpu.softmax_cross_entropy(cpu.pack(np.ones((2, 4))), np.array([0, 4])), "from 0 to 3"),
        (lambda: cpu.softmax_cross_entropy(cpu.pack(np.ones((2, 4))), np.zeros(17, int)), "at most 16"),
        (lambda: cpu.gather(np.ones((5, 2)), np.array([5])), "from 0 to 4"),
        (lambda: cpu.settings("adan", 1, 0.1), "did you mean 'adam'"),
        (
            lambda: cpu.sparse_linear(
                Pattern.from_mask(np.ones((3, 4), bool), 32), np.ones(12), np.ones(3), cpu.pack(np.ones((2, 4)))
            ),
            "16 lanes, but the pattern was built for 32",
        ),
    ],
)
def test_bad_arguments_get_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
