"""Layers as functions: each is one node of the tape, on top of the reference kernels. Names and arguments are PyTorch's."""

from tinyticket.autograd.elementwise import leaky_relu, relu, sigmoid, tanh
from tinyticket.nn.functional.activations import gelu, srelu
from tinyticket.nn.functional.convolution import conv1d, conv2d
from tinyticket.nn.functional.dropout import dropout
from tinyticket.nn.functional.linear import flatten, linear
from tinyticket.nn.functional.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    log_softmax,
    mse,
    mse_loss,
    nll_loss,
    softmax,
)
from tinyticket.nn.functional.normalisation import batch_norm, layer_norm
from tinyticket.nn.functional.padding import pad
from tinyticket.nn.functional.pooling import avg_pool2d, global_avg_pool2d, max_pool2d
from tinyticket.nn.functional.sparse_linear import sparse_linear

__all__ = [
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "cross_entropy",
    "dropout",
    "flatten",
    "gelu",
    "global_avg_pool2d",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "sigmoid",
    "softmax",
    "sparse_linear",
    "srelu",
    "tanh",
]
