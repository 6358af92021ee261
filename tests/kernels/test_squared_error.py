"""The mean squared error of packed outputs against its reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.threads import one_and_two_threads
from tinyticket.errors import InputError
from tinyticket.kernels import cpu, reference
from tinyticket.kernels.cpu.feed import Feed
from tinyticket.kernels.cpu.job import run
from tinyticket.kernels.cpu.squared_error import MseLossEval
from tinyticket.kernels.geometry import Shape


@st.composite
def batches(draw):
    """Yield packed outputs, whose padding holds anything, and targets."""
    samples, count = draw(st.sampled_from([1, 16, 50, 130])), draw(st.sampled_from([1, 2, 17]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    outputs, targets = (rng.standard_normal((samples, count)).astype(np.float32) for _ in range(2))
    packed = cpu.pack(outputs, draw(st.sampled_from([None, 16, 48])))
    packed[-1, :, -1] = np.nan if samples < packed.shape[0] * packed.shape[2] else packed[-1, :, -1]
    return packed, outputs, targets


@settings(max_examples=20, deadline=None)
@given(batches())
def test_mse_loss(batch):
    packed, outputs, targets = batch
    loss, gradient = one_and_two_threads(cpu.mse_loss, packed, targets)
    assert loss == pytest.approx(reference.mse_loss(outputs, targets).mean(), rel=1e-5, abs=1e-6)
    expected = np.zeros((packed.shape[0] * packed.shape[2], outputs.shape[1]))
    expected[: len(outputs)] = reference.mse_loss_gradient(outputs, targets, 1 / len(outputs))
    np.testing.assert_allclose(gradient.transpose(0, 2, 1).reshape(expected.shape), expected, rtol=1e-5, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(batches())
def test_mse_loss_eval_has_the_losses_of_its_samples_in_the_order_of_their_indices(batch):
    packed, outputs, targets = batch
    tiles, count, lanes = packed.shape
    order = np.random.default_rng(0).permutation(len(outputs))
    known = np.empty_like(targets)
    known[order] = targets
    feed = Feed(len(outputs), labels=known.reshape(-1), indices=order)
    losses, hits = np.full((2, tiles * lanes), 7, np.float32)
    for middle in (0, tiles * lanes // 32):
        bounds = np.array([0, middle, tiles * lanes // 16])
        run(MseLossEval(packed, 0, losses, hits, Shape(tiles, count, count, lanes), feed), bounds)
        np.testing.assert_allclose(losses[: len(outputs)], reference.mse_loss(outputs, targets), rtol=1e-5, atol=1e-6)
        assert not losses[len(outputs) :].any()
        assert not hits.any()


def test_the_gradient_of_the_reference_is_that_of_its_losses():
    rng = np.random.default_rng(0)
    outputs, targets, along = (rng.standard_normal((4, 3)) for _ in range(3))
    slope = (
        reference.mse_loss(outputs + 1e-6 * along, targets) - reference.mse_loss(outputs - 1e-6 * along, targets)
    ) / 2e-6
    gradient = reference.mse_loss_gradient(outputs, targets, np.ones((4, 1)))
    np.testing.assert_allclose((gradient * along).sum(axis=1), slope, rtol=1e-6)


@pytest.mark.parametrize("targets", [np.zeros((3, 4)), np.zeros(3), np.zeros((17, 2)), np.zeros((3, 2), int)])
def test_targets_that_do_not_fit_are_refused(targets):
    with pytest.raises(InputError, match="targets are real numbers, 2 for each of at most 16 samples"):
        cpu.mse_loss(cpu.pack(np.zeros((3, 2), np.float32)), targets)
