"""Every kernel on packed features against its specification: shapes, densities, empty lines, odd batches, numbers of threads."""

import inspect
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.threads import one_and_two_threads
from tinyticket.errors import InputError
from tinyticket.kernels import cpu, reference
from tinyticket.kernels.cpu.arguments import even_bounds
from tinyticket.kernels.cpu.feed import Feed
from tinyticket.kernels.cpu.gather import GatherLabels, Unpack
from tinyticket.kernels.cpu.job import run
from tinyticket.kernels.cpu.linear import MOST
from tinyticket.kernels.cpu.loss import CrossEntropy, CrossEntropyEval, StoreLosses, SumLosses
from tinyticket.kernels.cpu.sparse_linear import ReorderSurvivors
from tinyticket.kernels.geometry import Shape
from tinyticket.sparse import Pattern, Slices

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
    return (
        mask,
        weight,
        rng.standard_normal(outputs).astype(np.float32),
        cpu.pack(x, lanes),
        cpu.pack(dy, lanes),
        samples,
    )


def rows(packed):
    """Bring packed activations back to samples, padding included, in float64."""
    return cpu.unpack(packed, packed.shape[0] * packed.shape[2]).astype(np.float64)


def shares(count):
    """Yield several ways to cut so many outputs, one share among them."""
    return [even_bounds(count, chunks) for chunks in (1, 2, 5)]


def same(result, expected):
    """Agree to float32 rounding of sums of some hundred terms."""
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=2e-5)


@quick
@given(layers(), st.booleans())
def test_linear(layer, relu):
    _, weight, bias, x, _, _ = layer
    y = reference.linear(rows(x), weight, bias)
    same(rows(one_and_two_threads(cpu.linear, weight, bias, x, relu=relu)), np.maximum(y, 0) if relu else y)


@pytest.mark.parametrize(("inputs", "lanes"), [(40, 16), (40, 48), (40, 64), (MOST + 30, 64)])
def test_inputs_that_are_zero_in_all_samples_change_no_bit(inputs, lanes):
    rng, absent = np.random.default_rng(inputs + lanes), np.arange(inputs) % 5 < 2
    x, weight = rng.standard_normal((64, inputs)).astype(np.float32), rng.standard_normal((7, inputs))
    x[:, absent], x[:, 3], bias = 0, -0.0, np.ones(7)
    left = ~absent & (np.arange(inputs) != 3)
    y = cpu.linear(weight, bias, cpu.pack(x, lanes))
    np.testing.assert_array_equal(y, cpu.linear(weight[:, left], bias, cpu.pack(x[:, left], lanes)))
    dx = cpu.linear_input_gradient(weight.T, cpu.pack(np.ones((64, 7)), lanes), cpu.pack(x, lanes))
    shorter = cpu.pack(x[:, left], lanes)
    np.testing.assert_array_equal(
        dx, cpu.linear_input_gradient(weight.T[left], cpu.pack(np.ones((64, 7)), lanes), shorter)
    )


@quick
@given(layers(), st.booleans())
def test_linear_gradients(layer, is_relu_output):
    _, weight, _, x, dy, samples = layer
    dx = reference.linear_input_gradient(rows(dy), weight)
    same(
        rows(one_and_two_threads(cpu.linear_input_gradient, weight, x, dy, x_is_relu_output=is_relu_output)),
        np.where(rows(x) <= 0, 0, dx) if is_relu_output else dx,
    )
    by_sample = one_and_two_threads(cpu.transpose_samples, x)
    np.testing.assert_array_equal(by_sample, np.pad(rows(x), ((0, 0), (0, -weight.shape[1] % 16))))
    same(
        one_and_two_threads(cpu.linear_weight_gradient, by_sample, dy, samples, weight.shape[1]),
        reference.linear_weight_gradient(rows(dy)[:samples], rows(x)[:samples]),
    )
    same(one_and_two_threads(cpu.linear_bias_gradient, dy), reference.linear_bias_gradient(rows(dy)))


