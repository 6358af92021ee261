"""Batch normalisation on a device against its specification: parts, padded lanes, addends, ReLUs."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import border_is_zero, device, images_of, same, value
from tests.kernels.cuda.test_elementwise import elements
from tinyticket.kernels import reference
from tinyticket.kernels.cuda import batch_norm, geometry
from tinyticket.kernels.cuda.elementwise import Spots
from tinyticket.kernels.geometry import Image

EPS, MOMENTUM = 1e-3, 0.3
CASES = {
    "image": elements(5, 3, (3, 2), 1, 0),
    "features": elements(33, 2, (1, 1), 0, 0),
    "parts": elements(40, 2, (5, 3), 0, 1),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(autouse=True)
def _parts(monkeypatch):
    """Cut channels of few numbers into parts too, the last of them empty."""
    monkeypatch.setattr(batch_norm, "WORTHWHILE", 160)
    monkeypatch.setattr(batch_norm, "BUSY", 12)


class Numbers:
    """What a normalisation reads and remembers."""

    def __init__(self, case, has_addend):
        rng = np.random.default_rng(len(case.x_shape) + case.samples)
        self.x, self.addend, self.dy = (rng.standard_normal(case.x_shape).astype(np.float32) for _ in range(3))
        self.x += 50  # far from zero: squares would not do
        self.weight, self.bias, self.mean = (rng.standard_normal(case.g.inputs).astype(np.float32) for _ in range(3))
        self.variance = rng.random(case.g.inputs).astype(np.float32) + 1
        beside = Image(*case.x[:3], 2)
        self.on_device = value(self.x, case.x, case.g.lanes, rubbish=np.nan)
        spots = Spots(geometry.origin(beside), geometry.row(beside), geometry.plane(beside))
        self.beside = value(self.addend, beside, case.g.lanes), spots, has_addend
        self.small = [device(array) for array in (self.weight, self.bias, self.mean.copy(), self.variance.copy())]
        self.scratch = device(np.full(batch_norm.scratch_size(case.g), np.nan, np.float32))
        self.state = device(np.array([3, case.samples], np.int32))

    def expected(self, mean, var, has_addend, relu):
        y = reference.batch_norm(self.x.astype(np.float64), mean, var, self.weight, self.bias, EPS)
        y = y + self.addend if has_addend else y
        return np.maximum(y, 0) if relu else y


@cases
@pytest.mark.parametrize("fused", [(0, 0), (1, 1)], ids=["alone", "addend and ReLU"])
def test_batch_norm_and_its_gradient(case, fused):
    has_addend, relu = fused
    n, g = Numbers(case, has_addend), case.g
    y, left = value(np.full_like(n.dy, np.nan), case.y, g.lanes), [device(np.zeros(g.inputs, np.float32)) for _ in "mi"]
    batch_norm.batch_statistics(n.on_device, n.scratch, g, n.state).run()
    given = n.on_device, *n.beside, y, *n.small, *left, n.scratch, g, n.state
    batch_norm.batch_norm(*given, EPS, MOMENTUM, relu).run()
    wide = n.x.astype(np.float64)
    mean, var = reference.batch_statistics(wide)
    expected = n.expected(mean, var, has_addend, relu)
    same(images_of(y, case.y, case.samples), expected, 1e-4)
    assert border_is_zero(y, case.y)
    same(left[0].copy_to_host(), mean)
    same(left[1].copy_to_host(), 1 / np.sqrt(var + EPS))
    reference.update_running(n.mean, n.variance, mean, var, wide[:, 0].size, MOMENTUM)
    same(n.small[2].copy_to_host(), n.mean)
    same(n.small[3].copy_to_host(), n.variance)

    dy, dx = value(n.dy, case.y, g.lanes), value(np.full_like(n.x, 2.0), case.x, g.lanes, rubbish=0)
    add, (dweight, dbias) = relu, [device(np.zeros(g.inputs, np.float32)) for _ in "wb"]
    batch_norm.batch_gradient_sums(n.on_device, y, dy, left[0], n.scratch, g, n.state, relu).run()
    given = n.on_device, y, dy, dx, n.small[0], *left, dweight, dbias, n.scratch, g, n.state
    batch_norm.batch_norm_gradient(*given, relu, add, 1 - add).run()
    above = np.where(expected <= 0, 0, n.dy) if relu else n.dy
    gradient = reference.batch_norm_input_gradient(above.astype(np.float64), wide, mean, var, n.weight, EPS)
    same(images_of(dx, case.x, case.samples), gradient + 2 * add, 1e-4)
    same(dbias.copy_to_host(), reference.batch_norm_bias_gradient(above), 1e-4)
    same(dweight.copy_to_host(), reference.batch_norm_weight_gradient(above, wide, mean, var, EPS), 1e-4)
    assert not images_of(dx, case.x, g.lanes)[case.samples :].any()
    assert border_is_zero(dx, case.x)


@cases
def test_batch_norm_eval(case):
    relu = has_addend = int(case.samples == 5)
    n = Numbers(case, has_addend)
    y = value(np.full_like(n.dy, np.nan), case.y, case.g.lanes)
    batch_norm.batch_norm_eval(n.on_device, *n.beside, y, *n.small, case.g, EPS, relu).run()
    same(images_of(y, case.y, case.samples), n.expected(n.mean, n.variance, has_addend, relu))


def test_input_behind_a_relu():
    case = CASES["features"]
    n, g = Numbers(case, 0), case.g
    n.x[::2] = 0
    x, dy = value(n.x, case.x, g.lanes), value(n.dy, case.y, g.lanes)
    dx, zeros = value(n.x, case.x, g.lanes), [device(np.zeros(g.inputs, np.float32)) for _ in range(4)]
    batch_norm.batch_gradient_sums(x, dy, dy, zeros[0], n.scratch, g, n.state).run()
    batch_norm.batch_norm_gradient(x, dy, dy, dx, n.small[0], *zeros, n.scratch, g, n.state, 0, 0, 1).run()
    assert not images_of(dx, case.x, case.samples)[::2].any()


def test_parts_keep_a_device_busy(monkeypatch):
    monkeypatch.undo()
    assert batch_norm._parts(elements(128, 16, (32, 32), 1, 1).g) == 17
    assert batch_norm._parts(elements(128, 512, (4, 4), 1, 1).g) == 1
    assert batch_norm._parts(elements(256, 300, (1, 1), 0, 0).g) == 1
