"""Convolution as a function: empty batches, single images, and what it refuses."""

import numpy as np
import pytest

import tinyticket as tt
from tinyticket.nn import functional as F


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(2, 3, 8, 8), (4, 5, 3, 3)], r"\(2, 3, 8, 8\) and \(4, 5, 3, 3\)"),
        ([(8, 8), (4, 3, 3, 3)], r"input \(N, C, H, W\).*\(8, 8\)"),
        ([(2, 3, 8, 8), (4, 3)], r"weight \(out, C, kh, kw\).*\(4, 3\)"),
        ([(2, 3, 8, 8), (4, 3, 3, 3), (3,)], r"bias of shape \(4,\).*\(3,\)"),
        ([(2, 3, 2, 8), (4, 3, 3, 3)], "images of 2 x 8.*no room for windows of 3 x 3"),
    ],
    ids=["channels", "no channel axis", "weight of two axes", "bias", "small image"],
)
def test_conv2d_refuses_shapes_that_do_not_fit_and_names_them(shapes, words):
    with pytest.raises(ValueError, match=words):
        F.conv2d(*(np.ones(shape) for shape in shapes))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stride": 0}, "conv2d: stride is at least 1, not 0"),
        ({"stride": (1, -1)}, r"stride is at least 1, not \(1, -1\)"),
        ({"stride": 1.5}, r"stride is a whole number or a pair of them \(rows, columns\), not 1.5"),
        ({"padding": -1}, "conv2d: padding is at least 0, not -1"),
        ({"padding": (1, 2, 3)}, r"padding is a whole number or a pair.*\(1, 2, 3\)"),
        ({"padding": "full"}, "padding is counts, 'valid', or with a stride of 1 'same'; got 'full'"),
        ({"padding": "same", "stride": 2}, r"got 'same', stride \(2, 2\)"),
        ({"dilation": 0}, "conv2d: dilation is at least 1, not 0"),
        ({"dilation": 4}, r"no room for windows of 2 x 2 with dilation \(4, 4\)"),
        ({"groups": 2}, r"a weight \(out, C / 2, kh, kw\), out in as many groups; got shapes"),
        ({"groups": 0}, "conv2d wants an input"),
    ],
)
def test_conv2d_refuses_strides_and_paddings_that_make_no_sense(arguments, words):
    with pytest.raises(ValueError, match=words):
        F.conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2)), **arguments)


def test_an_empty_batch_gives_empty_results_and_zero_gradients():
    x, weight = (
        tt.Tensor(np.zeros((0, 2, 4, 4)), requires_grad=True),
        tt.Tensor(np.ones((3, 2, 3, 3)), requires_grad=True),
    )
    result = F.max_pool2d(F.conv2d(x, weight, padding=1), 2)
    assert result.shape == (0, 3, 2, 2)
    result.backward(np.zeros(result.shape))
    assert x.grad.shape == x.shape
    assert not weight.grad.any()


def test_a_single_image_is_convolved_and_pooled_like_a_batch_of_one():
    image, weight = np.random.default_rng(0).standard_normal((2, 5, 5)), np.ones((3, 2, 2, 2))
    for f in (
        lambda x: F.conv2d(x, weight, stride=2),
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.avg_pool2d(x, 2),
        lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    ):
        np.testing.assert_array_equal(f(image).data, f(image[np.newaxis]).data[0])
        tt.gradcheck(f, [image])
