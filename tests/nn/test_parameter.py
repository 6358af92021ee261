"""Parameters: masks that hold bit for bit, values that belong to the parameter alone; buffers."""

import copy

import numpy as np
import pytest

from tests.nn.bits import assert_positive_zeros
from tinyticket.nn import Buffer, Parameter

VALUES = np.array([[-1.0, 2.0], [-3.0, np.inf]], np.float32)
MASK = np.array([[False, True], [False, False]])


def test_a_parameter_requires_a_gradient_and_has_no_mask():
    parameter = Parameter(VALUES)
    assert parameter.requires_grad
    assert parameter.mask is None
    assert parameter.dtype == np.float32


def test_pruned_weights_are_positive_zeros_and_survivors_untouched():
    parameter = Parameter(VALUES.copy(), MASK)
    assert_positive_zeros(parameter.data[~MASK])
    assert parameter.data[0, 1] == 2


def test_a_new_mask_replaces_the_old_and_none_lifts_it():
    parameter = Parameter(VALUES.copy(), MASK)
    parameter.mask = None
    parameter.data[...] = VALUES
    parameter.mask = ~MASK
    assert_positive_zeros(parameter.data[MASK])
    assert parameter.data[0, 0] == -1


def test_new_data_keep_the_mask():
    parameter = Parameter(VALUES.copy(), MASK)
    parameter.data = VALUES
    assert_positive_zeros(parameter.data[~MASK])
    assert parameter.data[0, 1] == 2


def test_the_mask_is_copied():
    mask = MASK.copy()
    parameter = Parameter(VALUES.copy(), mask)
    mask[...] = True
    np.testing.assert_array_equal(parameter.mask, MASK)


@pytest.mark.parametrize("shape", [(2,), (1, 1), ()])
def test_new_data_of_another_shape_are_refused_even_if_they_would_broadcast(shape):
    parameter = Parameter(VALUES)
    with pytest.raises(ValueError, match=r"do not fit a parameter of shape \(2, 2\)"):
        parameter.data = np.zeros(shape)
    np.testing.assert_array_equal(parameter.data, VALUES)


def test_new_data_are_written_where_the_parameter_is():
    """Whoever holds the array, an optimizer or an arena, sees the new values."""
    parameter = Parameter(VALUES)
    array = parameter.data
    parameter.data = VALUES + 1
    assert parameter.data is array
    np.testing.assert_array_equal(array, VALUES + 1)


@pytest.mark.parametrize("mask", [np.ones(2, bool), np.ones((2, 2)), np.ones((2, 2), np.uint8)])
def test_a_mask_of_another_shape_or_kind_is_refused_and_changes_nothing(mask):
    parameter = Parameter(VALUES.copy())
    with pytest.raises(ValueError, match=r"shape \(2, 2\) is a boolean array of that shape, not"):
        parameter.mask = mask
    assert parameter.mask is None
    np.testing.assert_array_equal(parameter.data, VALUES)


def test_initial_values_are_not_aliased():
    """The published mistake: training, which writes in place, overwrote theta_0."""
    theta_0 = VALUES.copy()
    parameter = Parameter(theta_0, MASK)
    parameter.data += 1
    np.testing.assert_array_equal(theta_0, VALUES)


def test_rewinding_by_assignment_does_not_alias():
    theta_0 = VALUES.copy()
    parameter = Parameter(np.zeros((2, 2), np.float32))
    parameter.data = theta_0
    parameter.data += 1
    np.testing.assert_array_equal(theta_0, VALUES)


def test_a_deep_copy_has_values_and_mask_of_its_own():
    parameter = Parameter(VALUES.copy(), MASK)
    twin = copy.deepcopy(parameter)
    np.testing.assert_array_equal(twin.mask, MASK)
    twin.data += 1
    assert parameter.data[0, 1] == 2
    twin.mask = ~MASK
    np.testing.assert_array_equal(parameter.mask, MASK)


def test_a_deep_copy_of_a_frozen_parameter_is_frozen():
    parameter = Parameter(VALUES.copy())
    parameter.requires_grad = False
    assert not copy.deepcopy(parameter).requires_grad


def test_a_buffer_copies_its_data_and_shows_them():
    data = np.zeros(2)
    buffer = Buffer(data)
    data += 1
    assert buffer.data.tolist() == [0, 0]
    assert "0., 0." in repr(buffer)
    buffer.data = data
    data += 1
    assert buffer.data.tolist() == [1, 1]


def test_a_buffer_changes_its_dtype_only_if_it_holds_floating_numbers():
    mean, count = Buffer(np.zeros(2, np.float32)), Buffer(np.arange(2))
    for buffer in (mean, count):
        buffer.convert(np.float64)
    assert (mean.data.dtype, count.data.dtype) == (np.float64, np.int64)
