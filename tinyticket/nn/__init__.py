"""Layers, their functions, initial weights, and networks by name; names and shapes are PyTorch's."""

from tinyticket.nn import functional, init, models
from tinyticket.nn.description import build, describe, own_class
from tinyticket.nn.layers import Dropout, Flatten, LeakyReLU, Linear, ReLU, Sequential, Sigmoid, Tanh
from tinyticket.nn.module import Module, Prunable
from tinyticket.nn.parameter import Buffer, Parameter

__all__ = [
    "Buffer",
    "Dropout",
    "Flatten",
    "LeakyReLU",
    "Linear",
    "Module",
    "Parameter",
    "Prunable",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "build",
    "describe",
    "functional",
    "init",
    "models",
    "own_class",
]
