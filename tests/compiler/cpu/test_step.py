"""Steps on the CPU against the same steps in double precision, and what they hold from call to call."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyticket as tt
from tests.compiler.cpu.steps import cpu_step, in_float64, rewind, state, streams, values
from tests.compiler.networks import (
    ACTIVATIONS,
    CLASSES,
    OPTIMIZERS,
    architectures,
    assert_one_update_agrees,
    examples,
    hand_over,
    masked,
    mlp,
    network,
)
from tinyticket.compiler.cpu import programs
from tinyticket.compiler.cpu import step as module
from tinyticket.compiler.network import Network
from tinyticket.data import Augmentation, Pixels, augment
from tinyticket.errors import InputError

IMAGES = (3, 8, 8)
DATA = examples(IMAGES)
BATCHES = (1, 15, 16, 17, 33, 60, 64, 65, 100, 130)
"""Less and more than a vector of samples, than the widest tile, and than two."""


def lenet(density=0.3, bias=True):
    model = mlp(50, 40, 20, CLASSES, bias=bias)
    return model if density is None else masked(model, density)


def images(blocks=("conv3", "norm relu", "residual", "max"), end="global", density=0.3):
    model = network(blocks, end, IMAGES)
    return model if density is None else masked(model, density)


MODELS = {
    "features": (lenet, (50,)),
    "images": (images, IMAGES),
    "dropout": (lambda: images(("norm relu", "dropout", "max"), "layers"), IMAGES),
    "tiles": (lambda: images(("conv3", "dropout", "max"), "linear"), IMAGES),
}


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([1, 2, 10, 16, 31, 70]), min_size=1, max_size=4),
    activations=st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=1, max_size=3),
    density=st.sampled_from([None, 0.0, 0.1, 0.5, 1.0]),
    kernels=st.sampled_from(["dense", "sparse", "mixed"]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    batch_size=st.sampled_from(BATCHES),
    bias=st.booleans(),
    pixels=st.booleans(),
)
def test_steps_of_linear_layers_agree_with_double_precision_and_do_not_depend_on_threads(
    sizes, activations, density, kernels, make, batch_size, bias, pixels
):
    model = mlp(*sizes, CLASSES, bias=bias, activations=activations)
    if density is not None:
        masked(model, density)
    rng = np.random.default_rng(7)
    x, y = rng.random((200, sizes[0]), np.float32), rng.integers(0, CLASSES, 200)
    x = np.rint(x * 255) / np.float32(255) if pixels else x
    eager, options = in_float64(model, make), {"make": make, "kernels": kernels, "batch_size": batch_size}
    one, two = (cpu_step(model, sizes[:1], threads=threads, **options) for threads in (1, 2))
    data = one.bind(x, y)
    assert data.as_pixels == pixels
    for size in (batch_size, batch_size, max(1, batch_size - 3)):
        chosen = rng.integers(0, len(x), size)
        loss = one.step(data, chosen, eager.optimizer.lr)
        assert loss == pytest.approx(eager((x.astype(np.float64), y), chosen), rel=1e-5, abs=1e-6)
        assert loss == two.step(data, chosen, eager.optimizer.lr)
        assert_one_update_agrees(state(one, model), eager, noise=1e-5)
        hand_over(state(one, model), eager)
    assert values(one, model) == values(two, model)
    for parameter in model.parameters():
        if parameter.mask is not None:
            for array in one.read(parameter):
                assert not array[~parameter.mask].view(np.uint32).any()


@settings(max_examples=40, deadline=None)
@given(
    architecture=architectures(),
    kernels=st.sampled_from(["dense", "sparse", "mixed", "winograd"]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    turns=st.sampled_from(["batch", "tiles"]),
)
def test_steps_update_by_their_rule_and_the_gradients_that_they_say_they_have(architecture, kernels, make, turns):
    model, shape = architecture
    step, eager = cpu_step(model, shape, make, kernels, 35, turns, gradients=True), in_float64(model, make)
    x, y = examples(shape)
    data = step.bind(x, y)
    for start in (0, 16, 32):
        chosen, generators = np.arange(start, start + 35 - start // 4), streams(model)
        before = values(step, model)
        loss, gradients = step.dense_gradients(step.bind(x[chosen], y[chosen]))
        assert values(step, model) == before
        for twin, gradient in zip(eager.optimizer.params, map(gradients.get, model.parameters()), strict=True):
            twin.grad = gradient.astype(np.float64)
        eager.optimizer.step()
        rewind(generators)
        assert step.step(data, chosen, eager.optimizer.lr) == pytest.approx(loss, rel=1e-6)
        # Dense and sparse kernels, and tiles taken one by one, add the same products up in another order, and in front of a batch
        # normalisation gradients are differences of larger sums.
        assert_one_update_agrees(state(step, model), eager, noise=4e-5)
        hand_over(state(step, model), eager)


@pytest.mark.parametrize("kept", [1, 30_000, 1 << 26])
@pytest.mark.parametrize("kind", MODELS)
def test_a_run_is_its_steps_one_by_one_however_many_masks_are_drawn_at_once(kind, kept, monkeypatch):
    monkeypatch.setattr(module, "KEPT_AT_ONCE", kept)
    make, shape = MODELS[kind]
    model, rng = make(), np.random.default_rng(0)
    generators, (x, y) = streams(model), examples(shape)
    batches, rates = rng.integers(0, len(x), (7, 35)), rng.random(7) / 10
    results = []
    for in_calls in (False, True):
        rewind(generators)
        step = cpu_step(model, shape, "adam", "mixed", batch_size=40)
        assert step.turns == ("tiles" if kind == "tiles" else "batch")
        data = step.bind(x, y)
        if in_calls:
            losses = [step.run(data, batches[part], rates[part]) for part in (slice(0, 4), slice(4, 5), slice(5, 7))]
            losses = np.concatenate(losses).tolist()
        else:
            losses = [step.step(data, batch, rate) for batch, rate in zip(batches, rates, strict=True)]
        results.append([losses, step.steps_taken, *values(step, model)])
    assert results[0] == results[1]


@pytest.mark.parametrize("turns", ["batch", "tiles"])
@pytest.mark.parametrize("as_pixels", [False, True])
def test_a_run_draws_turns_shifts_and_mirrors_for_each_step(as_pixels, turns):
    model, rng = images(("conv3", "relu", "max"), "linear"), np.random.default_rng(0)
    x, y = Pixels(rng.integers(0, 256, (60, *IMAGES), np.uint8), [0.4, 0.5, 0.6], [0.2, 0.3, 0.1]), DATA[1][:60]
    batches = rng.integers(0, 60, (4, 35))
    draws = np.array(
        [Augmentation(2, turn=turn, fill=fill).draw(rng, 35) for turn in (0, 20) for fill in ("zero", "edge")]
    )
    given_x, results = x if as_pixels else x[:], []
    for way in ("run", "steps", "by hand"):
        step = cpu_step(model, IMAGES, batch_size=35, turns=turns)
        data = step.bind(given_x, y)
        if way == "run":
            losses = step.run(data, batches, [0.1] * 4, draws).tolist()
        elif way == "steps":
            losses = [step.step(data, batch, 0.1, draw) for batch, draw in zip(batches, draws, strict=True)]
        else:
            made = [step.bind(augment(x[b], d), y[b]) for b, d in zip(batches, draws, strict=True)]
            losses = [step.step(each, np.arange(35), 0.1) for each in made]
        results.append([losses, *values(step, model)])
    assert results[0] == results[1] == results[2]


@settings(max_examples=25, deadline=None)
@given(
    architecture=architectures(),
    kernels=st.sampled_from(["dense", "mixed"]),
    batch_size=st.sampled_from([5, 16, 40, 64, 100]),
    parts=st.lists(st.integers(1, 69), max_size=3, unique=True),
)
def test_an_evaluation_is_the_sum_of_its_parts_for_any_threads_tile_by_tile_or_together(
    architecture, kernels, batch_size, parts
):
    model, shape = architecture
    x, y = examples(shape)
    scores = []
    for threads, apart, largest in ((1, programs.APART, programs.LARGEST), (2, programs.APART, 0), (2, -1, 0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(programs, "APART", apart)
            patch.setattr(programs, "LARGEST", largest)
            step = cpu_step(model, shape, kernels=kernels, batch_size=batch_size, threads=threads)
        data = step.bind(x, y)
        scores.append((step.evaluate(data), step.predict(x).tobytes()))
    assert scores[0] == scores[1] == scores[2]
    whole, logits = scores[0][0], step.predict(x).astype(np.float64)
    losses = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1) - logits[np.arange(70), y]
    assert whole.loss == pytest.approx(losses.mean(), rel=1e-5, abs=1e-6)
    # The first of equal logits counts, as in NumPy.
    assert (whole.correct, whole.examples) == ((logits.argmax(1) == y).sum(), 70)
    pieces = [step.evaluate(data, part) for part in np.split(np.arange(70), sorted(parts)) if part.size]
    assert sum(piece.correct for piece in pieces) == whole.correct
    assert sum(piece.loss * piece.examples for piece in pieces) == pytest.approx(70 * whole.loss, rel=1e-6)


@pytest.mark.parametrize("make", sorted(OPTIMIZERS))
@pytest.mark.parametrize("kernels", ["dense", "sparse"])
@pytest.mark.parametrize("kind", ["features", "images"])
def test_what_is_read_and_written_back_goes_on_as_if_nothing_had_happened(kind, kernels, make):
    build, shape = MODELS[kind]
    model = build()
    straight, broken = (cpu_step(model, shape, make, kernels) for _ in range(2))
    data, batches = straight.bind(*examples(shape)), np.arange(64).reshape(4, 16)
    for step in (straight, broken):
        step.run(data, batches[:2], [0.05] * 2)
    for _, buffer in model.named_buffers():
        buffer.data = broken.read_buffer(buffer)
    other = cpu_step(model, shape, make, kernels)
    other.write({parameter: broken.read(parameter) for parameter in model.parameters()}, steps_taken=2)
    assert other.run(data, batches[2:], [0.05] * 2).tolist() == straight.run(data, batches[2:], [0.05] * 2).tolist()
    assert values(other, model) == values(straight, model)


@pytest.mark.parametrize("batch_size", [16, 64, 130])
def test_a_smaller_batch_is_the_mean_over_its_own_examples(batch_size):
    for make, shape in (MODELS["features"], MODELS["images"]):
        model = make()
        large, exact = cpu_step(model, shape, batch_size=batch_size), cpu_step(model, shape, batch_size=7)
        data = large.bind(*examples(shape))
        assert large.step(data, np.arange(7), 0.1) == pytest.approx(exact.step(data, np.arange(7), 0.1), rel=1e-6)
        for parameter in model.parameters():
            np.testing.assert_allclose(large.read(parameter)[0], exact.read(parameter)[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["features", "images"])
def test_what_does_not_fit_is_refused_before_anything_happens(kind):
    make, shape = MODELS[kind]
    model = make()
    step, (x, y) = cpu_step(model, shape), examples(shape)
    data, before = step.bind(x, y), values(step, model)
    for count in (0, 17):
        with pytest.raises(InputError, match=f"a batch of {count} examples, but the step is compiled for 1 to 16"):
            step.step(data, np.arange(count), 0.1)
    with pytest.raises(InputError, match=f"labels must be from 0 to {CLASSES - 1}, not 0 to {CLASSES}"):
        step.bind(x[:2], np.array([0, CLASSES]))
    with pytest.raises(InputError, match="70 examples and 69 labels"):
        step.bind(x, y[:69])
    with pytest.raises(InputError, match="but the network takes"):
        step.bind(x[:, :2], y)
    assert values(step, model) == before


@pytest.mark.parametrize("batch_size", [5, 16, 35, 70])
@pytest.mark.parametrize("kernels", ["dense", "sparse", "mixed"])
@pytest.mark.parametrize("shape", [IMAGES, (50,)])
def test_tiles_one_by_one_are_the_batch_to_rounding(shape, kernels, batch_size):
    model = images(("conv3", "leaky", "max", "conv1", "relu"), "linear") if shape == IMAGES else lenet()
    one, other = (cpu_step(model, shape, "sgd", kernels, batch_size, turns) for turns in ("tiles", "batch"))
    data, rng = one.bind(*examples(shape)), np.random.default_rng(0)
    for count in (batch_size, batch_size - 3, 1):
        chosen = rng.integers(0, 70, count)
        assert one.step(data, chosen, 0.1) == pytest.approx(other.step(data, chosen, 0.1), rel=1e-6)
        for parameter in model.parameters():
            np.testing.assert_allclose(one.read(parameter)[0], other.read(parameter)[0], rtol=1e-5, atol=1e-6)
    assert one.evaluate(data).loss == pytest.approx(other.evaluate(data).loss, rel=1e-6)


def test_tiles_are_taken_one_by_one_only_where_nothing_needs_the_whole_batch():
    assert cpu_step(images(("conv3",), "linear"), IMAGES, batch_size=32).turns == "tiles"
    assert cpu_step(images(("conv3",), "linear"), IMAGES, batch_size=16).turns == "batch"
    assert cpu_step(images(("conv3",), "linear"), IMAGES, batch_size=2048).turns == "tiles", "however many"
    assert cpu_step(mlp(50, 700, 10), (50,), batch_size=65).turns == "batch", "too many weights"
    assert cpu_step(lenet(), (50,), batch_size=65).turns == "tiles"
    assert cpu_step(lenet(), (50,), batch_size=64).turns == "batch"
    wide = masked(mlp(500, 500, CLASSES), 0.15)  # more than few weights, and a tile of many values
    assert cpu_step(wide, (500,), kernels="sparse", batch_size=128).turns == "tiles"
    assert cpu_step(masked(wide, 0.5), (500,), kernels="sparse", batch_size=128).turns == "batch"
    network = Network(images(), IMAGES)
    with pytest.raises(InputError, match="or with batch normalisation"):
        network.step(dict.fromkeys(network.weights, "dense"), batch_size=32, turns="tiles")


def test_an_unknown_rule_is_refused():
    network = Network(lenet(), (50,))
    with pytest.raises(InputError, match="did you mean 'adam'"):
        network.step(dict.fromkeys(network.weights, "dense"), batch_size=4, rule="adan")


def test_a_step_needs_no_memory_beside_its_own():
    for make, shape, batch_size in ((lambda: masked(mlp(784, 300, 100, 10), 0.1), (784,), 60), (images, IMAGES, 16)):
        step = cpu_step(make(), shape, kernels="sparse", batch_size=batch_size)
        data, indices = step.bind(*examples(shape)), np.arange(batch_size)
        tracemalloc.start()
        try:
            for _ in range(100):
                step.step(data, indices, 0.01), step.evaluate(data)
            held, before = tracemalloc.get_traced_memory()[0], step.nbytes
            tracemalloc.reset_peak()
            for _ in range(100):
                step.step(data, indices, 0.01), step.evaluate(data)
            now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert now - held < 5_000, (
            "what a tracer of coverage notes is some of it; a number kept at each call would be more"
        )
        assert peak - held < 20_000, "a batch of inputs alone has more"
        assert step.nbytes == before


def test_memory_is_used_again_within_a_step():
    model = tt.models.create("resnet-20", (3, 32, 32), rng=0)
    step = cpu_step(model, (3, 32, 32), batch_size=128, threads=1)
    values_alone = sum(operation.output.size for operation in step.graph.operations) * 128 * 4
    assert step.nbytes < 1.6 * values_alone, "values with their borders, and few gradients at a time"


def test_threads_that_evaluate_large_images_have_a_few_of_them_at_a_time():
    model, shape = tt.models.create("resnet-20", (3, 32, 32), rng=0), (3, 32, 32)
    step = cpu_step(model, shape, batch_size=128, threads=2)
    before, (x, y) = step.nbytes, examples(shape)
    step.evaluate(step.bind(x, y))
    step.predict(x)
    assert step.nbytes < 1.15 * before


def test_only_a_step_with_gradients_has_memory_for_them():
    model = images(end="layers")
    without, with_them = (cpu_step(model, IMAGES, kernels="sparse", gradients=each) for each in (False, True))
    weights = sum(weight.size for weight in model.prunable().values())
    turned = 16 * sum(-(-w.shape[1] // 16) * 16 for w in model.prunable().values() if w.ndim == 2)
    small = 4000  # small blocks lie on lines of their own
    assert without.nbytes < with_them.nbytes < without.nbytes + 4 * (weights + turned + small)