@quick
@given(layers(), st.booleans(), st.sampled_from([None, 1, 3]), st.booleans())
def test_sparse_linear(layer, relu, blocks, by_block):
    mask, weight, bias, x, dy, _ = layer
    pattern = Pattern.from_mask(mask, x.shape[2], row_blocks=blocks, column_blocks=blocks, by_block=by_block)
    values = pattern.values(weight)
    expected, y = reference.linear(rows(x), weight, bias), cpu.sparse_linear(pattern, values, bias, x, relu=relu)
    same(rows(y), np.maximum(expected, 0) if relu else expected)
    assert one_and_two_threads(cpu.sparse_linear, pattern, values, bias, x, relu=relu).tobytes() == y.tobytes()
    slices = Slices(mask.shape, np.append(0, mask.sum(axis=1).cumsum()), mask.nonzero()[1])
    given, alone = (slices, slices.by_slice(weight[mask]), bias), cpu.unpack(x, 1)[0]
    one = one_and_two_threads(cpu.sparse_linear_single, *given, alone, relu=relu)
    assert one.tobytes() == cpu.unpack(y, 1).tobytes(), "a single sample has the bits of a batch's"
    dx, slopes = one_and_two_threads(
        cpu.sparse_linear_gradient, pattern, pattern.by_column(values), x, dy, x_is_relu_output=relu
    )
    expected = reference.linear_input_gradient(rows(dy), weight)
    same(rows(dx), np.where(rows(x) <= 0, 0, expected) if relu else expected)
    dense = reference.linear_weight_gradient(rows(dy), rows(x))
    same(slopes, pattern.by_column(pattern.values(dense)))
    same(one_and_two_threads(cpu.sparse_linear_weight_gradient, pattern, x, dy), pattern.values(dense))


@quick
@given(layers())
def test_reorder_survivors(layer):
    mask, weight, _, _, _, _ = layer
    pattern = Pattern.from_mask(mask, 16)
    for bounds in shares(pattern.count):
        by_row = np.zeros(pattern.count, np.float32)
        run(ReorderSurvivors(weight.T[mask.T], by_row, pattern.to_column), bounds)
        np.testing.assert_array_equal(by_row, weight[mask])


