"""Layers, their functions, initial weights, and networks by name; names and shapes are PyTorch's."""

from tinyticket.nn import functional, init, models
from tinyticket.nn.connections import Connections, Move
from tinyticket.nn.description import build, describe, described_weights, own_class
from tinyticket.nn.layers import (
    GELU,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv1d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SparseLinear,
    Tanh,
    ZeroPad2d,
    ZeroPadChannels,
)
from tinyticket.nn.layers.sparse_linear import sparse_layers
from tinyticket.nn.module import Module, Prunable
from tinyticket.nn.parameter import Buffer, Parameter

__all__ = [
    "GELU",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Connections",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "Move",
    "Parameter",
    "Prunable",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "SparseLinear",
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
    "sparse_layers",
]
