"""Sizes that fit each other, arrays of them, and how results are read, for hostile calls of kernels."""

import numpy as np

from tinyticket import kernels
from tinyticket.kernels.geometry import gradient_border, make_window

RULES = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2}


def plain(array):
    """Return numbers as kernels take them, in float64."""
    with np.errstate(over="ignore"):
        return np.asarray(array).astype(np.float32).astype(np.float64)


def rows(packed):
    """Bring packed activations back to samples, padding included."""
    packed = plain(packed)
    return packed.transpose(0, 2, 1).reshape(-1, packed.shape[1])


def images(packed):
    """Bring packed images back to (samples, channels, rows, columns), padding included."""
    border, array = packed.border, plain(packed.array)
    inside = array[:, :, border : array.shape[2] - border, border : array.shape[3] - border]
    return inside.transpose(0, 4, 1, 2, 3).reshape(-1, *inside.shape[1:4])


def padded(array, count, fill=0.0):
    """Return an array with so many rows."""
    return np.concatenate([plain(array), np.full((count - len(array), *np.shape(array)[1:]), fill)])


class Draw:
    """Sizes that fit each other, and arrays of them."""

    def __init__(self, rng):
        self.rng, pick = rng, lambda *choices: choices[rng.integers(len(choices))]
        self.pick, self.flag = pick, lambda: bool(rng.random() < 0.5)
        self.inputs, self.outputs, self.lanes = pick(1, 3, 16, 21), pick(1, 4, 7, 18), pick(16, 32, 48)
        self.samples = pick(1, 5, 16, 17, 40)
        self.tiles, self.spots = -(-self.samples // self.lanes), -(-self.samples // self.lanes) * self.lanes
        self.mask = rng.random((self.outputs, self.inputs)) < pick(0.1, 0.5, 1)
        cut = {"row_blocks": pick(None, 1, 2), "column_blocks": pick(None, 2), "by_block": pick(False, True)}
        self.pattern = kernels.Pattern.from_mask(self.mask, self.lanes, **cut)
        self.channels, self.size = pick(1, 2, 5), (pick(1, 2, 4, 7), pick(1, 3, 6))
        self.window = self.kernel, self.stride, self.padding = pick(((3, 3), 1, 1), ((2, 1), 2, 1), ((1, 1), 1, 0))
        self.image_tiles = pick(1, 2)

    def floats(self, *shape):
        """Draw an array."""
        return self.rng.standard_normal(shape).astype(np.float32)

    def images(self, channels=None, size=None, border=None):
        """Draw packed images."""
        shape, border = (
            (channels or self.channels, *(size or self.size)),
            self.pick(0, 1, 2) if border is None else border,
        )
        return kernels.pack_images(self.floats(16 * self.image_tiles, *shape), border)

    def windows(self, window=None):
        """Return the size of what a convolution, or another window, makes of the images; at least one pixel."""
        kernel, stride, padding = window or self.window
        self.size = tuple(max(n, k - 2 * padding) for n, k in zip(self.size, kernel, strict=True))
        return tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(self.size, kernel, strict=True))

    def maybe(self, make):
        """Return what is made, or None."""
        return make() if self.flag() else None

    def layer(self):
        """Return a weight, x and dy of a linear layer."""
        weight, x, dy = (self.outputs, self.inputs), (self.tiles, self.inputs), (self.tiles, self.outputs)
        return self.floats(*weight), self.floats(*x, self.lanes), self.floats(*dy, self.lanes)

    def convolution(self):
        """Return weight, x and dy of a convolution, and a pattern of survivors."""
        size, outputs = self.windows(), self.pick(1, 4, 6)
        needed = max(
            gradient_border(n, k, self.stride, self.padding) for n, k in zip(self.size, self.kernel, strict=True)
        )
        x, dy = self.images(border=self.padding + self.pick(0, 1)), self.images(outputs, size, needed + self.pick(0, 1))
        weight, (kernel, stride, padding) = self.floats(outputs, self.channels, *self.kernel), self.window
        window = make_window(1, x.geometry, dy.geometry, kernel, stride, padding)
        pattern = kernels.ConvPattern.from_mask(self.rng.random(weight.shape) < 0.6, window)
        return weight, x, dy, pattern

    def update(self, shape):
        """Return what an optimizer's step is given."""
        rule = self.pick(*RULES)
        scalars = kernels.scalars_of(rule, self.pick(1, 2, 100), 0.1, momentum=0.9, weight_decay=self.pick(0, 0.01))
        slots = tuple(np.abs(self.floats(*shape)) for _ in range(RULES[rule]))
        return {
            "rule": rule,
            "scalars": scalars,
            "slots": slots,
            "mask": self.maybe(lambda: self.rng.random(shape) < 0.5),
        }


def relu(y, relu):
    """Set what is negative to zero, if asked to."""
    return np.maximum(y, 0) if relu else y


def finished(gradient, a, x="x", add_to="add_to", flag="x_is_relu_output"):
    """Add what other consumers gave, and pass nothing where the ReLU that made x gave zero."""
    x, before = getattr(a, x), getattr(a, add_to, None)
    gradient = gradient if before is None else gradient + images(before)
    return (
        np.where((images if isinstance(x, kernels.Images) else rows)(x) <= 0, 0, gradient)
        if getattr(a, flag)
        else gradient
    )


def without(names, given):
    """Return arguments but those of some names."""
    return {name: value for name, value in given.items() if name not in names}


def pair(number):
    """Return a size as rows and columns."""
    return tuple(number) if isinstance(number, tuple | list) else (number, number)
