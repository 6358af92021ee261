"""Fully-connected networks on a device, simulated where there is none, against eager ones."""

import copy
import gc
import weakref

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import CLASSES, OPTIMIZERS, assert_equal_bits, assert_equal_to_rounding, masked, twins
from tinyticket.compiler import CompiledStep
from tinyticket.errors import InputError
from tinyticket.kernels.cuda import memory
from tinyticket.nn import Linear, Module, ReLU, Sequential

RNG = np.random.default_rng(0)
X, Y = RNG.random((30, 7), np.float32), RNG.integers(0, CLASSES, 30)
BATCH = 9


def mlp(density=None, seed=0):
    rng = np.random.default_rng(seed)
    model = Sequential(Linear(7, 5, rng=rng), ReLU(), Linear(5, CLASSES, bias=False, rng=rng))
    return model if density is None else masked(model, density)


def on_device(model, make="momentum", kernels=None):
    kernels = dict.fromkeys(model.prunable(), kernels) if isinstance(kernels, str) else kernels
    return tt.compile(
        model, "cross_entropy", OPTIMIZERS[make](model.parameters()), BATCH, kernels=kernels, device="cuda"
    )


@pytest.mark.parametrize(
    ("make", "density", "kernels"),
    [
        ("sgd", None, None),
        ("momentum", 0.5, "sparse"),
        ("nesterov", 0.5, {"0.weight": "sparse", "2.weight": "dense"}),
        ("adam", 0.4, {"0.weight": "dense", "2.weight": "sparse"}),
        ("adam", 0.0, "sparse"),
    ],
)
def test_steps_agree_with_eager_ones_to_rounding(make, density, kernels):
    step, eager = twins(mlp(density), make, BATCH, kernels=kernels, device="cuda")
    order = np.random.default_rng(1)
    for size, steps in ((BATCH, 2), (5, 1)):  # a smaller batch may follow
        batches = order.integers(0, len(X), (steps, size))
        np.testing.assert_allclose(step.run((X, Y), batches), eager.run((X, Y), batches), rtol=1e-5)
    assert_equal_to_rounding(step.model, eager.model, 1e-5)
    loss, accuracy = eager.evaluate((X, Y))
    assert step.evaluate((X, Y)) == (pytest.approx(loss, rel=1e-5), accuracy)
    for i, weight in enumerate(step.optimizer.params):
        if weight.mask is not None:
            for array in (weight.data, *step.optimizer.slots(i)):
                assert not array[~weight.mask].view(np.uint32).any()
    for ours, theirs in zip(range(2), range(2), strict=True):
        for one, other in zip(step.optimizer.slots(ours), eager.optimizer.slots(theirs), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_same_again_has_the_same_bits_and_a_call_is_its_steps():
    one, other, third = (on_device(mlp(0.4), kernels={"0.weight": "sparse"}) for _ in range(3))
    batches = np.arange(18).reshape(2, BATCH)
    losses = one.run((X, Y), batches)
    assert losses.tolist() == other.run((X, Y), batches).tolist() == [third(X[batch], Y[batch]) for batch in batches]
    assert_equal_bits(one.model, other.model)
    assert_equal_bits(one.model, third.model)


def test_the_host_waits_once_a_call_and_once_an_evaluation(monkeypatch):
    step = on_device(mlp())
    step((X, Y), np.arange(BATCH)), step.evaluate((X, Y))
    waits, kind = [], type(memory.zeros(1, np.float32))
    fetch = kind.copy_to_host
    monkeypatch.setattr(kind, "copy_to_host", lambda self, *given: waits.append(self) or fetch(self, *given))
    step.run((X, Y), np.arange(18).reshape(2, BATCH))
    assert len(waits) == 1
    step.evaluate((X, Y))
    assert len(waits) == 2
    step.model.state_dict()
    assert len(waits) == 3, "all parameters come in one piece"


def test_what_is_read_is_the_newest_and_what_is_written_is_seen():
    step, eager = twins(mlp(0.5), "adam", BATCH, device="cuda")
    for one in (step, eager):
        one((X, Y), np.arange(BATCH))
        weight = one.model.prunable()["0.weight"]
        weight.data = np.where(weight.mask, 0.1, 0)
        one.optimizer.lr = 0.01
        one((X, Y), np.arange(BATCH, 2 * BATCH))
    assert_equal_to_rounding(step.model, eager.model, 1e-5)


def test_a_new_mask_takes_values_along_and_frees_what_was_there():
    step, eager = twins(mlp(0.8), "momentum", BATCH, kernels="sparse", device="cuda")
    for one in (step, eager):
        one((X, Y), np.arange(BATCH))
    before = weakref.ref(step._program._program)
    for one in (step, eager):
        weight = one.model.prunable()["0.weight"]
        weight.mask = weight.mask & (np.random.default_rng(3).random(weight.shape) < 0.6)
    gc.disable()  # the device's memory must not wait for it
    try:
        for one in (step, eager):
            one((X, Y), np.arange(BATCH))
        assert before() is None
    finally:
        gc.enable()
    assert_equal_to_rounding(step.model, eager.model, 1e-5)


def test_layers_run_sparse_below_the_published_break_even_unless_told_otherwise():
    model = masked(mlp(), 0.2)
    model.prunable()["2.weight"].mask = np.arange(20).reshape(4, 5) % 2 == 0
    plan = on_device(model).plan()
    assert plan == {"mode": "compiled", "device": "cuda", "kernels": {"0.weight": "sparse", "2.weight": "dense"}}
    assert set(on_device(model, kernels="dense").plan()["kernels"].values()) == {"dense"}


def test_explain_says_what_runs_where():
    words = on_device(mlp(0.2)).explain()
    assert "device: cuda" in words
    assert "sparse" in words


def test_eager_gradients_and_changing_masks_go_on_from_the_device():
    step, eager = twins(mlp(0.5), "momentum", BATCH, device="cuda")
    for one in (step, eager):
        one((X, Y), np.arange(BATCH))
    np.testing.assert_allclose(step.gradients(X, Y)["0.weight"], eager.gradients(X, Y)["0.weight"], atol=1e-6)
    mask = np.random.default_rng(4).random((5, 7)) < 0.5
    for one in (step, eager):
        one.change_masks({"0.weight": mask})
        one((X, Y), np.arange(BATCH))
    assert_equal_to_rounding(step.model, eager.model, 1e-5)


class Halved(Module):
    def forward(self, x):
        return x * 0.5


def test_what_cannot_run_there_is_refused():
    model = Sequential(Linear(7, 4, rng=0), Halved())
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    with pytest.raises(InputError, match="device 'cuda' runs compiled networks only"):
        tt.compile(model, "cross_entropy", optimizer, BATCH, device="cuda")
    with pytest.raises(InputError, match=r"no device is called 'cudo' \(did you mean 'cuda'"):
        tt.compile(model, "cross_entropy", optimizer, BATCH, device="cudo")
    step = on_device(mlp())
    assert isinstance(step, CompiledStep)
    with pytest.raises(InputError, match="from 0 to 29"):
        step((X, Y), np.full(BATCH, 30))
    with pytest.raises(InputError, match="compiled for 1 to 9"):
        step((X, Y), np.arange(10))


def test_exhausted_memory_is_one_sentence_and_leaves_the_model_as_it_was(monkeypatch):
    model = mlp()
    before, step = copy.deepcopy(model), on_device(model)

    def exhausted(*given):
        raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    monkeypatch.setattr(memory.cuda, "device_array", exhausted)
    with pytest.raises(
        tt.InputError, match=r"the memory of the CUDA device has no room for .*a smaller batch needs less"
    ):
        step((X, Y), np.arange(BATCH))
    monkeypatch.undo()
    assert_equal_bits(model, before)
    step((X, Y), np.arange(BATCH))
