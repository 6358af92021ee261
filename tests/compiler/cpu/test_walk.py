"""The walk through a program's tables: any number of threads, in whatever order they come, computes the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.cpu.plain_walk import backward, forward, shuffled, walking
from tests.compiler.cpu.steps import cpu_step, rewind, streams, values
from tests.compiler.networks import CLASSES, OPTIMIZERS, architectures, examples, masked, mlp, network
from tinyticket.compiler.cpu import program
from tinyticket.errors import InputError

ROOT = Path(__file__).parents[3]
IMAGES = (3, 8, 8)


def everything(model, shape, **options):
    """Let a new step train, evaluate, predict and find dense gradients; return the bits of it all."""
    rewind(options.pop("generators", {}))
    step, (x, y), rng = cpu_step(model, shape, gradients=True, **options), examples(shape, 70), np.random.default_rng(1)
    data, few = step.bind(x, y), min(step.batch_size, len(x))
    first = step.run(data, rng.integers(0, len(x), (3, few)), [0.05, 0.02, 0.1])
    loss, gradients = step.dense_gradients(step.bind(x[:few], y[:few]))
    last = step.step(data, np.arange(few - few // 3), 0.05)
    arrays = first, *gradients.values(), step.predict(x)
    return [*(array.tobytes() for array in arrays), loss, last, step.evaluate(data), *values(step, model)]


@settings(max_examples=40, deadline=None)
@given(
    architecture=architectures(),
    kernels=st.sampled_from(["dense", "sparse", "mixed"]),
    make=st.sampled_from(sorted(OPTIMIZERS)),
    batch_size=st.sampled_from([5, 16, 40, 70]),
    turns=st.sampled_from(["batch", "tiles"]),
    threads=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_threads_compute_the_same_bits_in_whatever_order_they_come_to_a_meeting(
    architecture, kernels, make, batch_size, turns, threads, seed
):
    model, shape = architecture
    options = {"make": make, "kernels": kernels, "batch_size": batch_size, "turns": turns, "generators": streams(model)}
    with walking(None, 1):
        alone = everything(model, shape, **options)
    for order in (forward, backward, shuffled(seed)):
        with walking(order, threads):
            assert everything(model, shape, **options) == alone


def lenet():
    return masked(mlp(50, 40, 20, CLASSES), 0.3)


def images():
    return masked(network(("conv3", "norm relu", "residual", "max"), "global", IMAGES), 0.3)


def tiles():
    return masked(network(("conv3", "relu", "max"), "linear", IMAGES), 0.3)


MODELS = {"features": (lenet, (50,)), "images": (images, IMAGES), "tiles": (tiles, IMAGES)}

THREE = """
import numba
from tests.compiler.cpu.plain_walk import walking
from tests.compiler.cpu.test_walk import MODELS, everything

assert numba.config.NUMBA_NUM_THREADS == 3
for make, shape in MODELS.values():
    results = []
    for threads in (1, 2, 3):
        with walking(None, threads):
            results.append(everything(make(), shape, kernels="mixed", batch_size=40))
    assert results[0] == results[1] == results[2]
print("equal")
"""


def test_more_threads_than_cores_compute_the_same_bits():
    environment = os.environ | {"NUMBA_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-c", THREE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (done.stdout, done.returncode) == ("equal\n", 0), done.stderr


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_threads_that_are_not_to_be_had_are_done_without(monkeypatch, kind, hidden):
    make, shape = MODELS[kind]
    alone = everything(make(), shape, threads=1, batch_size=40)
    with walking(None, 2), monkeypatch.context() as patch:
        if not hidden:  # if it is, both parts of a parallel region fall to one thread, which waits and gives up
            patch.setattr(program, "available_threads", numba.get_num_threads)
        numba.set_num_threads(1)
        try:
            assert everything(make(), shape, batch_size=40) == alone
        finally:
            numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


FORK = """
import os, sys, numpy as np, tinyticket as tt
rng = np.random.default_rng(0)
x, y = rng.random((60, 20), np.float32), rng.integers(0, 4, 60)
model = tt.models.create("mlp-20-30-4", (20,), 4, 0)
step = tt.compile(model, "cross_entropy", tt.optim.Adam(model.parameters(), 1e-3), 60, threads=2)
step((x, y), np.arange(60))
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, repr(step((x, y), np.arange(60))).encode())
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert os.read(read, 100).decode() == repr(step((x, y), np.arange(60)))
print("equal")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_goes_on_alone_with_the_same_bits():
    done = subprocess.run([sys.executable, "-c", FORK], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("equal\n", 0), done.stderr


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("wrong", [-1, 70, 2**40, -(2**40)])
@pytest.mark.parametrize("kind", MODELS)
def test_nothing_is_done_with_an_index_that_is_not_in_the_data(kind, wrong, threads):
    make, shape = MODELS[kind]
    model = make()
    step = cpu_step(model, shape, threads=threads, batch_size=20)
    data, before = step.bind(*examples(shape)), values(step, model)
    batches = np.arange(60).reshape(3, 20)
    batches[2, 15] = wrong
    for use in (
        lambda: step.run(data, batches, [0.1] * 3),
        lambda: step.step(data, batches[2], 0.1),
        lambda: step.evaluate(data, batches[2]),
    ):
        with pytest.raises(InputError, match="indices must be from 0 to 69"):
            use()
    assert values(step, model) == before
    assert step.steps_taken == 0
