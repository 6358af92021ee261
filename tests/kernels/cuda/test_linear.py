"""Linear layers: through cuBLAS, or through a function of the host that does the same where it is not there, and without."""

import ctypes

import numpy as np
import pytest

from tests.kernels.cuda.arrays import device, images_of, linear, run, same, value
from tinyticket.kernels import reference
from tinyticket.kernels.cuda import linear as family
from tinyticket.kernels.cuda import tiles, toolkit

CASE = linear(7, 5, 3)


def sgemm(handle, turned_a, turned_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """Do as the standard of BLAS says, on matrices whose columns are contiguous."""

    def matrix(address, rows, columns, leading):
        assert leading >= rows
        numbers = (ctypes.c_float * (leading * columns)).from_address(address)
        return np.frombuffer(numbers, np.float32).reshape(columns, leading).T[:rows]

    left = matrix(a, k, m, lda).T if turned_a else matrix(a, m, k, lda)
    right = matrix(b, n, k, ldb).T if turned_b else matrix(b, k, n, ldb)
    scales = [ctypes.c_float.from_address(factor).value for factor in (alpha, beta)]
    out = matrix(c, m, n, ldc)
    out[...] = scales[0] * (left @ right) + (scales[1] * out if scales[1] else 0)


@pytest.fixture(autouse=True, params=["cuBLAS", "own kernels"])
def by(request, monkeypatch):
    if request.param == "own kernels":
        monkeypatch.setattr(family, "cublas", lambda: None)
    elif toolkit.simulated():
        monkeypatch.setattr(family, "cublas", lambda: (sgemm, 1))
        monkeypatch.setattr(family, "_address", lambda array: array.ctypes.data)  # the simulator's arrays have no other
    elif family.cublas() is None:
        pytest.skip("nothing brings cuBLAS")
    return request.param


def numbers():
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(np.float32) for shape in (CASE.x_shape, CASE.y_shape))
    return x, dy, rng.standard_normal((3, 5)).astype(np.float32), rng.standard_normal(3).astype(np.float32)


@pytest.mark.parametrize("whole", [True, False], ids=["bias and ReLU", "alone"])
def test_linear(whole):
    x, dy, weight, bias = numbers()
    y = value(np.full_like(dy, np.nan), CASE.y, 32)
    given = value(x, CASE.x, 32), device(weight), device(bias) if whole else None, y, CASE.g
    run(family.linear(*given, relu=int(whole)))
    expected = reference.linear(x[:, :, 0, 0], weight, bias if whole else None)
    same(images_of(y, CASE.y, 7)[:, :, 0, 0], np.maximum(expected, 0) if whole else expected)


@pytest.mark.parametrize("x_is_relu_output", [0, 1])
def test_linear_input_gradient(x_is_relu_output):
    x, dy, weight, _ = numbers()
    dx = value(np.full_like(x, np.nan), CASE.x, 32)
    given = device(weight), value(x, CASE.x, 32), value(dy, CASE.y, 32, rubbish=0), dx, CASE.g
    run(family.linear_input_gradient(*given, x_is_relu_output))
    expected = reference.linear_input_gradient(dy[:, :, 0, 0], weight)
    expected = np.where(x[:, :, 0, 0] <= 0, 0, expected) if x_is_relu_output else expected
    same(images_of(dx, CASE.x, 7)[:, :, 0, 0], expected)


def test_linear_weight_gradient():
    x, dy, weight, _ = numbers()
    gradient = device(np.full(weight.size, np.nan, np.float32))
    assert family.linear_splits(CASE.g) == 1
    family.linear_weight_gradient(value(x, CASE.x, 32), value(dy, CASE.y, 32, rubbish=0), gradient, CASE.g).run()
    expected = reference.linear_weight_gradient(dy[:, :, 0, 0], x[:, :, 0, 0])
    same(gradient.copy_to_host().reshape(weight.shape), expected)


def test_launches_are_those_of_convolutions_without_cublas(by):
    table = device(np.zeros(1, np.float32))
    (launch,) = family.linear(table, table, None, table, CASE.g)
    assert (launch.kernel is tiles.SMALL.correlate) == (by == "own kernels")
