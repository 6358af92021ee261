"""Residual networks for small images (He et al. 2016, section 4.2): 6n + 2 layers in three stages of 16, 32 and 64 channels."""

from __future__ import annotations

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn.layers import (
    BatchNorm2d,
    Conv2d,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    ZeroPadChannels,
)
from tinyticket.nn.models.images import image_shape
from tinyticket.nn.module import Module

CHANNELS = (16, 32, 64)


def resnet(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """Make a network whose depth stands in its name, "resnet-20".

    Where the channels double and the image halves, the shortcut is a 1x1 convolution with batch normalisation, as in the
    lottery-ticket papers; "resnet-20-identity" has He et al.'s own there, every second pixel and channels of zeros.
    """
    depth, identity = int(name.split("-")[1]), name.endswith("-identity")
    if depth < 8 or depth % 6 != 2:
        raise InputError(f"{name}: residual networks of this family have 6n + 2 layers, such as 20, 32, 44, 56 or 110")
    channels, _, _ = image_shape(name, input_shape)
    layers: dict[str, Module] = {
        "conv1": Conv2d(channels, CHANNELS[0], 3, padding=1, bias=False, rng=rng),
        "norm1": BatchNorm2d(CHANNELS[0]),
        "relu1": ReLU(),
    }
    channels = CHANNELS[0]
    for stage, outputs in enumerate(CHANNELS, start=1):
        for block in range(1, (depth - 2) // 6 + 1):
            layers[f"block{stage}_{block}"] = _block(channels, outputs, identity, rng)
            channels = outputs
    return Sequential(layers | {"pool": GlobalAvgPool2d(), "output": Linear(channels, classes, rng=rng)})


def _block(inputs: int, outputs: int, identity: bool, rng: np.random.Generator) -> Residual:
    """Return two 3x3 convolutions and their shortcut; more channels than before go with half the height and width."""
    stride = 1 if inputs == outputs else 2
    body = Sequential(
        {
            "conv1": Conv2d(inputs, outputs, 3, stride, padding=1, bias=False, rng=rng),
            "norm1": BatchNorm2d(outputs),
            "relu1": ReLU(),
            "conv2": Conv2d(outputs, outputs, 3, padding=1, bias=False, rng=rng),
            "norm2": BatchNorm2d(outputs),
        }
    )
    if stride == 1:
        return Residual(body)
    if identity:
        return Residual(body, Sequential({"pick": MaxPool2d(1, stride), "pad": ZeroPadChannels((0, outputs - inputs))}))
    projection = Conv2d(inputs, outputs, 1, stride, bias=False, rng=rng)
    return Residual(body, Sequential({"conv": projection, "norm": BatchNorm2d(outputs)}))
