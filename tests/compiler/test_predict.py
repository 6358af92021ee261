"""Predictions of all kinds of steps against the model in evaluation mode, and what may happen to it between two of them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyticket as tt
from tests.compiler.networks import CLASSES, architectures, compiled, examples, masked, network
from tinyticket.compiler import EagerStep, weights
from tinyticket.compiler.cpu import program, programs
from tinyticket.compiler.cpu.pace import Pace
from tinyticket.compiler.cpu.walk import predict_together
from tinyticket.compiler.eager import CHUNK
from tinyticket.compiler.weights import Weights
from tinyticket.data import Pixels
from tinyticket.errors import InputError
from tinyticket.kernels.cpu.threads import usable_cores
from tinyticket.nn import (
    BatchNorm1d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    ReLU,
    Sequential,
    SparseLinear,
    Tanh,
)

SHAPE = (3, 8, 8)
DATA = examples(SHAPE)


def mlp(density=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return masked(Sequential(Flatten(), Linear(192, 20, rng=rng), ReLU(), Linear(20, CLASSES, rng=rng)), density, seed)


def images(density=0.5, seed=0):
    return masked(network(("conv3", "norm relu", "residual", "max", "dropout"), "layers", SHAPE, seed), density, seed)


KINDS = {"mlp": mlp, "images": images}


def eagerly(model, x):
    """Return what the model makes of examples in evaluation mode."""
    model.eval()
    with tt.no_grad():
        return model(tt.Tensor(x)).data


def agree(step, x):
    np.testing.assert_allclose(step.predict(x), eagerly(step.model, x), rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    architecture=architectures(densities=(None, 0.0, 0.1, 0.5)),
    kernels=st.sampled_from(["dense", "sparse", None]),
    batch_size=st.sampled_from([1, 7, 16, 40]),
    count=st.sampled_from([0, 1, 16, 17, 45]),
    seed=st.integers(0, 2**31),
)
def test_networks_predict_what_they_do_in_evaluation_mode(architecture, kernels, batch_size, count, seed):
    (model, shape), rng = architecture, np.random.default_rng(seed)
    for _, buffer in model.named_buffers():  # statistics that are not those of a new network
        buffer.data = buffer.data + rng.random(buffer.data.shape, np.float32)
    chosen = None if kernels is None else dict.fromkeys(model.prunable(), kernels)
    steps = [tt.compile(model, batch_size=batch_size, kernels=chosen, input_shape=shape, threads=t) for t in (1, 2)]
    x = examples(shape, count, seed)[0]
    logits = [step.predict(x) for step in steps]
    assert logits[0].shape == (count, CLASSES)
    assert logits[0].tobytes() == logits[1].tobytes()
    agree(steps[0], x)
    model.train()
    if count:
        assert steps[0].predict(x[:1]).tobytes() == logits[0][:1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_follow_training_and_disturb_it_not(kind):
    step, alone = (compiled(KINDS[kind]()) for _ in range(2))
    x = DATA[0][:5]
    for start in (0, 16, 32):
        chosen = np.arange(start, start + 16)
        before = step.predict(x)
        assert step(DATA, chosen) == alone(DATA, chosen)
        assert not np.array_equal(step.predict(x), before)
    agree(step, x)
    assert step.evaluate(DATA) == alone.evaluate(DATA)
    step.optimizer.lr = 0.0
    step(DATA, np.arange(16))
    agree(step, x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", ["assign", "in place", "load_state_dict", "mask", "eager", "buffer"])
def test_what_is_written_between_two_calls_is_seen_by_the_second(kind, write):
    model = KINDS[kind](0.8)
    step, x = tt.compile(model, batch_size=16, input_shape=SHAPE), DATA[0][:5]
    name, weight = list(model.prunable().items())[-1]
    buffers = [buffer for _, buffer in model.named_buffers()]
    for turn in range(3):
        before = step.predict(x)
        if write == "assign":
            weight.data = weight.data + 0.5
        elif write == "in place":
            weight.data[...] = np.where(weight.mask, weight.data - 0.5, 0)
        elif write == "load_state_dict":
            state = model.state_dict()
            model.load_state_dict(state | {name: state[name] * 2 + 1})
        elif write == "mask":
            weight.mask = weight.mask & (np.random.default_rng(turn).random(weight.shape) < 0.6)
        elif write == "eager":
            EagerStep(model, tt.optim.SGD(model.parameters(), 0.1))(DATA, np.arange(16))
        elif buffers:
            buffers[-1].data = buffers[-1].data + 1
        else:
            return
        assert not np.array_equal(step.predict(x), before)
        agree(step, x)
        assert step.predict(x).tobytes() == step.predict(x).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_alone_copy_nothing_back_and_nothing_again(kind, monkeypatch):
    model = KINDS[kind]()
    step, state = tt.compile(model, batch_size=16, input_shape=SHAPE), model.state_dict()
    want = step.predict(DATA[0])
    monkeypatch.setattr(Weights, "write", lambda *given: pytest.fail("values were taken over again"))
    monkeypatch.setattr(Weights, "read", lambda *given: pytest.fail("values were brought back"))
    for count in (1, 16, 70):
        assert step.predict(DATA[0][:count]).tobytes() == want[:count].tobytes()
    assert all(value.tobytes() == model.state_dict()[name].tobytes() for name, value in state.items())


def test_masks_that_change_in_place_while_training_are_seen():
    step = compiled(mlp(0.5), kernels="sparse")
    x = DATA[0][:5]
    step(DATA, np.arange(16))
    step.predict(x)
    step.change_masks({name: weight.mask[::-1].copy() for name, weight in step.model.prunable().items()})
    changed = step.predict(x)
    np.testing.assert_allclose(changed, eagerly(step.model, x), rtol=1e-4, atol=1e-5)


def test_inputs_are_read_anew_at_every_call():
    step = tt.compile(mlp(), batch_size=1)
    x = DATA[0][:1].copy()
    first = step.predict(x)
    x += 1
    assert not np.array_equal(step.predict(x), first)
    assert step.predict(x.tolist()).tobytes() == step.predict(x).tobytes()


@pytest.mark.parametrize("batch_size", [1, 40, 100])
def test_threads_that_share_one_tile_change_no_bit(batch_size, monkeypatch):
    monkeypatch.setattr(programs, "SHARED", 0)
    model = mlp(0.3)
    steps = [tt.compile(model, batch_size=batch_size, input_shape=SHAPE, threads=threads) for threads in (1, 2)]
    for count in (1, 16, 17, 64):
        want, x = steps[0].predict(DATA[0][:count]), DATA[0][:count]
        assert all(steps[1].predict(x).tobytes() == want.tobytes() for _ in range(20)), "on one thread and on two"
    assert [step._program._programs.few.samples == step._program._layout.lanes for step in steps] == [True, True]
    assert steps[1]._program._programs.few is not steps[1]._program._programs.prediction


@pytest.mark.parametrize("most", [0, 350, 1000, 4000])
@pytest.mark.parametrize("kernels", ["dense", "sparse", None])
def test_layers_for_single_samples_and_others_follow_each_other(kernels, most, monkeypatch):
    monkeypatch.setattr(weights, "MOST_SLICED", most)  # some layers have more weights, or survivors
    rng, linear = np.random.default_rng(0), [(192, 20), (20, 40), (40, 30), (30, CLASSES)]
    one, two, three, four = (Linear(*sizes, bias=sizes != (40, 30), rng=rng) for sizes in linear)
    if kernels is None:
        two, three = SparseLinear(20, 40, 600, rng=rng), SparseLinear(40, 30, 300, rng=rng, bias=False)
    model = masked(Sequential(Flatten(), one, ReLU(), two, Tanh(), three, ReLU(), four), 0.5)
    chosen = dict.fromkeys(model.prunable(), kernels) if kernels else None
    singly, tile = (tt.compile(model, batch_size=size, input_shape=SHAPE, kernels=chosen) for size in (1, 16))
    want = tile.predict(DATA[0][:4])
    for i in range(4):
        assert singly.predict(DATA[0][i : i + 1]).tobytes() == want[i : i + 1].tobytes()
    assert singly.predict(DATA[0][1:3]).tobytes() == want[1:3].tobytes()
    assert (singly._program._programs.single is None) == (most == 0)


def test_weights_of_which_nothing_is_left_predict_zeros():
    model = masked(Sequential(Linear(7, 3, bias=False, rng=0)), 0.0)
    step = tt.compile(model, batch_size=1, kernels={"0.weight": "sparse"})
    assert not step.predict(np.ones((2, 7), np.float32)).any()


@pytest.mark.parametrize("batch_size", [1, 40])
def test_calls_between_two_looks_at_the_clock_change_no_bit(batch_size, monkeypatch):
    for name, value in (("SHARED", 0), ("ALONE", 0)):
        monkeypatch.setattr(programs, name, value)
    monkeypatch.setattr(Pace, "threads", 2)
    monkeypatch.setattr(Pace, "untimed", 3)
    calls: list = []
    monkeypatch.setattr(program, "predict_together", lambda *given: calls.append(predict_together(*given)))
    model, pixels = mlp(0.3), Pixels(np.zeros((7, *SHAPE), np.uint8), [0.4] * 3, [0.2] * 3)
    steps = [tt.compile(model, batch_size=batch_size, input_shape=SHAPE, threads=threads) for threads in (1, 2)]
    counts = 1, 1, 1, 2, 2, 2, 1, 5, 5, 7, 5, 7, 7
    for x in (*(DATA[0][count : 2 * count] for count in counts), pixels, pixels, DATA[0][:7], DATA[0][7:14]):
        assert steps[1].predict(x).tobytes() == steps[0].predict(x).tobytes()
    assert calls or usable_cores() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_threads_that_ask_side_by_side_get_their_own_answers(kind):
    step = tt.compile(KINDS[kind](), batch_size=16, input_shape=SHAPE, threads=1)
    parts = [DATA[0][i : i + 20] for i in range(8)]
    want = [step.predict(part).tobytes() for part in parts]
    step.model.state_dict()
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda i: step.predict(parts[i % 8]).tobytes(), range(200)))
    assert got == want * 25


def test_pixels_are_predicted_as_the_numbers_they_stand_for():
    bytes_ = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), np.uint8)
    x = Pixels(bytes_, [0.4, 0.5, 0.6], [0.2, 0.3, 0.1])
    for kind in KINDS.values():
        step = tt.compile(kind(), batch_size=16, input_shape=SHAPE)
        assert step.predict(x).tobytes() == step.predict(x[:]).tobytes()
        eager = EagerStep(step.model, None)
        assert eager.predict(x).tobytes() == eager.predict(x[:]).tobytes()


def test_images_of_other_sizes_are_taken_where_the_model_takes_them():
    model = Sequential(Conv2d(3, 4, 3, rng=0), ReLU(), GlobalAvgPool2d(), Linear(4, CLASSES, rng=0))
    step = tt.compile(model)
    for shape in ((3, 9, 7), (3, 12, 12), (3, 9, 7)):
        agree(step, examples(shape, 6)[0])


@pytest.mark.parametrize("shape", [(), (192,), (5, 64), (5, 2, 8, 8), (5, 3, 7, 8)])
@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_refused_and_the_step_goes_on(kind, shape):
    step = tt.compile(KINDS[kind](), input_shape=SHAPE)
    want = step.predict(DATA[0])
    with pytest.raises(InputError, match=r"predict takes examples of shape \(3, 8, 8\)"):
        step.predict(np.zeros(shape, np.float32))
    assert step.predict(DATA[0]).tobytes() == want.tobytes()


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 3])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_an_eager_step_predicts_in_evaluation_mode_and_restores_the_models(count, kind):
    model = Sequential(Linear(5, 9, rng=0), BatchNorm1d(9), Tanh(), Dropout(0.5, rng=0), Linear(9, CLASSES, rng=0))
    model.astype(kind)
    model.train()
    frozen = next(module for _, module in model.named_modules() if isinstance(module, BatchNorm1d)).eval()
    x, before = examples((5,), count)[0], model.state_dict()
    logits = [EagerStep(model, None, threads).predict(x) for threads in (1, 3)]
    assert logits[0].tobytes() == logits[1].tobytes()
    assert logits[0].dtype == kind
    assert model.training
    assert not frozen.training
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    np.testing.assert_allclose(logits[0], eagerly(model, x.astype(kind)), rtol=1e-5)
