"""Continuous sparsification against its formulas, entry by entry, and against differences of the penalised loss."""

import math

import numpy as np
import pytest

from tinyticket import Tensor, nn
from tinyticket.nn.sources import Continuous
from tinyticket.nn.sources.continuous import gated

RNG = np.random.default_rng(0)
WEIGHT, SCORES, UPWARD = (RNG.normal(size=(4, 5)) for _ in range(3))


def soft(weight, score, beta):
    return weight / (1 + math.exp(-beta * score))


@pytest.mark.parametrize("beta", [1.0, 7.0])
def test_gradients_are_those_of_the_loss_with_the_penalty(beta):
    weight, scores = (Tensor(values, requires_grad=True) for values in (WEIGHT, SCORES))
    result = gated(weight, scores, beta=beta, penalty=0.3)
    (result * UPWARD).sum().backward()

    def loss(w, s, i, j):  # of one entry: what follows, and lambda sigmoid(beta s)
        return UPWARD[i, j] * soft(w, s, beta) + 0.3 * soft(1, s, beta)

    for i, j in np.ndindex(4, 5):
        w, s, h = WEIGHT[i, j], SCORES[i, j], 1e-6
        assert result.data[i, j] == pytest.approx(soft(w, s, beta), rel=1e-12)
        by_weight = (loss(w + h, s, i, j) - loss(w - h, s, i, j)) / (2 * h)
        by_score = (loss(w, s + h, i, j) - loss(w, s - h, i, j)) / (2 * h)
        assert weight.grad[i, j] == pytest.approx(by_weight, rel=1e-6, abs=1e-8)
        assert scores.grad[i, j] == pytest.approx(by_score, rel=1e-6, abs=1e-8)


def test_the_mask_hardens_with_every_training_batch_and_evaluation_has_the_hard_one():
    source = Continuous(nn.Parameter(WEIGHT), steps=3, initial=0.0, penalty=0.0)
    source.scores.data[:] = SCORES
    source.train()
    for beta in (1, math.sqrt(200), 200):
        np.testing.assert_allclose(
            source().data, [*map(lambda w, s, b=beta: [*map(soft, w, s, [b] * 5)], WEIGHT, SCORES)]
        )
    source.eval()
    kept = source().data
    np.testing.assert_array_equal(kept, np.where(SCORES > 0, WEIGHT, 0))
    assert not np.signbit(kept[SCORES <= 0]).any()
    np.testing.assert_array_equal(source.mask(), SCORES > 0)
