"""Layers: each holds its parameters and calls its function."""

from tinyticket.nn.layers.activations import GELU, LeakyReLU, ReLU, Sigmoid, SReLU, Tanh
from tinyticket.nn.layers.containers import Residual, Sequential
from tinyticket.nn.layers.convolution import Conv1d, Conv2d
from tinyticket.nn.layers.dropout import Dropout
from tinyticket.nn.layers.linear import Linear
from tinyticket.nn.layers.normalisation import BatchNorm1d, BatchNorm2d, LayerNorm
from tinyticket.nn.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from tinyticket.nn.layers.shapes import Flatten, ZeroPad2d, ZeroPadChannels
from tinyticket.nn.layers.sparse_linear import SparseLinear

__all__ = [
    "GELU",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "ReLU",
    "Residual",
    "SReLU",
    "Sequential",
    "Sigmoid",
    "SparseLinear",
    "Tanh",
    "ZeroPad2d",
    "ZeroPadChannels",
]
