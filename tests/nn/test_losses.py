"""Losses as objects: evaluations are means over all examples, each counting as its weight says."""

import numpy as np
import pytest

from tinyticket.autograd import Tensor
from tinyticket.data import weighted
from tinyticket.errors import InputError
from tinyticket.nn import functional
from tinyticket.nn.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError, loss_of

OUTPUTS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
LABELS, NUMBERS = np.array([0, 2, 1, 1, 0, 2]), np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
LOSSES = [
    (CrossEntropy(), OUTPUTS, LABELS),
    (CrossEntropy([1, 2, 3], 0.2), OUTPUTS, LABELS),
    (BinaryCrossEntropy(), OUTPUTS[:, :1], LABELS % 2),
    (MeanSquaredError(), OUTPUTS, NUMBERS),
]


def evaluated(loss, outputs, targets):
    return loss.report(*loss.sums(Tensor(outputs), targets), targets)


@pytest.mark.parametrize(("loss", "outputs", "targets"), LOSSES)
def test_an_evaluation_reports_the_loss_of_a_step_on_the_same_examples(loss, outputs, targets):
    for some in (targets, weighted(targets, [1, 2, 3, 1, 2, 3])):
        assert evaluated(loss, outputs, some)[0] == pytest.approx(loss(Tensor(outputs), some).item(), rel=1e-6)


@pytest.mark.parametrize(("loss", "outputs", "targets"), LOSSES)
def test_an_example_of_weight_two_is_evaluated_as_two_examples(loss, outputs, targets):
    twice = [0, 1, 1, 2, 3, 4, 5]
    expected = evaluated(loss, outputs[twice], targets[twice])
    assert evaluated(loss, outputs, weighted(targets, [1, 2, 1, 1, 1, 1])) == pytest.approx(expected, rel=1e-6)


def test_r2_is_one_minus_the_share_of_the_variance_that_is_left():
    loss, metric = evaluated(MeanSquaredError(), OUTPUTS, NUMBERS)
    assert loss == pytest.approx(np.mean((OUTPUTS - NUMBERS) ** 2), rel=1e-6)
    assert metric == pytest.approx(1 - loss / np.mean((NUMBERS - NUMBERS.mean(axis=0)) ** 2), rel=1e-6)
    means = np.broadcast_to(NUMBERS.mean(axis=0), NUMBERS.shape)
    assert evaluated(MeanSquaredError(), means, NUMBERS)[1] == pytest.approx(0, abs=1e-6)
    assert evaluated(MeanSquaredError(), OUTPUTS[:, 0] * 0 + 2, np.full((6, 1), 2, np.float32))[1] == 1


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("cross_entropy", CrossEntropy),
        (functional.cross_entropy, CrossEntropy),
        ("mse_loss", MeanSquaredError),
        (functional.mse, MeanSquaredError),
        (functional.binary_cross_entropy_with_logits, BinaryCrossEntropy),
    ],
)
def test_names_and_functions_stand_for_losses(given, kind):
    assert type(loss_of(given)) is kind


@pytest.mark.parametrize("given", [np.mean, None])
def test_other_functions_and_nothing_are_no_losses(given):
    with pytest.raises(InputError, match="of others write an eager loop"):
        loss_of(given)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1, 2], "one for each of 3 examples"),
        ([1, 0, 1], "weight at index 1 is 0.0"),
        ([1, 1, np.nan], "index 2 is nan"),
    ],
)
def test_weights_are_numbers_above_zero_one_for_each_example(weights, words):
    with pytest.raises(InputError, match=words):
        weighted([0, 1, 2], weights)
