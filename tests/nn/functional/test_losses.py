"""Losses: extreme logits and refusals."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.nn import functional as F


def test_cross_entropy_is_the_mean_negative_log_probability_of_the_labels():
    logits, labels = np.array([[1.0, 2, 3], [0, 0, 0]]), np.array([2, 0])
    first = -np.log(np.exp(3) / (np.exp(1) + np.exp(2) + np.exp(3)))
    np.testing.assert_allclose(F.cross_entropy(logits, labels).item(), (first + np.log(3)) / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_neither_overflow_nor_lose_the_gradient(dtype):
    logits = tt.Tensor(np.array([[1e4, 0, -1e4]], dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss = F.cross_entropy(logits, [1])
        loss.backward()
        assert F.softmax(logits).data.tolist() == [[1, 0, 0]]
    assert loss.item() == 1e4
    assert logits.grad.tolist() == [[1, -1, 0]]


@pytest.mark.parametrize("labels", [[0, 2], np.array([0, 2], np.uint8), np.array([0, 2], np.int32)])
def test_labels_are_integers_of_any_kind(labels):
    assert F.cross_entropy(np.zeros((2, 3)), labels).item() == pytest.approx(np.log(3))


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (np.zeros((2, 3)), [0, 3], "labels run from 0 to 3, but there are 3 classes"),
        (np.zeros((2, 3)), [-1, 0], "labels run from -1 to 0, but there are 3 classes"),
        (np.zeros((2, 3)), [0, 1, 2], r"\(2, 3\) and int64 \(3,\)"),
        (np.zeros((2, 3)), [0.0, 1.0], "integer labels.*float64"),
        (np.zeros(3), [0], r"logits \(N, classes\).*\(3,\)"),
        (np.zeros((2, 3)), [[0], [1]], r"\(2, 1\)"),
    ],
)
def test_labels_that_do_not_fit_the_logits_are_refused(logits, labels, words):
    with pytest.raises(ValueError, match=words):
        F.cross_entropy(logits, labels)


def test_mse_loss_refuses_to_broadcast():
    """(N,) against (N, 1) would silently compare every example with every other."""
    with pytest.raises(ValueError, match=r"\(3,\).*\(3, 1\)"):
        F.mse_loss(np.zeros(3), np.zeros((3, 1)))


@pytest.mark.parametrize("loss", [F.cross_entropy, F.mse_loss])
def test_an_unknown_reduction_is_refused(loss):
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none', not 'average'"):
        loss(np.zeros((2, 2)), np.zeros(2, int) if loss is F.cross_entropy else np.zeros((2, 2)), reduction="average")


def test_an_ignored_example_counts_nowhere_whatever_it_is():
    logits = tt.Tensor(np.array([[1.0, 2], [3, 5], [0, 1]]), requires_grad=True)
    loss = F.cross_entropy(logits, [0, -100, 1], ignore_index=-100)
    assert loss.item() == pytest.approx(F.cross_entropy(logits.data[[0, 2]], [0, 1]).item())
    loss.backward()
    assert not logits.grad[1].any()
    assert F.nll_loss([[-np.inf, 0.0]], [0], "sum", ignore_index=0).item() == 0


def test_no_label_is_ignored_unasked():
    with pytest.raises(ValueError, match="labels run from -100 to 0"):
        F.cross_entropy(np.zeros((2, 3)), [0, -100])


def test_as_many_weights_as_classes_are_wanted():
    with pytest.raises(ValueError, match=r"weight has shape \(2,\), but there are 3 classes"):
        F.cross_entropy(np.zeros((2, 3)), [0, 1], weight=[1, 2])
    with pytest.raises(tt.InputError, match=r"class weights get no gradient; give weight\.data"):
        F.nll_loss(np.zeros((2, 3)), [0, 1], weight=tt.Tensor(np.ones(3), requires_grad=True))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_an_example_of_weight_two_counts_as_two_examples(reduction, smoothing):
    logits, labels = np.random.default_rng(0).normal(size=(3, 4)), np.array([1, 0, 3])
    twice = F.cross_entropy(logits[[0, 1, 1, 2]], labels[[0, 1, 1, 2]], reduction, label_smoothing=smoothing)
    weighted = F.cross_entropy(logits, labels, reduction, label_smoothing=smoothing, sample_weight=[1, 2, 1])
    assert weighted.item() == pytest.approx(twice.item())
    numbers = F.mse_loss(logits[[0, 1, 1, 2]], np.ones((4, 4)), reduction).item()
    assert F.mse_loss(logits, np.ones((3, 4)), reduction, sample_weight=[1, 2, 1]).item() == pytest.approx(numbers)


def test_weights_are_one_for_each_example():
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\), but there are targets of shape \(2,\)"):
        F.cross_entropy(np.zeros((2, 3)), [0, 1], sample_weight=[1, 1, 1])
    with pytest.raises(ValueError, match=r"label_smoothing is from 0 to 1, not 2"):
        F.cross_entropy(np.zeros((2, 3)), [0, 1], label_smoothing=2)


def test_weighted_squares_have_the_gradient_of_their_mean():
    target, weights = np.ones((2, 2)), [1.0, 3.0]
    assert tt.gradcheck(lambda x: F.mse_loss(x, target, sample_weight=weights), [np.array([[1.0, 2], [3, 5]])])


def test_huge_logits_of_yes_and_no_do_not_overflow():
    logits = tt.Tensor(np.array([1e4, -1e4], np.float32), requires_grad=True)
    with np.errstate(over="raise", invalid="raise"):
        loss = F.binary_cross_entropy_with_logits(logits, [0, 1])
        loss.backward()
    assert loss.item() == 1e4
    assert logits.grad.tolist() == [0.5, -0.5]
