"""Every function: right gradients over drawn shapes, kept dtypes, one node of the tape."""

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
        F.nll_loss(x, [0, 1], weight=np.ones(3), ignore_index=1),
        F.mse_loss(x, np.zeros((2, 3))),
        F.batch_norm(x, None, None, training=True),
    ):
        assert one_node_deep(result)


def test_each_function_of_images_is_one_node_with_the_attributes_that_compiling_reads():
    x = tt.Tensor(np.ones((2, 3, 4, 4)), requires_grad=True)
    usual = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    running, weight, bias = (np.zeros(3), np.ones(3)), tt.Tensor(np.ones(3)), tt.Tensor(np.zeros(3))
    for result, name, inputs, attributes in (
        (F.conv2d(x, np.ones((2, 3, 3, 3)), padding=1), "conv2d", 2, usual | {"padding": (1, 1), "groups": 1}),
        (F.conv2d(x, np.ones((2, 3, 3, 3)), np.ones(2), 2), "conv2d", 3, usual | {"stride": (2, 2), "groups": 1}),
        (
            F.max_pool2d(x, 2),
            "max_pool2d",
            1,
            usual | {"kernel_size": (2, 2), "stride": (2, 2), "ceil_mode": False},
        ),
        (F.avg_pool2d(x, 3, 1, 1), "avg_pool2d", 1, {"kernel_size": (3, 3), "stride": (1, 1), "padding": (1, 1)}),
        (F.global_avg_pool2d(x), "global_avg_pool2d", 1, {}),
        (F.pad(x, (1, 2, 3, 4)), "pad2d", 1, {"padding": ((0, 0), (3, 4), (1, 2))}),
        (
            F.batch_norm(x, *running, weight, bias, True),
            "batch_norm",
            3,
            {"eps": 1e-5, "momentum": 0.1, "running": running},
        ),
        (F.batch_norm(x, *running), "batch_norm_eval", 1, {"eps": 1e-5, "statistics": running}),
    ):
        assert one_node_deep(result)
        assert (result.node.name, len(result.node.inputs)) == (name, inputs)
        assert result.node.attributes == attributes
