"""Edge-popup against a slow implementation: sort, keep the first k, pass the gradient on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinyticket import Tensor
from tinyticket.nn.sources import EdgePopup, largest
from tinyticket.nn.sources.edge_popup import popped_up

RNG = np.random.default_rng(0)
WEIGHT, SCORES, UPWARD = (RNG.normal(size=(5, 7)).astype(np.float32) for _ in range(3))


def slow(values, count):
    order = sorted(range(values.size), key=lambda i: (-values.ravel()[i], i))
    kept = np.zeros(values.size, bool)
    kept[order[:count]] = True
    return kept.reshape(values.shape)


@given(st.data())
def test_the_largest_are_exactly_so_many_and_of_equal_ones_the_first(data):
    values = data.draw(arrays.arrays(np.float32, (3, 5), elements=st.sampled_from([0, 1, 2, 3.5])))
    count = data.draw(st.integers(1, 15))
    np.testing.assert_array_equal(largest(values, count), slow(values, count))


@pytest.mark.parametrize("count", [1, 17, 35])
def test_forward_keeps_the_largest_scores_of_either_sign(count):
    result = popped_up(Tensor(SCORES), weight=WEIGHT, count=count).data
    expected = np.where(slow(np.abs(SCORES), count), WEIGHT, np.float32(0))
    assert result.tobytes() == expected.tobytes()


def test_the_gradient_reaches_every_score_as_if_its_weight_were_there():
    scores = Tensor(SCORES, requires_grad=True)
    (popped_up(scores, weight=WEIGHT, count=4) * UPWARD).sum().backward()
    for i, j in np.ndindex(5, 7):
        assert scores.grad[i, j] == UPWARD[i, j] * WEIGHT[i, j] * (1 if SCORES[i, j] > 0 else -1)


def test_the_gradient_is_that_of_the_mask_plus_its_scores_magnitude_minus_that_detached(torch):
    s = torch.tensor(SCORES, requires_grad=True)
    mask = torch.tensor(slow(np.abs(SCORES), 4)) + s.abs() - s.abs().detach()
    (torch.tensor(WEIGHT) * mask * torch.tensor(UPWARD)).sum().backward()
    scores = Tensor(SCORES, requires_grad=True)
    (popped_up(scores, weight=WEIGHT, count=4) * UPWARD).sum().backward()
    np.testing.assert_allclose(scores.grad, s.grad.numpy(), rtol=1e-6)


def test_scores_start_kaiming_uniform_with_a_of_root_five():
    scores = EdgePopup(np.zeros((50, 16, 3, 3), np.float32), 1, 0).scores.data
    bound = np.sqrt(6 / ((1 + 5) * 16 * 9))  # gain sqrt(2 / (1 + a^2)), bound sqrt(3) gain / sqrt(fan_in)
    assert np.abs(scores).max() == pytest.approx(bound, rel=1e-3)
    assert scores.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert scores.dtype == np.float32


def test_the_mask_is_what_the_forward_pass_keeps():
    source = EdgePopup(WEIGHT, 9, 0)
    np.testing.assert_array_equal(source.mask(), source().data != 0)
    assert [name for name, _ in source.named_parameters()] == ["scores"]


@pytest.mark.parametrize("count", [0, 36, -1])
def test_a_layer_keeps_from_one_to_all_of_its_weights(count):
    with pytest.raises(ValueError, match="from 1 to all 35 weights"):
        EdgePopup(WEIGHT, count, 0)
