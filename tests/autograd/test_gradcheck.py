"""gradcheck passes right gradients and fails on wrong ones, small mistakes included."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.autograd import operation

POINT = np.array([[0.3, -1.2, 0.7], [2.1, 0.4, -0.6]])


@operation
def forgets_the_inner_derivative(a):
    return np.sin(2 * a), (lambda g: g * np.cos(2 * a),)


@operation
def flips_a_sign(a, b):
    return a - b, (lambda g: g, lambda g: g)


@operation
def swaps_its_inputs(a, b):
    return a * b, (lambda g: g * a, lambda g: g * b)


@operation
def off_by_one_part_in_ten_thousand(a):
    return a * a, (lambda g: 2.0002 * g * a,)


@operation
def wrong_in_one_element(a):
    def gradient(g):
        result = g * 3
        result.flat[0] += 0.01
        return result

    return 3 * a, (gradient,)


@operation
def keeps_the_rows_in_the_wrong_order(a):
    return a[::-1], (lambda g: g,)


@operation
def freezes_negative_weights(a):
    """The published mistake: "small" tested without the absolute value."""
    return a * a, (lambda g: np.where(a < 1e-6, 0, 2 * g * a),)


def hides_a_dependence(a):
    return a * a.data


def forgets_an_input(a, b):
    return a + b.detach()


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (forgets_the_inner_derivative, [POINT]),
        (flips_a_sign, [POINT, POINT]),
        (swaps_its_inputs, [POINT, POINT + 1]),
        (off_by_one_part_in_ten_thousand, [POINT]),
        (wrong_in_one_element, [POINT]),
        (keeps_the_rows_in_the_wrong_order, [POINT]),
        (freezes_negative_weights, [POINT]),
        (hides_a_dependence, [POINT]),
        (forgets_an_input, [POINT, POINT]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_gradient_is_found_from_any_seed(f, inputs):
    for seed in range(5):
        with pytest.raises(AssertionError, match=r"backward\(\) gives .* finite differences give"):
            tt.gradcheck(f, inputs, rng=seed)


def test_the_message_names_the_input_that_is_wrong():
    with pytest.raises(AssertionError, match=r"input 1 of shape \(2, 3\)"):
        tt.gradcheck(flips_a_sign, [POINT, POINT])


def test_a_gradient_of_nan_is_wrong():
    @operation
    def gives_nan(a):
        return a * 2, (lambda g: g * np.nan,)

    with pytest.raises(AssertionError):
        tt.gradcheck(gives_nan, [POINT])


def test_right_gradients_pass_for_arrays_tensors_and_numbers_alike():
    def f(a, b, c):
        return ((a @ b).tanh() * c).sum(axis=0)

    assert tt.gradcheck(f, [POINT.astype(np.float32), tt.Tensor(POINT.T), 2]) is True


def test_a_function_that_does_not_depend_on_an_input_passes():
    assert tt.gradcheck(lambda a, b: a * 2, [POINT, POINT])
    assert tt.gradcheck(lambda a: tt.Tensor(POINT), [POINT])


def test_the_inputs_are_left_as_they_were():
    leaf = tt.Tensor(POINT.copy(), requires_grad=True)
    tt.gradcheck(lambda a: a.exp(), [leaf])
    assert leaf.grad is None
    np.testing.assert_array_equal(leaf.data, POINT)