@st.composite
def batches_of_logits(draw):
    """Yield packed logits, whose padding holds anything, the labels, and the logits sample by sample."""
    samples, classes = draw(st.sampled_from([1, 16, 50, 64, 130])), draw(st.sampled_from([1, 2, 10, 33]))
    scale, lanes = draw(st.sampled_from([0.1, 3, 60])), draw(st.sampled_from([None, 16, 48]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    z = (rng.standard_normal((samples, classes)) * scale).astype(np.float32)
    logits = cpu.pack(z, lanes)
    logits[-1, :, -1] = np.nan if samples < logits.shape[0] * logits.shape[2] else 0  # padding must not matter
    return logits, rng.integers(0, classes, samples)


@quick
@given(batches_of_logits())
def test_cross_entropy(batch):
    logits, labels = batch
    samples = len(labels)
    loss, correct, gradient = one_and_two_threads(cpu.cross_entropy, logits, labels)
    used = rows(logits)[:samples]
    logs = reference.log_softmax(used)
    assert loss == pytest.approx(reference.cross_entropy(logs, labels).mean(), rel=1e-5, abs=1e-6)
    assert correct == (used.argmax(axis=1) == labels).sum()
    expected = np.zeros(rows(gradient).shape)
    expected[:samples] = reference.cross_entropy_gradient(logs, labels, 1 / samples)
    np.testing.assert_allclose(rows(gradient), expected, rtol=1e-5, atol=1e-7)


@quick
@given(batches_of_logits())
def test_cross_entropy_eval_has_the_losses_of_cross_entropy(batch):
    logits, labels = batch
    tiles, classes, lanes = logits.shape
    places, shape, feed = np.zeros(tiles * lanes, np.float32), Shape(tiles, classes, classes, lanes), Feed(len(labels))
    places[: len(labels)] = labels
    losses, hits = np.full((2, places.size), 7, np.float32)
    run(CrossEntropy(logits, places, np.empty_like(logits), losses, hits, shape, feed), shares(places.size // 16)[0])
    assert not losses[len(labels) :].any()
    for bounds in shares(places.size // 16):
        found = np.full((2, places.size), 7, np.float32)
        run(CrossEntropyEval(logits, places, 0, *found, shape, feed), bounds)
        np.testing.assert_array_equal(found.view(np.uint32), np.stack([losses, hits]).view(np.uint32))


@pytest.mark.parametrize("samples", [0, 1, 17, 64])
def test_sum_losses_adds_the_samples_alone_in_their_order_and_store_losses_leaves_them_so(samples):
    rng = np.random.default_rng(samples)
    losses, hits = rng.standard_normal(64).astype(np.float32), (rng.random(64) < 0.5).astype(np.float32)
    loss = correct = 0.0
    for one, hit in zip(losses[:samples].tolist(), hits[:samples].tolist(), strict=True):
        loss, correct = loss + one, correct + hit
    for bounds in (np.array([0, 1]), np.array([0, 1, 2, 3])):
        results = np.full(3, np.nan)
        run(SumLosses(losses, hits, Feed(samples, results=results)), bounds)
        np.testing.assert_array_equal(results, [loss, correct, np.nan])
        results = np.full(2 * samples + 1, np.nan)
        run(StoreLosses(losses, hits, Feed(samples, results=results)), bounds)
        np.testing.assert_array_equal(results, [*np.stack([losses, hits], 1)[:samples].ravel(), np.nan])


def slots_of(rule, weights, kind=np.float32):
    """Return the slots that an optimizer starts with."""
    return tuple(np.zeros(weights.shape, kind) for _ in range({"sgd": 0, "adam": 2}.get(rule, 1)))


def stepped(rule, state, gradient, step, lr, weight_decay, mask=None, momentum=0.9):
    """Take an optimizer's step as the reference does, in place."""
    weights, *slots = state
    if rule == "adam":
        reference.adam_update(weights, gradient, *slots, step, lr, weight_decay=weight_decay)
    else:
        velocity, momentum = (None, 0.0) if rule == "sgd" else (slots[0], momentum)
        reference.sgd_update(weights, gradient, velocity, lr, momentum, weight_decay, rule == "nesterov")
    if mask is not None:
        for array in state:
            array[~mask] = 0


@quick
@given(st.sampled_from(RULES), st.sampled_from([1, 15, 16, 33, 200]), st.booleans(), st.sampled_from([0, 1e-2]))
def test_optimizer_step(rule, size, masked, weight_decay):
    rng = np.random.default_rng(size)
    mask = rng.random(size) < 0.5 if masked else None
    weights = rng.standard_normal(size).astype(np.float32) * (1 if mask is None else mask)
    runs = [[weights.astype(kind), *slots_of(rule, weights, kind)] for kind in (np.float32, np.float32, np.float64)]
    for step in range(1, 6):
        gradient = rng.standard_normal(size).astype(np.float32)
        scalars = cpu.scalars_of(rule, step, 0.01, momentum=0.9, weight_decay=weight_decay)
        for state, threads in zip(runs[:2], (1, 2), strict=True):
            cpu.optimizer_step(rule, scalars, state[0], tuple(state[1:]), gradient, mask=mask, threads=threads)
        stepped(rule, runs[2], gradient, step, 0.01, weight_decay, mask)
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
    reference.l1_gradient(weights, results[2], strength)
    for gradient in results:
        np.testing.assert_array_equal(gradient, np.array(slow, np.float32))


@pytest.mark.parametrize("rule", RULES)
def test_optimizer_step_agrees_with_pytorch(torch, rule):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(100).astype(np.float32)
    parameter = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    if rule == "adam":
        peer = torch.optim.Adam([parameter], lr=1e-2, weight_decay=1e-3)
    else:
        momentum = 0.0 if rule == "sgd" else 0.9
        peer = torch.optim.SGD([parameter], lr=1e-2, momentum=momentum, weight_decay=1e-3, nesterov=rule == "nesterov")
    slots = slots_of(rule, weights)
    for step in range(1, 20):
        gradient = rng.standard_normal(100).astype(np.float32)
        parameter.grad = torch.from_numpy(gradient.copy())
        peer.step()
        scalars = cpu.scalars_of(rule, step, 1e-2, momentum=0.9, weight_decay=1e-3)
        cpu.optimizer_step(rule, scalars, weights, slots, gradient)
    np.testing.assert_allclose(weights, parameter.detach().numpy(), rtol=2e-5, atol=2e-6)


@quick
@given(layers(), st.sampled_from(RULES), st.booleans())
def test_linear_update_is_gradient_then_step(layer, rule, masked):
    mask, weight, _, x, dy, samples = layer
    kept = mask if masked else None
    by_sample = cpu.transpose_samples(x)
    scalars = cpu.scalars_of(rule, 1, 0.01, momentum=0.9)
    separate = [weight.copy(), *slots_of(rule, weight)]
    gradient = cpu.linear_weight_gradient(by_sample, dy, samples, weight.shape[1])
    cpu.optimizer_step(rule, scalars, separate[0], tuple(separate[1:]), gradient, mask=kept)
    for threads in (1, 2):
        state = [weight.copy(), *slots_of(rule, weight)]
        arguments = tuple(state[1:]), by_sample, dy, samples
        cpu.linear_update(rule, scalars, state[0], *arguments, mask=kept, threads=threads)
        for fused, apart in zip(state, separate, strict=True):
            np.testing.assert_array_equal(fused, apart)


@quick
@given(st.sampled_from([1, 15, 16, 60, 130]), st.sampled_from([1, 16, 17, 50]), st.sampled_from([16, 64]))
def test_gather(samples, features, lanes):
    rng = np.random.default_rng(samples)
    data = rng.standard_normal((200, features)).astype(np.float32)
    indices = rng.integers(0, 200, samples)
    for sample_major in (False, True):
        x, by_sample = zip(
            *(cpu.gather(data, indices, lanes=lanes, sample_major=sample_major, threads=n) for n in (1, 2)), strict=True
        )
        for packed in x:
            np.testing.assert_array_equal(packed, cpu.pack(data[indices], lanes))
        for copied in by_sample:
            if sample_major:
                np.testing.assert_array_equal(copied[:samples], np.pad(data[indices], ((0, 0), (0, -features % 16))))
            else:
                assert copied is None


def test_pixels_are_divided_exactly():
    pixels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    x, by_sample = cpu.gather(pixels, np.arange(8), sample_major=True)
    np.testing.assert_array_equal(x, cpu.pack(pixels / np.float32(255), 16))
    np.testing.assert_array_equal(by_sample[:8], pixels / np.float32(255))
    odd = np.arange(250, dtype=np.uint8).reshape(10, 25)
    chosen = np.array([9, 0, 9, 3])
    np.testing.assert_array_equal(cpu.gather(odd, chosen, threads=2)[0], cpu.pack(odd[chosen] / np.float32(255), 16))


def test_read_only_data_is_gathered_from_where_it_is():
    data, indices = np.arange(60, dtype=np.float32).reshape(6, 10), np.array([5, 0])
    data.flags.writeable = indices.flags.writeable = False
    np.testing.assert_array_equal(cpu.unpack(cpu.gather(data, indices)[0], 2), data[indices])


@pytest.mark.parametrize("samples", [1, 16, 30, 70])
def test_gather_labels_repeats_the_last_in_padding(samples):
    rng = np.random.default_rng(samples)
    known, indices = rng.integers(0, 10, 200).astype(np.float32), rng.integers(0, 200, samples)
    expected = np.pad(known[indices], (0, 80 - samples), mode="edge")
    for bounds in shares(5):
        labels = np.full(81, np.nan, np.float32)
        run(GatherLabels(labels, Feed(samples, labels=known, indices=indices)), bounds)
        np.testing.assert_array_equal(labels, np.append(expected, np.float32(np.nan)))


@quick
@given(st.integers(1, 150), st.integers(1, 40), st.sampled_from([None, 16, 48, 80]))
def test_unpack_logits(samples, classes, lanes):
    x = np.random.default_rng(0).standard_normal((samples, classes)).astype(np.float32)
    packed = cpu.pack(x, lanes)
    packed[-1, :, (samples - 1) % packed.shape[2] + 1 :] = np.nan
    shape = Shape(packed.shape[0], classes, classes, packed.shape[2])
    for bounds in shares(shape.tiles):
        logits = np.full((samples + 1, classes), np.inf, np.float32)
        run(Unpack(packed, shape, Feed(samples, logits=logits)), bounds)
        np.testing.assert_array_equal(logits[:-1], x)
        assert np.isinf(logits[-1]).all(), "nothing is written beyond the samples"


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
        cpu.linear(weight, bias, packed, relu=True),
        cpu.sparse_linear(pattern, weight.ravel(), bias, packed, relu=True),
    ):
        np.testing.assert_array_equal(np.isnan(cpu.unpack(y, 4)), [[False] * 3, [True] * 3, [False] * 3, [False] * 3])
        loss, _, gradient = cpu.cross_entropy(y, np.zeros(4, np.int64))
        assert np.isnan(loss)
        assert np.isnan(gradient[0, :, 1]).all()
        assert np.isnan(cpu.sparse_linear_weight_gradient(pattern, packed, gradient)).any()
        fused = cpu.sparse_linear_gradient(pattern, weight.T.ravel(), packed, gradient, x_is_relu_output=True)
        assert np.isnan(fused[1]).any()
        assert np.isnan(cpu.linear_input_gradient(weight, packed, gradient, x_is_relu_output=True)).any()
    for rule in RULES:
        weights = np.ones(20, np.float32)
        cpu.optimizer_step(rule, cpu.scalars_of(rule, 1, 0.1), weights, slots_of(rule, weights), x[1])
        np.testing.assert_array_equal(np.isnan(weights), np.isnan(x[1]))


def test_any_array_is_brought_into_the_one_signature():
    weight = np.arange(12.0).reshape(4, 3).T  # float64, Fortran order
    weight.flags.writeable = False
    x = cpu.pack(np.ones((2, 4)))
    y = cpu.linear(weight, [0, 0, 0], x)
    same(rows(y), reference.linear(rows(x), weight, np.zeros(3)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cpu.linear(np.ones((3, 5)), np.ones(3), cpu.pack(np.ones((2, 4)))), "4 features, but 5"),
        (lambda: cpu.linear(np.ones((3, 4)), np.ones(2), cpu.pack(np.ones((2, 4)))), "bias has shape"),
        (lambda: cpu.linear(np.ones((3, 4)), np.ones(3), np.ones((2, 4))), "packed as"),
        (lambda: cpu.cross_entropy(cpu.pack(np.ones((2, 4))), np.array([0, 4])), "from 0 to 3"),
        (lambda: cpu.cross_entropy(cpu.pack(np.ones((2, 4))), np.zeros(17, int)), "at most 16"),
        (lambda: cpu.gather(np.ones((5, 2)), np.array([5])), "from 0 to 4"),
        (lambda: cpu.scalars_of("adan", 1, 0.1), "did you mean 'adam'"),
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


def test_the_table_lists_every_function_with_the_arguments_it_needs():
    def needed(name):
        parameters = inspect.signature(getattr(cpu, name)).parameters.values()
        options = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD
        return ", ".join(p.name for p in parameters if p.default is p.empty and p.kind not in options)

    listed = re.findall(r"(\w+)\(([\w, ]*)\)", "\n".join(re.findall(r"^      .*$", cpu.__doc__, re.M)))
    assert sorted(listed) == [(name, needed(name)) for name in cpu.__all__]
