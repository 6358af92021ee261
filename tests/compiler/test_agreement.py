"""Compiled networks against eager ones, step by step, on architectures that nobody has thought of."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinyticket as tt
from tests.compiler.networks import (
    CLASSES,
    OPTIMIZERS,
    architectures,
    assert_equal_bits,
    assert_equal_to_rounding,
    assert_one_update_agrees,
    compiled,
    duplicate,
    examples,
    hand_over,
    is_stable,
    masked,
    state,
    twins,
)
from tinyticket.nn import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SReLU,
    Tanh,
)

NOISE = 1e-4


def alternating(model):
    """Return for every other weight that it runs sparse, for those between that they run dense."""
    return {name: ("sparse", "dense")[place % 2] for place, name in enumerate(model.prunable())}


@settings(max_examples=100, deadline=None)
@given(
    architecture=architectures(most=6),
    kernels=st.sampled_from(["dense", "sparse", "winograd", "alternating", None]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    sizes=st.lists(st.integers(12, 35), min_size=1, max_size=3),
    turns=st.sampled_from(["batch", None]),
    threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**31),
)
def test_steps_agree_with_eager_ones_to_rounding(architecture, kernels, make, sizes, turns, threads, seed):
    model, shape = architecture
    kernels = alternating(model) if kernels == "alternating" else kernels
    step, eager = twins(model, make, 35, threads=threads, turns=turns, kernels=kernels, input_shape=shape)
    (x, y), rng = examples(shape, seed=seed), np.random.default_rng(seed)
    for size in sizes:
        indices, before = rng.integers(0, len(x), size), duplicate(eager)
        assert step((x, y), indices) == pytest.approx(eager((x, y), indices), rel=1e-4, abs=1e-5)
        try:
            assert_one_update_agrees(state(step), eager, NOISE)
        except AssertionError:
            assume(is_stable(before, x, y, indices, NOISE, exact=kernels not in ("winograd", None)))
            raise
        for (name, ours), (_, theirs) in zip(model.named_buffers(), eager.model.named_buffers(), strict=True):
            np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-4, atol=1e-5, err_msg=name)
            theirs.data = ours.data.copy()
        hand_over(state(step), eager)
    loss, accuracy = eager.evaluate((x, y))
    found = step.evaluate((x, y))
    assert found[0] == pytest.approx(loss, rel=1e-4, abs=1e-5)
    assert found[1] == pytest.approx(accuracy, abs=1.5 / len(x)), "but for one example between two classes"
    for weight in model.prunable().values():
        if weight.mask is not None:
            assert not weight.data[~weight.mask].view(np.uint32).any()


@pytest.mark.parametrize(
    ("name", "shape", "make"),
    [
        ("conv-2", (3, 8, 8), "sgd"),
        ("conv-2-dropout", (3, 8, 8), "momentum"),
        ("lenet-5", (1, 28, 28), "sgd"),
        ("lenet-300-100", (784,), "momentum"),
        ("resnet-20", (3, 8, 8), "momentum"),
        ("resnet-8-identity", (3, 8, 8), "nesterov"),
        ("vgg-11", (3, 16, 16), "sgd"),
    ],
)
def test_the_library_s_models_agree_over_several_steps_and_evaluate_alike(name, shape, make):
    # A seed that puts no number so close to a ReLU's corner that rounding decides on which side it falls.
    model = masked(tt.models.create(name, shape, classes=4, rng=2), 0.4)
    step, eager = twins(model, make, 20, kernels=alternating(model), threads=2)
    data = examples(shape, 40)
    for start in (0, 20):
        indices = np.arange(start, start + 20 - start // 10)
        assert step(data, indices) == pytest.approx(eager(data, indices), rel=2e-3)
    assert step.evaluate(data)[0] == pytest.approx(eager.evaluate(data)[0], rel=1e-3)
    assert_equal_to_rounding(model, eager.model, 1e-3)


PLACES = {
    "features": (lambda layer, rng: [Linear(20, 9, rng=rng), layer, Linear(9, 8, rng=rng), layer], (20,)),
    "first": (lambda layer, rng: [layer, Conv2d(2, 3, 3, rng=rng), layer, MaxPool2d(2), Flatten()], (2, 6, 6)),
    "after a convolution": (lambda layer, rng: [Conv2d(2, 3, 3, padding=1, rng=rng), layer, Flatten()], (2, 5, 4)),
    "after batch normalisation": (
        lambda layer, rng: [
            Conv2d(2, 3, 3, rng=rng),
            BatchNorm2d(3),
            layer,
            Conv2d(3, 2, 3, rng=rng),
            layer,
            Flatten(),
        ],
        (2, 6, 6),
    ),
    "in a residual": (
        lambda layer, rng: [
            Conv2d(2, 3, 3, padding=1, rng=rng),
            Residual(Sequential(layer, Conv2d(3, 3, 3, padding=1, rng=rng), BatchNorm2d(3), layer), layer),
            GlobalAvgPool2d(),
        ],
        (2, 5, 5),
    ),
    "after a ReLU": (lambda layer, rng: [Linear(20, 9, rng=rng), ReLU(), layer, layer], (20,)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "layer",
    [LeakyReLU(0.1), LeakyReLU(0.0), LeakyReLU(-0.5), LeakyReLU(2.0), Tanh(), Sigmoid()],
    ids=["leaky", "slope 0", "slope -0.5", "slope 2", "tanh", "sigmoid"],
)
def test_activations_compile_and_agree_wherever_they_stand(layer, place):
    make, shape = PLACES[place]
    rng = np.random.default_rng(0)
    layers = make(layer, rng)
    with tt.no_grad():
        width = Sequential(*layers)(tt.Tensor(np.zeros((2, *shape), np.float32))).shape[1]
    model, (x, y) = Sequential(*layers, Linear(width, CLASSES, rng=rng)), examples(shape)
    for _, buffer in model.named_buffers():
        buffer.data = np.zeros_like(buffer.data) if buffer.data.mean() < 0.5 else np.ones_like(buffer.data)
    step, eager = twins(model, batch_size=20, threads=1, input_shape=shape)
    two = compiled(copy.deepcopy(model), batch_size=20, threads=2, input_shape=shape)
    for start in (0, 20, 40):
        indices = np.arange(start, start + 20)
        loss = step((x, y), indices)
        assert loss == two((x, y), indices)
        assert loss == pytest.approx(eager((x, y), indices), rel=1e-5)
    assert_equal_bits(step.model, two.model)
    assert_equal_to_rounding(step.model, eager.model)
    np.testing.assert_allclose(step.predict(x), eager.predict(x), rtol=1e-4, atol=1e-5)


S_PLACES = {
    "features": ([Linear(20, 9, rng=0), SReLU(9, 1), Linear(9, 8, rng=2), SReLU(8, 3)], (20,)),
    "first, and after a ReLU": ([SReLU(20, 0), Linear(20, 9, rng=1), ReLU(), SReLU(9, 2)], (20,)),
    "images": ([Conv2d(2, 3, 3, rng=0), SReLU(3, 1), MaxPool2d(2), Flatten()], (2, 6, 6)),
    "in a residual": (
        [Residual(Sequential(SReLU(2, 0), Conv2d(2, 2, 3, padding=1, rng=1)), SReLU(2, 2)), GlobalAvgPool2d()],
        (2, 5, 5),
    ),
}


@pytest.mark.parametrize("turns", ["batch", "tiles"])
@pytest.mark.parametrize("make", ["adam", "nesterov"])
@pytest.mark.parametrize("place", S_PLACES)
def test_s_shaped_relus_compile_and_agree_wherever_they_stand(place, make, turns):
    layers, shape = copy.deepcopy(S_PLACES[place])
    with tt.no_grad():
        width = Sequential(*layers)(tt.Tensor(np.zeros((2, *shape), np.float32))).shape[1]
    model, (x, y) = Sequential(*layers, Linear(width, CLASSES, rng=0)), examples(shape)
    for name, parameter in model.named_parameters():  # away from where the gradients of slopes and thresholds are zero
        if name.split(".")[-1] in ("t_left", "a_left", "t_right", "a_right"):
            parameter.data = parameter.data + np.random.default_rng(4).uniform(-0.5, 0.5, parameter.shape)
    start = model.state_dict()
    options = {"make": make, "batch_size": 20, "input_shape": shape, "turns": turns}
    step, eager = twins(model, threads=1, **options)
    two = compiled(copy.deepcopy(model), threads=2, **options)
    for begin in (0, 20, 40):
        indices = np.arange(begin, begin + 20 - begin // 10)
        loss = step((x, y), indices)
        assert loss == two((x, y), indices)
        assert loss == pytest.approx(eager((x, y), indices), rel=1e-5)
    assert_equal_bits(step.model, two.model)
    assert_equal_to_rounding(step.model, eager.model, 1e-4)
    assert all((value != start[name]).any() for name, value in model.state_dict().items()), "all of it learns"
    np.testing.assert_allclose(step.predict(x), eager.predict(x), rtol=1e-4, atol=1e-4)
    assert step.evaluate((x, y))[0] == pytest.approx(eager.evaluate((x, y))[0], rel=1e-4)


def test_compiled_and_eager_experiments_agree_statistically():
    rng = np.random.default_rng(0)
    x = rng.random((150, 20), np.float32)
    settings = {"rounds": 2, "iterations": 60, "trials": 2, "validation": 20, "batch_size": 16, "evaluate_every": 10}
    runs = [tt.lottery.find("mlp-20-16-4", (x, x[:, :4].argmax(1)), eager=eager, **settings) for eager in (False, True)]
    finals = [np.mean([r.history["validation_loss"][-1] for t in run.trials for r in t.rounds]) for run in runs]
    assert finals[0] == pytest.approx(finals[1], rel=0.05)
