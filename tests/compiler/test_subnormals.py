"""Numbers nearer to zero than 1.2e-38: compiled steps take them for zeros, except where a file's plan keeps them."""

import copy

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import CLASSES, assert_equal_bits, compiled, examples, masked, mlp, network
from tinyticket.errors import InputError
from tinyticket.kernels import cpu
from tinyticket.kernels.cpu.vector.subnormals import CAN_FLUSH
from tinyticket.lottery.settings import resolve
from tinyticket.lottery.step import make_step
from tinyticket.nn import losses

SHAPE = (3, 8, 8)
THREADS = pytest.mark.parametrize("threads", [1, 2])

pytestmark = pytest.mark.skipif(not CAN_FLUSH, reason="this CPU's control register is not known")


def tiny(turns=None):
    """Return a network whose first activations are near 1e-40 and whose next weights bring them back to ones that count."""
    model = mlp(20, 30, CLASSES) if turns is None else network(("conv3", "relu", "max"), "linear", SHAPE)
    first, *_, last = (parameter for parameter in model.parameters() if parameter.data.ndim > 1)
    first.data *= np.float32(1e-39) / np.abs(first.data).max()
    last.data *= np.float32(1e38)
    for parameter in model.parameters():
        if parameter.data.ndim == 1:
            parameter.data[:] = 0
    return model


@THREADS
def test_they_are_zeros_or_kept_in_predictions(threads):
    x, y = examples((20,), 70)
    model = tiny()
    zero, kept = (compiled(copy.deepcopy(model), threads=threads, subnormals=way) for way in (None, "kept"))
    assert not zero.predict(x).any()
    exact = copy.deepcopy(model).astype(np.float64)(tt.Tensor(x.astype(np.float64))).data
    assert np.abs(exact).max() > 0.01
    np.testing.assert_allclose(kept.predict(x), exact, atol=2e-3 * np.abs(exact).max())
    assert zero.evaluate((x, y))[0] == pytest.approx(np.log(CLASSES), rel=1e-6)
    assert kept.evaluate((x, y))[0] != pytest.approx(np.log(CLASSES), rel=1e-6)


@THREADS
@pytest.mark.parametrize("turns", ["batch", "tiles"])
def test_a_step_is_that_of_zeros(threads, turns):
    x, y = examples(SHAPE, 40)
    model = tiny(turns)
    zeros = copy.deepcopy(model)
    for parameter in zeros.parameters():
        parameter.data[np.abs(parameter.data) < np.finfo(np.float32).tiny] = 0
    options = {"turns": turns, "input_shape": SHAPE, "threads": threads}
    steps = [compiled(each, "sgd", 40, **options) for each in (model, zeros)]
    one, two = (step.run((x, y), np.arange(120).reshape(3, 40) % 40) for step in steps)
    np.testing.assert_array_equal(one, two)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, zeros.state_dict()[name], name)


@THREADS
def test_all_threads_have_their_arithmetic_back(threads):
    x, y = examples((20,), 16)
    step = compiled(tiny(), threads=threads)
    step(x, y), step.predict(x), step.evaluate((x, y))
    weights = np.full(4096, 1e-40, np.float32)  # half of them are another thread's
    gradient = np.zeros_like(weights)
    cpu.optimizer_step("sgd", cpu.scalars_of("sgd", 1, 1.0), weights, (), gradient, threads=threads)
    assert (weights == np.float32(1e-40)).all()
    assert (weights * np.float32(0.5)).all()


@pytest.mark.parametrize("density", [None, 0.3])
def test_nothing_changes_where_there_are_none(density):
    x, y = examples((20,), 64)
    models = []
    for way in ("zero", "kept"):
        model = mlp(20, 30, CLASSES)
        step = compiled(model if density is None else masked(model, density), "momentum", subnormals=way)
        step.run((x, y), np.arange(64).reshape(4, 16))
        models.append(model)
    assert_equal_bits(*models)


def test_a_plan_says_so_and_one_of_before_keeps_them():
    x, y = examples((20,), 32)
    assert executed(None, x, y)["subnormals"] == "zero"
    before = {"mode": "compiled", "kernels": {}}
    assert "subnormals" not in executed(before, x, y)
    assert executed({**before, "subnormals": "zero"}, x, y)["subnormals"] == "zero"


def executed(plan, x, y):
    """Return the plan of a step that was made as a plan says, after a step."""
    model = mlp(20, 30, CLASSES)
    optimizer = tt.optim.SGD(model.parameters(), 0.1)
    data = tt.data.from_arrays(x, y, x, y)
    settings = resolve(data="digits", model="mlp-20-30-4", training_examples=32, batch_size=16)
    step = make_step(model, losses.CrossEntropy(), optimizer, settings, (x, y), 1, plan)
    step(data, np.arange(16))
    return step.plan()


def test_a_plan_that_is_followed_decides():
    x, y = examples((20,), 16)
    step = compiled(tiny())
    for plan, ways in ((None, "zero"), ({"mode": "compiled", "kernels": {}}, "kept"), (None, "zero")):
        step.follow(plan)
        of_zeros = step.evaluate((x, y))[0] == pytest.approx(np.log(CLASSES), rel=1e-6)
        assert (of_zeros, step.plan().get("subnormals", "kept")) == (ways == "zero", ways)


def test_other_words_are_bad_input():
    with pytest.raises(InputError, match="subnormals is one of zero, kept, not 'none'"):
        compiled(mlp(20, CLASSES), subnormals="none")
