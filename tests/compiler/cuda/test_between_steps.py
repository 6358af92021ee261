"""What may happen to a step on a device between two steps, and what is said of it."""

import copy
import gc

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.cuda.mlps import BATCH, X, Y, mlp, on_device
from tests.compiler.networks import OPTIMIZERS, assert_equal_bits, assert_equal_to_rounding, masked, twins
from tinyticket.compiler import CompiledStep
from tinyticket.compiler.cuda.arena import Arena
from tinyticket.compiler.cuda.choice import OVER_CUBLAS, OVER_OWN, break_even
from tinyticket.errors import InputError
from tinyticket.kernels.cuda import linear, memory
from tinyticket.nn import Linear, Module, Sequential


def test_what_is_read_is_the_newest_and_what_is_written_is_seen():
    step, eager = twins(mlp(0.5), "adam", BATCH, device="cuda")
    for one in (step, eager):
        one((X, Y), np.arange(BATCH))
        weight = one.model.prunable()["0.weight"]
        weight.data = np.where(weight.mask, 0.1, 0)
        one.optimizer.lr = 0.01
        one((X, Y), np.arange(BATCH, 2 * BATCH))
    assert_equal_to_rounding(step.model, eager.model, 1e-5)


def allocated():
    """Count the arenas that there are."""
    return sum(type(each) is Arena for each in gc.get_objects())


def test_a_new_mask_takes_values_along_and_frees_what_was_there():
    step, eager = twins(mlp(0.8), "momentum", BATCH, kernels="sparse", device="cuda")
    gc.collect()
    gc.disable()  # the device's memory must not wait for it
    try:
        others = allocated()
        for density in (1, 0.6):
            for one in (step, eager):
                weight = one.model.prunable()["0.weight"]
                weight.mask = weight.mask & (np.random.default_rng(3).random(weight.shape) < density)
                one((X, Y), np.arange(BATCH))
            assert allocated() == others + 1
    finally:
        gc.enable()
    assert_equal_to_rounding(step.model, eager.model, 1e-5)


def test_layers_run_sparse_below_the_measured_break_even_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(linear, "cublas", lambda: None)
    model = masked(mlp(), 0.4)
    model.prunable()["2.weight"].mask = np.arange(20).reshape(4, 5) % 4 > 0
    plan = on_device(model).plan()
    assert plan == {"mode": "compiled", "device": "cuda", "kernels": {"0.weight": "sparse", "2.weight": "dense"}}
    assert set(on_device(model, kernels="dense").plan()["kernels"].values()) == {"dense"}
    monkeypatch.setattr(linear, "cublas", lambda: "there")
    assert (break_even(is_linear=True), break_even(is_linear=False)) == (OVER_CUBLAS, OVER_OWN)


def test_explain_says_what_runs_where(monkeypatch):
    monkeypatch.setattr("tinyticket.compiler.explain.REPEATS", 1)
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
