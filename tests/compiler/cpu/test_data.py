"""Data in the form that steps read: bytes wherever they say exactly the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.cpu.steps import cpu_step, values
from tests.compiler.networks import CLASSES, masked, mlp, network
from tinyticket.compiler.cpu import data as module
from tinyticket.data import Pixels

IMAGES = (3, 8, 8)


def pixels(count, features, seed=0):
    """Return features that are pixels divided by 255."""
    return np.random.default_rng(seed).integers(0, 256, (count, features)).astype(np.float32) / np.float32(255)


def trained(model, shape, data, step, batches):
    losses = step.run(data, batches, [0.1] * len(batches)).tolist()
    return [losses, step.evaluate(data, np.arange(40)), *values(step, model)]


@settings(max_examples=15, deadline=None)
@given(
    features=st.sampled_from([1, 15, 16, 17, 100]),
    density=st.sampled_from([None, 0.4]),
    kernels=st.sampled_from(["dense", "sparse"]),
    batch_size=st.sampled_from([1, 16, 33, 70]),
    seed=st.integers(0, 99),
)
def test_pixels_gathered_as_bytes_give_the_bits_of_numbers(features, density, kernels, batch_size, seed):
    model = mlp(features, 9, CLASSES)
    if density is not None:
        masked(model, density)
    rng = np.random.default_rng(seed)
    x, y, batches = pixels(80, features, seed), rng.integers(0, CLASSES, 80), rng.integers(0, 80, (3, batch_size))
    results = []
    for given_x in (
        x,
        np.concatenate([x, np.full((1, features), 0.3, np.float32)]),
    ):  # the last is no pixel, and not chosen
        step = cpu_step(model, (features,), kernels=kernels, batch_size=batch_size)
        data = step.bind(given_x, np.resize(y, len(given_x)))
        assert data.as_pixels == (len(given_x) == 80)
        results.append(trained(model, (features,), data, step, batches))
    assert results[0] == results[1]


@pytest.mark.parametrize("odd", [-1 / 255, 256 / 255, 0.3, np.nan, np.inf, -np.inf, np.nextafter(np.float32(1), 2)])
@pytest.mark.parametrize("place", [0, 37, -1])
def test_numbers_of_which_one_is_no_pixel_stay_numbers(odd, place, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 16)  # so that the first, a later and the last piece are looked at
    step, x, y = cpu_step(mlp(10, CLASSES), (10,)), pixels(20, 10), np.zeros(20, np.int64)
    assert step.bind(x, y).as_pixels
    x.reshape(-1)[place] = odd
    data = step.bind(x, y)
    assert not data.as_pixels
    assert data.examples.tobytes() == x.tobytes()


def test_images_of_pixels_give_the_bits_of_their_numbers():
    model, rng = masked(network(("conv3", "norm relu", "max"), "global", IMAGES), 0.4), np.random.default_rng(0)
    x = Pixels(rng.integers(0, 256, (50, *IMAGES), np.uint8), [0.4, 0.5, 0.6], [0.2, 0.3, 0.1])
    y, batches, results = rng.integers(0, CLASSES, 50), rng.integers(0, 50, (3, 16)), []
    for given_x, as_pixels in ((x, True), (x[:], False)):
        step = cpu_step(model, IMAGES)
        data = step.bind(given_x, y)
        assert data.as_pixels == as_pixels
        results.append([*trained(model, IMAGES, data, step, batches), step.predict(given_x).tobytes()])
    assert results[0] == results[1]


def test_data_may_be_of_any_kind_and_lie_anyhow():
    step, x, y = cpu_step(mlp(12, CLASSES), (12,)), np.random.default_rng(0).random((30, 12)), np.arange(30) % CLASSES
    x = x.astype(np.float32)
    want = step.evaluate(step.bind(x, y))
    backward = x[::-1].copy()[::-1]
    for same in (
        x.astype(np.float64),
        np.asfortranarray(x),
        x.astype(">f4"),
        backward,
        x.reshape(30, 3, 4),
        x.tolist(),
    ):
        assert step.evaluate(step.bind(np.asarray(same), y)) == want
    for labels in (y.astype(np.uint8), y.astype(np.float64), y.tolist()):
        assert step.evaluate(step.bind(x, labels)) == want


def test_no_examples_can_be_bound():
    step = cpu_step(mlp(12, CLASSES), (12,))
    assert step.bind(np.zeros((0, 12), np.float32), np.zeros(0, np.int64)).size == 0
