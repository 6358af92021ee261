"""VGG for small images (Simonyan and Zisserman 2015): with batch normalisation, and one linear layer behind an average.

The lottery-ticket papers' variant: the last of the five groups of convolutions is not followed by max-pooling but by the mean
over the image, and `output` is the only fully-connected layer.
"""

from __future__ import annotations

import itertools

import numpy as np

from tinyticket.nn.layers import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Sequential
from tinyticket.nn.models.images import image_shape
from tinyticket.nn.module import Module

CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {"vgg-11": (1, 1, 2, 2, 2), "vgg-16": (2, 2, 3, 3, 3), "vgg-19": (2, 2, 4, 4, 4)}  # in each group


def vgg(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """Make "vgg-11", "vgg-16" or "vgg-19": 3x3 convolutions conv1, conv2, ... without bias, each with batch normalisation."""
    channels, _, _ = image_shape(name, input_shape, len(CHANNELS) - 1)
    layers: dict[str, Module] = {}
    numbers = itertools.count(1)
    for group, (outputs, convolutions) in enumerate(zip(CHANNELS, CONVOLUTIONS[name], strict=True)):
        if group:
            layers[f"pool{group}"] = MaxPool2d(2)
        for i in itertools.islice(numbers, convolutions):
            layers[f"conv{i}"] = Conv2d(channels, outputs, 3, padding=1, bias=False, rng=rng)
            layers |= {f"norm{i}": BatchNorm2d(outputs), f"relu{i}": ReLU()}
            channels = outputs
    return Sequential(layers | {"pool": GlobalAvgPool2d(), "output": Linear(channels, classes, rng=rng)})
