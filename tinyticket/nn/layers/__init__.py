"""Layers: each holds its parameters and calls its function."""

from tinyticket.nn.layers.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from tinyticket.nn.layers.containers import Residual, Sequential
from tinyticket.nn.layers.convolution import Conv2d
from tinyticket.nn.layers.dropout import Dropout
from tinyticket.nn.layers.linear import Linear
from tinyticket.nn.layers.normalisation import BatchNorm1d, BatchNorm2d
from tinyticket.nn.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from tinyticket.nn.layers.shapes import Flatten, ZeroPad2d, ZeroPadChannels

__all__ = [
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "ZeroPad2d",
    "ZeroPadChannels",
]
