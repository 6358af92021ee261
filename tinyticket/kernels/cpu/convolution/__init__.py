"""A dense convolution on packed images: forward, and the gradients by its input, its weights and its bias.

    x = pack_images(images, border=1)
    y = unpack_images(conv2d(weight, bias, x, padding=1), len(images))

`weights` says in which order the passes read the weights, `strips` which pixels are computed together and `tiles` how registers
hold them.
"""

from tinyticket.kernels.cpu.convolution.bias_gradient import (
    Conv2dBiasGradient,
    PooledBiasGradient,
    conv2d_bias_gradient,
)
from tinyticket.kernels.cpu.convolution.forward import Conv2d, conv2d, conv2d_shares
from tinyticket.kernels.cpu.convolution.input_gradient import (
    Conv2dInputGradient,
    conv2d_input_gradient,
    conv2d_input_gradient_shares,
)
from tinyticket.kernels.cpu.convolution.weight_gradient import (
    Conv2dWeightGradient,
    conv2d_weight_gradient,
    conv2d_weight_gradient_shares,
)
from tinyticket.kernels.cpu.convolution.weights import PackConv2d, pack_conv2d_shares, packed_back_size, packed_size

__all__ = [
    "Conv2d",
    "Conv2dBiasGradient",
    "Conv2dInputGradient",
    "Conv2dWeightGradient",
    "PackConv2d",
    "PooledBiasGradient",
    "conv2d",
    "conv2d_bias_gradient",
    "conv2d_input_gradient",
    "conv2d_input_gradient_shares",
    "conv2d_shares",
    "conv2d_weight_gradient",
    "conv2d_weight_gradient_shares",
    "pack_conv2d_shares",
    "packed_back_size",
    "packed_size",
]
