"""The gradient of a bias on a device: a sum over pixels and samples, whatever stands in the border."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import device, layer, linear, origins, same, value
from tinyticket.kernels import reference
from tinyticket.kernels.cuda import bias_gradient


@pytest.mark.parametrize(
    "case", [linear(7, 1, 3), layer(33, 1, 2, (3, 4), (3, 3), padding=1, roomy=1), layer(2, 1, 1, (9, 10), (2, 2))]
)
def test_conv2d_bias_gradient(case):
    dy = np.random.default_rng(0).standard_normal(case.y_shape).astype(np.float32)
    above, gradient = value(dy, case.y, case.g.lanes, rubbish=0), device(np.zeros(case.g.outputs, np.float32))
    launch = bias_gradient.conv2d_bias_gradient(above, origins(case)[1], gradient, case.g)
    launch.run()
    same(gradient.copy_to_host(), reference.conv2d_bias_gradient(dy))
    assert launch.block == ((bias_gradient.MANY if case.g.height == 8 else bias_gradient.FEW),)
