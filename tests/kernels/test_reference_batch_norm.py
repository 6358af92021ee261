"""The reference kernels of batch normalisation, channel by channel."""

import numpy as np
import pytest

from tinyticket.kernels import reference

RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.standard_normal((2, 3))
EPS = 0.01
both_shapes = pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 5)])


@both_shapes
def test_training_and_running_statistics(shape):
    x = RNG.standard_normal(shape)
    mean, var = reference.batch_statistics(x)
    y = reference.batch_norm(x, mean, var, WEIGHT, BIAS, EPS)
    running_mean, running_var = np.array([1.0, 2, 3]), np.array([4.0, 5, 6])
    count = x.size // 3
    reference.update_running(running_mean, running_var, mean, var, count, 0.25)
    for c in range(3):
        numbers = x[:, c]
        expected = WEIGHT[c] * (numbers - numbers.mean()) / np.sqrt(numbers.var() + EPS) + BIAS[c]
        np.testing.assert_allclose(y[:, c], expected)
        assert running_mean[c] == pytest.approx(0.75 * (1 + c) + 0.25 * numbers.mean())
        assert running_var[c] == pytest.approx(0.75 * (4 + c) + 0.25 * numbers.var(ddof=1))


@both_shapes
def test_gradients_are_those_of_the_jacobian(shape):
    """Each channel's Jacobian, for m numbers z of mean 0: inverse * (I - 1 / m - z z^T / m)."""
    x, dy = RNG.standard_normal(shape), RNG.standard_normal(shape)
    mean, var = reference.batch_statistics(x)
    training = reference.batch_norm_input_gradient(dy, x, mean, var, WEIGHT, EPS)
    fixed = reference.batch_norm_eval_input_gradient(dy, var, WEIGHT, EPS)
    dweight, dbias = reference.batch_norm_weight_gradient(dy, x, mean, var, EPS), reference.batch_norm_bias_gradient(dy)
    for c in range(3):
        m = x[:, c].size
        inverse = 1 / np.sqrt(var[c] + EPS)
        z, g = ((x[:, c] - mean[c]) * inverse).reshape(m), dy[:, c].reshape(m)
        jacobian = WEIGHT[c] * inverse * (np.eye(m) - 1 / m - np.outer(z, z) / m)
        np.testing.assert_allclose(training[:, c].reshape(m), jacobian @ g)
        np.testing.assert_allclose(fixed[:, c].reshape(m), WEIGHT[c] * inverse * g)
        assert dweight[c] == pytest.approx(z @ g)
        assert dbias[c] == pytest.approx(g.sum())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept_and_inputs_not_written(dtype):
    x, dy = RNG.standard_normal((2, 4, 3, 2, 2)).astype(dtype)
    weight, bias = WEIGHT.astype(dtype), BIAS.astype(dtype)
    before = x.tobytes(), dy.tobytes()
    mean, var = reference.batch_statistics(x)
    for result in (
        mean,
        var,
        reference.batch_norm(x, mean, var, weight, bias),
        reference.batch_norm_input_gradient(dy, x, mean, var, weight),
        reference.batch_norm_eval_input_gradient(dy, var, weight),
        reference.batch_norm_weight_gradient(dy, x, mean, var),
        reference.batch_norm_bias_gradient(dy),
    ):
        assert result.dtype == dtype
    assert (x.tobytes(), dy.tobytes()) == before
