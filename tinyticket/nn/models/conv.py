"""The small convolutional networks of the lottery-ticket paper, and LeNet-5.

Conv-2, Conv-4 and Conv-6 (Frankle and Carbin 2019, figure 2) are VGG in little: pairs of 3x3 convolutions, each pair followed by
2x2 max-pooling, then layers of 256, 256 and `classes` units.
"""

from __future__ import annotations

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn.layers import Conv2d, MaxPool2d, ReLU, Sequential
from tinyticket.nn.models.images import image_shape
from tinyticket.nn.models.mlp import fully_connected
from tinyticket.nn.module import Module

CHANNELS = (64, 128, 256)  # of each pair
HIDDEN = (256, 256)


def conv(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """Make Conv-2, -4 or -6: "conv-2", or "conv-2-dropout" with dropout of 0.5 after each hidden fully-connected layer."""
    pairs = int(name.split("-")[1]) // 2
    channels, height, width = image_shape(name, input_shape, pairs)
    layers: dict[str, Module] = {}
    for i, outputs in enumerate(np.repeat(CHANNELS[:pairs], 2), start=1):
        layers |= {f"conv{i}": Conv2d(channels, outputs, 3, padding=1, rng=rng), f"relu{i}": ReLU()}
        if i % 2 == 0:
            layers[f"pool{i // 2}"] = MaxPool2d(2)
        channels = int(outputs)
    features = channels * (height >> pairs) * (width >> pairs)
    dropout = 0.5 if name.endswith("-dropout") else 0.0
    return Sequential(layers | fully_connected([features, *HIDDEN, classes], rng, "fc_relu", dropout))


def lenet_5(name: str, input_shape: tuple[int, ...], classes: int, rng: np.random.Generator) -> Sequential:
    """LeCun et al.'s network of 1998 as it is usual today: ReLU, max-pooling, and every channel connected to every other.

    Two 5x5 convolutions of 6 and 16 channels, each followed by 2x2 pooling, then 120, 84 and `classes` units. The original reads
    32x32 images, in which the digits of 28x28 stand in the middle: images of 28x28 are padded by two pixels, others are not.
    """
    channels, height, width = image_shape(name, input_shape)
    padding = 2 if (height, width) == (28, 28) else 0
    sides = [((side + 2 * padding - 4) / 2 - 4) / 2 for side in (height, width)]
    if not all(side >= 1 and side == int(side) for side in sides):
        raise InputError(
            f"{name} takes images of 28 x 28, 32 x 32, or other sides of 16 and more that are multiples of 4; "
            f"the data have images of {height} x {width}"
        )
    layers: dict[str, Module] = {
        "conv1": Conv2d(channels, 6, 5, padding=padding, rng=rng),
        "relu1": ReLU(),
        "pool1": MaxPool2d(2),
        "conv2": Conv2d(6, 16, 5, rng=rng),
        "relu2": ReLU(),
        "pool2": MaxPool2d(2),
    }
    return Sequential(layers | fully_connected([16 * int(sides[0]) * int(sides[1]), 120, 84, classes], rng, "fc_relu"))
