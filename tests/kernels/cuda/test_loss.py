"""Loss, hits, their gradient and their sums on a device against the reference; padded lanes count for nothing."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import device
from tinyticket.kernels import reference
from tinyticket.kernels.cuda import loss
from tinyticket.kernels.cuda.geometry import Geometry


@pytest.mark.parametrize(("samples", "lanes"), [(1, 32), (33, 64), (64, 64)])
@pytest.mark.parametrize(("classes", "scale"), [(1, 1.0), (3, 60.0), (10, 1.0)])
def test_cross_entropy(samples, lanes, classes, scale):
    rng = np.random.default_rng(samples + classes)
    logits = np.full((classes, lanes), np.nan, np.float32)
    logits[:, :samples] = rng.standard_normal((classes, samples)) * scale
    logits[-1, : samples // 2] = logits[0, : samples // 2]  # the first of equal ones wins
    labels = rng.integers(0, classes, samples)
    lane_labels = np.zeros(lanes, np.int32)
    lane_labels[:samples] = labels
    gradient, losses, hits = (device(np.full(n, 7, np.float32)) for n in (logits.size, lanes, lanes))
    state = device(np.array([4, samples], np.int32))
    arguments = losses, hits, Geometry.of_features(classes, classes, lanes), state
    loss.cross_entropy(device(logits), device(lane_labels), gradient, *arguments).run()
    expected = reference.log_softmax(logits[:, :samples].T.astype(np.float64))
    told = gradient.copy_to_host().reshape(classes, lanes)
    np.testing.assert_allclose(losses.copy_to_host()[:samples], reference.cross_entropy(expected, labels), 1e-5, 1e-6)
    upstream = reference.cross_entropy_gradient(expected, labels, 1 / samples)
    np.testing.assert_allclose(told[:, :samples].T, upstream, 1e-5, 1e-7)
    expected = logits[:, :samples].argmax(axis=0) == labels
    np.testing.assert_array_equal(hits.copy_to_host()[:samples], expected)
    for spare in (losses.copy_to_host()[samples:], hits.copy_to_host()[samples:], told[:, samples:]):
        assert not spare.any()

    before = losses.copy_to_host()
    loss.cross_entropy_eval(device(logits), device(lane_labels), *arguments).run()
    np.testing.assert_array_equal(losses.copy_to_host(), before)


def test_nan_is_not_lost():
    logits, losses = np.zeros((2, 32), np.float32), device(np.zeros(32, np.float32))
    logits[1, 3] = np.nan
    state, lane_labels = device(np.array([0, 5], np.int32)), device(np.zeros(32, np.int32))
    g = Geometry.of_features(2, 2, 32)
    loss.cross_entropy_eval(device(logits), lane_labels, losses, device(losses), g, state).run()
    assert np.flatnonzero(np.isnan(losses.copy_to_host())).tolist() == [3]


@pytest.mark.parametrize("lanes", [32, 160])
def test_sum_losses_and_go_on_to_the_next_turn(lanes):
    rng = np.random.default_rng(lanes)
    losses, hits = rng.random(lanes).astype(np.float32), (rng.random(lanes) < 0.5).astype(np.float32)
    results, state = device(np.full(8, -1, np.float32)), device(np.array([1, lanes], np.int32))
    for _ in range(2):
        loss.sum_losses(device(losses), device(hits), results, state).run()
    expected = [-1, -1, *2 * [losses.sum(), hits.sum()], -1, -1]
    np.testing.assert_allclose(results.copy_to_host(), expected, 1e-6)
    assert state.copy_to_host().tolist() == [3, lanes]
