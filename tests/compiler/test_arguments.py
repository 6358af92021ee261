"""What steps are given and refuse in a sentence, compiled and eager ones alike, before anything has happened."""

import copy
import logging
import pickle

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import (
    CLASSES,
    OPTIMIZERS,
    assert_equal_bits,
    assert_equal_to_rounding,
    compiled,
    examples,
    mlp,
    network,
    twins,
)
from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.compiler.choose import _announce
from tinyticket.errors import InputError
from tinyticket.nn import Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential
from tinyticket.optim import SGD

SHAPE = (3, 8, 8)
X, Y = DATA = examples(SHAPE)
BATCHES = np.arange(48).reshape(3, 16)


def images():
    return network(("conv3", "norm relu", "max", "dropout"), "layers", SHAPE, 0)


@pytest.fixture(params=["mlp", "images"], scope="module")
def steps(request):
    """A compiled and an eager step, which refused calls leave as they are."""
    return twins(mlp(192, 8, CLASSES, flatten=True) if request.param == "mlp" else images(), input_shape=SHAPE)


def state(step):
    drawn = [str(module.rng.bit_generator.state) for _, module in step.model.named_modules() if hasattr(module, "rng")]
    return [*(value.tobytes() for value in step.model.state_dict().values()), *drawn, *step.optimizer.steps]


BAD = {
    "whole numbers": lambda step: step((X, Y + 0.5), np.arange(16)),
    "whole numbers, one for each": lambda step: step(X[:16], Y[:16] / 2),
    "indices are whole": lambda step: step(DATA, np.arange(16) + 0.5),
    "indices are whole numbers in one row": lambda step: step(DATA, np.arange(16).reshape(4, 4)),
    "indices are whole numbers, not bool|indices are": lambda step: step(DATA, np.ones(70, bool)),
    "indices must be from 0 to 69": lambda step: step(DATA, np.arange(60, 76)),
    "must be from 0 to 69": lambda step: step(DATA, np.array([3, -1])),
    "there are 16 examples and 15 labels": lambda step: step(X[:16], Y[:15]),
    "there are 70 examples and 60 labels": lambda step: step((X, Y[:60]), np.arange(16)),
    "70 examples and 69 labels": lambda step: step.evaluate((X, Y[:69])),
    "labels are whole": lambda step: step.evaluate((X, Y / 2)),
    "there are 16 examples and 17 labels": lambda step: step.gradients(X[:16], Y[:17]),
    "there are 3 batches and 1 learning rates": lambda step: step.run(DATA, BATCHES, rates=[0.1]),
    "rates are numbers": lambda step: step.run(DATA, BATCHES, rates=["x", 1, 2]),
    "rates are numbers, a": lambda step: step.run(DATA, BATCHES, rates=0.1),
    "batches are whole numbers in 2": lambda step: step.run(DATA, np.arange(16)),
    "batches are whole": lambda step: step.run(DATA, BATCHES + 0.5),
    "from 0 to 69": lambda step: step.run(DATA, BATCHES + 60),
    "draws have shape": lambda step: step.run(DATA, BATCHES, draws=np.zeros((3, 15, 5), int)),
    "draws are whole": lambda step: step.run(DATA, BATCHES, draws=np.zeros((3, 16, 3))),
    "draws shift images by less": lambda step: step.run(DATA, BATCHES, draws=np.full((3, 16, 5), 2**33)),
    "draws turn images by sines": lambda step: step.run(DATA, BATCHES, draws=np.full((3, 16, 5), 2**17)),
    "examples are real numbers": lambda step: step.predict(X.astype(complex)),
    "lists of different lengths": lambda step: step.predict([[1.0], [1.0, 2.0]]),
    "one example at least": lambda step: step.evaluate((X[:0], Y[:0])),
    "one example": lambda step: step.gradients(X[:0], Y[:0]),
    "one example at least, not": lambda step: step.run(DATA, BATCHES[:0]),
    "not dict": lambda step: step({"x": X}, Y),
    "inputs, labels., not dict": lambda step: step.evaluate({"x": X, "y": Y}),
    "no weight is called 'x'": lambda step: step.change_masks({"x": np.ones((2, 2), bool)}),
    "the mask of": lambda step: step.change_masks({next(iter(step.weights())): np.ones((2, 2), bool)}),
}


@pytest.mark.parametrize("which", [0, 1], ids=["compiled", "eager"])
@pytest.mark.parametrize("words", BAD)
def test_what_is_refused_changes_nothing(steps, which, words):
    step = steps[which]
    before = state(step)
    with pytest.raises(InputError, match=words):
        BAD[words](step)
    assert state(step) == before


@pytest.mark.parametrize("which", [0, 1], ids=["compiled", "eager"])
def test_labels_beyond_the_classes_are_refused(which):
    step = twins(mlp(192, 8, CLASSES, flatten=True))[which]
    for labels in Y + CLASSES, Y - 1:
        for call in (lambda y: step((X, y), np.arange(16)), lambda y: step(X[:16], y[:16])):
            with pytest.raises(InputError, match=f"labels must be from 0 to {CLASSES - 1}"):
                call(labels)
        with pytest.raises(InputError, match=f"labels must be from 0 to {CLASSES - 1}"):
            step.evaluate((X, labels))


