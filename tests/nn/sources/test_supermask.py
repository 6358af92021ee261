"""The learned supermask against its formula, entry by entry, and against PyTorch's autograd of the authors' formulation."""

import math

import numpy as np
import pytest

from tinyticket import Tensor
from tinyticket.nn.sources import Supermask
from tinyticket.nn.sources.supermask import bernoulli, probability

RNG = np.random.default_rng(0)
WEIGHT, SCORES, DRAW, UPWARD = (RNG.normal(size=(5, 7)).astype(np.float32) for _ in range(4))
DRAW = RNG.random((5, 7)).astype(np.float32)


def sigmoid(s):
    return 1 / (1 + math.exp(-float(s)))


@pytest.mark.parametrize("rescale", [False, True])
def test_forward_keeps_a_weight_where_the_draw_is_below_its_probability(rescale):
    result = bernoulli(Tensor(SCORES), weight=WEIGHT, draw=DRAW, rescale=rescale).data
    kept = [[DRAW[i, j] < sigmoid(SCORES[i, j]) for j in range(7)] for i in range(5)]
    factor = 35 / np.sum(kept) if rescale else 1
    for i, j in np.ndindex(5, 7):
        expected = np.float32(WEIGHT[i, j]) * np.float32(factor) if kept[i][j] else 0
        assert result[i, j] == np.float32(expected)
        assert kept[i][j] or not np.signbit(result[i, j])
    assert result.dtype == np.float32


def test_the_gradient_goes_straight_through_the_draw_to_the_probability():
    scores = Tensor(SCORES, requires_grad=True)
    (bernoulli(scores, weight=WEIGHT, draw=DRAW, rescale=False) * UPWARD).sum().backward()
    for i, j in np.ndindex(5, 7):
        p = sigmoid(SCORES[i, j])
        assert scores.grad[i, j] == pytest.approx(UPWARD[i, j] * WEIGHT[i, j] * p * (1 - p), rel=1e-5, abs=1e-7)
    assert scores.grad.dtype == np.float32


@pytest.mark.parametrize("rescale", [False, True])
def test_the_gradient_is_that_of_the_mask_plus_its_probability_minus_that_detached(torch, rescale):
    s = torch.tensor(SCORES.astype(np.float64), requires_grad=True)
    p = torch.sigmoid(s)
    mask = (torch.tensor(DRAW) < p).double() + p - p.detach()
    effective = torch.tensor(WEIGHT.astype(np.float64)) * mask
    if rescale:
        effective = effective * (mask.numel() / mask.sum())
    (effective * torch.tensor(UPWARD.astype(np.float64))).sum().backward()
    scores = Tensor(SCORES.astype(np.float64), requires_grad=True)
    result = bernoulli(scores, weight=WEIGHT.astype(np.float64), draw=DRAW, rescale=rescale)
    (result * UPWARD.astype(np.float64)).sum().backward()
    np.testing.assert_allclose(result.data, effective.detach().numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(scores.grad, s.grad.numpy(), rtol=1e-10, atol=1e-13)


def test_training_draws_anew_and_evaluation_never_does():
    source = Supermask(WEIGHT, 1, DRAW)
    first, second = source().data, source().data
    assert (first != second).any()
    source.eval()
    assert source().data.tobytes() == source().data.tobytes()
    np.testing.assert_array_equal(source().data != 0, source.mask())
    np.testing.assert_array_equal(source.mask(), DRAW < 0.5)  # all scores are zero


def test_weights_are_there_as_often_as_their_probability_says():
    source = Supermask(np.ones(20_000, np.float32), 3, RNG.random(20_000, np.float32))
    source.scores.data = np.full(20_000, math.log(0.2 / 0.8), np.float32)
    assert source().data.mean() == pytest.approx(0.2, abs=0.015)
    assert source.mask().mean() == pytest.approx(0.2, abs=0.015)


def test_the_scores_are_the_only_parameters():
    source = Supermask(WEIGHT, 1, DRAW)
    assert [name for name, _ in source.named_parameters()] == ["scores"]


def test_a_mask_without_weights_is_no_division_by_zero():
    result = bernoulli(Tensor(SCORES), weight=WEIGHT, draw=np.ones_like(DRAW), rescale=True)
    assert not result.data.any()


def test_probabilities_reach_0_and_1_without_a_warning():
    found = probability(np.array([-200, -100, -60, 0, 60, 200], np.float32))
    assert found.tolist() == [0, 0, pytest.approx(math.exp(-60), rel=1e-5), 0.5, 1, 1]
    assert found.dtype == np.float32


def test_thresholds_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"the weight's shape \(5, 7\), not \(5,\)"):
        Supermask(WEIGHT, 1, DRAW[:, 0])
