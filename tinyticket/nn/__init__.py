"""Layers, their functions, initial weights, and networks by name; names and shapes are PyTorch's."""

from tinyticket.nn import functional, init, models
from tinyticket.nn.description import build, describe, described_weights, own_class
from tinyticket.nn.layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    ZeroPad2d,
    ZeroPadChannels,
)
from tinyticket.nn.module import Module, Prunable
from tinyticket.nn.parameter import Buffer, Parameter

__all__ = [
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "Prunable",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "ZeroPad2d",
    "ZeroPadChannels",
    "build",
    "describe",
    "described_weights",
    "functional",
    "init",
    "models",
    "own_class",
]