def test_a_pair_is_one_of_arrays():
    for step in twins(mlp(192, 8, CLASSES, flatten=True)):
        with pytest.raises(InputError, match="data set or a pair of arrays"):
            step((X.tolist(), Y), np.arange(16))
        assert step((X, Y.tolist()), np.arange(16)) > 0
        assert step((X, Y.astype(np.float64)), np.arange(16)) > 0


@pytest.mark.parametrize("own", [0, 1], ids=["others", "too many"])
def test_an_optimizer_of_parameters_that_are_not_the_models_is_refused(own):
    model, other = mlp(20, 8, 4), mlp(20, 8, 4, seed=1)
    parameters = [*(model.parameters() if own else ()), *other.parameters()]
    with pytest.raises(InputError, match="parameters that are not the model's"):
        tt.compile(model, "cross_entropy", SGD(parameters, 0.1), 16)


def odd(kernel=(2, 2), size=5 * 3):
    """Return a network of images that are no squares, whose size only the last layer knows."""
    layers = Conv2d(2, 4, 3, rng=0), ReLU(), MaxPool2d(kernel), Flatten(), Linear(4 * size, CLASSES, rng=0)
    return Sequential(*layers)


def unread(model):
    """Return the step of a model, and an eager one of an equal model."""
    twin = copy.deepcopy(model)
    one, other = (OPTIMIZERS["momentum"](each.parameters()) for each in (model, twin))
    return tt.compile(model, "cross_entropy", one, 16), EagerStep(twin, other)


def test_the_first_batch_tells_the_shape_of_images_that_nothing_else_tells():
    step, eager = unread(odd())
    data = examples((2, 13, 9))
    assert "nothing tells the shape" in step.explain()
    for start in (0, 16):
        chosen = np.arange(start, start + 16)
        assert step(data, chosen) == pytest.approx(eager(data, chosen), rel=1e-4)
    assert isinstance(step.step, CompiledStep)
    assert step.explain().startswith("compiled")
    np.testing.assert_allclose(step.run(data, BATCHES), eager.run(data, BATCHES), rtol=1e-4)
    assert_equal_to_rounding(step.model, eager.model, 1e-4)


FIRST = {
    "step": lambda step, x, y: step(x[:16], y[:16]),
    "run": lambda step, x, y: step.run((x, y), BATCHES, [0.1, 0.1, 0.1]),
    "evaluate": lambda step, x, y: step.evaluate((x, y)),
    "predict": lambda step, x, y: step.predict(x),
    "gradients": lambda step, x, y: step.gradients(x[:16], y[:16]),
}


@pytest.mark.parametrize("call", FIRST.values(), ids=FIRST)
def test_whatever_comes_first_tells_the_shape(call):
    steps, (x, y) = unread(odd()), examples((2, 13, 9))
    one, other = (call(step, x, y) for step in steps)
    assert isinstance(steps[0].step, CompiledStep)
    if not isinstance(one, dict):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_has_no_kernel_runs_eagerly_when_the_shape_is_known(caplog):
    _announce.cache_clear()
    (step, _), data = unread(odd(kernel=(2, 3), size=5 * 2)), examples((2, 13, 9))
    assert not caplog.records
    for _ in range(2):
        step(data, np.arange(16))
    assert isinstance(step.step, EagerStep)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "the model runs eagerly" in caplog.text
    assert "stride" in caplog.text


def test_a_model_that_runs_eagerly_says_so_once(caplog):
    _announce.cache_clear()
    for _ in range(3):
        model = Sequential(Linear(20, 4, rng=0))
        step = tt.compile(model, "cross_entropy", SGD([next(model.parameters())], 0.1), 16)
        assert isinstance(step, EagerStep)
    assert [record.getMessage() for record in caplog.records] == [
        f"the model runs eagerly, which takes several times as long: {step.reason}"
    ]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_compiled_model_has_the_newest_weights_and_is_its_own(copied):
    step = compiled(images())
    step(DATA, np.arange(16))
    twin = copied(step.model)
    assert_equal_bits(twin, step.model)
    before = twin.state_dict()
    step(DATA, np.arange(16))
    assert all(value.tobytes() == before[name].tobytes() for name, value in twin.state_dict().items())
    again = tt.compile(twin, "cross_entropy", OPTIMIZERS["sgd"](twin.parameters()), 16, input_shape=SHAPE)
    again(DATA, np.arange(16))
    assert np.isfinite(step(DATA, np.arange(16)))


def test_a_refused_step_leaves_dropouts_stream_where_it_was():
    model = Sequential(Flatten(), Linear(192, 8, rng=0), Dropout(0.5, rng=0), Linear(8, CLASSES, rng=0))
    step, alone = compiled(model), compiled(copy.deepcopy(model))
    with pytest.raises(InputError, match="indices must be"):
        step(DATA, np.full(16, 70))
    assert step(DATA, np.arange(16)) == alone(DATA, np.arange(16))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": Linear}, "the model is a Module"),
        ({"model": "lenet-300-100"}, "the model is a Module"),
        ({"optimizer": SGD}, "the optimizer is one of tt.optim's"),
        ({"threads": 0}, "threads are at least 1, not 0"),
        ({"kernels": ["dense"]}, "kernels map names"),
        ({"input_shape": 20}, "the input shape is a tuple"),
        ({"input_shape": (21,)}, "the model does not take examples of shape .21,."),
    ],
)
def test_what_is_no_model_optimizer_or_shape_is_refused(given, words):
    with pytest.raises(InputError, match=words):
        tt.compile(**{"model": mlp(20, 8, 4), **given})
