"""Layers as functions: gradients, dtypes, extreme inputs and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyticket as tt
from tests.autograd.problems import EXAMPLES, check_dtypes, check_gradient
from tests.nn.functions import FUNCTIONS
from tinyticket.nn import functional as F

every_function = pytest.mark.parametrize("problems", FUNCTIONS.values(), ids=FUNCTIONS.keys())


@every_function
@EXAMPLES
@given(data=st.data())
def test_gradient_agrees_with_finite_differences(problems, data):
    check_gradient(data.draw(problems))


@every_function
@EXAMPLES
@given(data=st.data())
def test_float32_and_float64_are_kept_in_value_and_gradient(problems, data):
    check_dtypes(data.draw(problems))


def one_node_deep(tensor) -> bool:
    return tensor.node is not None and all(part.node is None for part in tensor.node.inputs)


def test_each_function_is_one_node_of_the_tape():
    x = tt.Tensor(np.ones((2, 3)), requires_grad=True)
    for result in (
        F.linear(x, np.ones((4, 3)), np.ones(4)),
        F.relu(x),
        F.dropout(x, 0.5, rng=0),
        F.flatten(x),
        F.log_softmax(x),
        F.cross_entropy(x, [0, 1]),
        F.mse_loss(x, np.zeros((2, 3))),
    ):
        assert one_node_deep(result)


# -- losses


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


# -- linear


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(2, 3), (4, 5)], r"\(2, 3\).*\(4, 5\)"),
        ([(), (4, 5)], r"\(\).*\(4, 5\)"),
        ([(2, 3), (4, 3), (5,)], r"\(2, ?4\).*\(5,\)"),
        ([(2, 3), (3,)], r"\(3,\)"),
        ([(2, 3), ()], r"\(\)"),
        ([(2, 3), (2, 4, 3)], r"\(2, 4, 3\)"),
    ],
    ids=["features", "no features", "bias", "weight of one axis", "weight of no axis", "weight of three axes"],
)
def test_linear_refuses_shapes_that_do_not_fit_and_names_them(shapes, words):
    with pytest.raises(ValueError, match=words):
        F.linear(*(np.ones(shape) for shape in shapes))


# -- dropout


def test_dropout_drops_the_fraction_and_scales_the_rest():
    result = F.dropout(np.ones(100_000, np.float32), 0.25, rng=0).data
    assert set(np.unique(result)) == {0, np.float32(1 / 0.75)}
    assert (result == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert result.mean() == pytest.approx(1, abs=0.01)


def test_dropout_draws_from_its_generator():
    x, generator = np.ones(100), np.random.default_rng(5)
    first, second = F.dropout(x, rng=generator).data, F.dropout(x, rng=generator).data
    assert (first != second).any()
    np.testing.assert_array_equal(first, F.dropout(x, rng=5).data)
    assert (F.dropout(x).data != F.dropout(x).data).any()


@pytest.mark.parametrize("arguments", [{"p": 0}, {"training": False}])
def test_dropout_does_nothing_in_evaluation_or_with_probability_zero(arguments):
    x = tt.Tensor(np.ones(3))
    assert F.dropout(x, **arguments) is x


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="dropout: p is a probability"):
        F.dropout(np.ones(3), p)
