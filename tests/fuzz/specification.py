"""What every public kernel is given in a fuzz, and what has to come of it, by `tinyticket.kernels.reference` in float64."""

from types import SimpleNamespace

import numpy as np

from tests.kernels.images import gathered
from tinyticket import kernels
from tinyticket.kernels import reference
from tinyticket.kernels.geometry import gradient_border, lanes_for, make_window

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
        self.pattern = kernels.Pattern.from_mask(self.mask, self.lanes, row_blocks=pick(None, 1, 2))
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


def _updated(a, weights, gradient):
    """Return weights and slots after an optimizer's step."""
    rate, decay, momentum, fresh, kept, square, correction, epsilon = plain(a.scalars)
    weights, slots = plain(weights), [plain(slot) for slot in a.slots]
    g = plain(gradient) + decay * weights
    if a.rule == "adam":
        slots = [slots[0] + fresh * (g - slots[0]), kept * slots[1] + square * g * g]
        g = slots[0] / (correction * np.sqrt(slots[1]) + epsilon)
    elif a.rule != "sgd":
        slots = [momentum * slots[0] + g]
        g = g + momentum * slots[0] if a.rule == "nesterov" else slots[0]
    found = [weights - rate * g, *slots]
    return found if a.mask is None else [np.where(a.mask, each, 0) for each in found]


def _relu(y, relu):
    return np.maximum(y, 0) if relu else y


def _finished(gradient, a, x="x", add_to="add_to", flag="x_is_relu_output"):
    """Add what other consumers gave, and pass nothing where the ReLU that made x gave zero."""
    x, before = getattr(a, x), getattr(a, add_to, None)
    gradient = gradient if before is None else gradient + images(before)
    return (
        np.where((images if isinstance(x, kernels.Images) else rows)(x) <= 0, 0, gradient)
        if getattr(a, flag)
        else gradient
    )


def _of_images(d, x, **others):
    """Return arguments of a gradient by images x."""
    add_to = d.maybe(lambda: d.images(x.geometry.channels, border=x.border))
    return {"x": x, **others, "add_to": add_to, "x_is_relu_output": d.flag()}


# -- packing and gathering


def _gather(d):
    data = d.pick(d.floats(9, d.inputs), d.rng.integers(0, 256, (9, d.inputs)).astype(np.uint8))
    return {
        "data": data,
        "indices": d.rng.integers(0, 9, d.samples),
        "lanes": d.pick(None, 16, 64),
        "sample_major": d.flag(),
    }


def _gathered(a):
    x = (np.asarray(a.data).astype(np.float32) / np.float32(255 if np.asarray(a.data).dtype == np.uint8 else 1))[
        a.indices
    ]
    count = -(-len(x) // lanes_for(len(x), a.lanes)) * lanes_for(len(x), a.lanes)
    by_sample = np.pad(padded(x, count, np.nan), ((0, 0), (0, -x.shape[1] % 16)))
    return [padded(x, count), *([by_sample] if a.sample_major else [])]


def _gather_images(d):
    as_pixels, shape = d.flag(), (7, d.channels, *d.size)
    data = d.rng.integers(0, 256, shape).astype(np.uint8) if as_pixels else d.floats(*shape)
    draws = d.maybe(lambda: np.stack([*d.rng.integers(-3, 4, (2, d.samples)), d.rng.integers(0, 2, d.samples)], axis=1))
    statistics = {"mean": d.floats(d.channels), "std": d.floats(d.channels) + 9} if as_pixels and d.flag() else {}
    return {
        "data": data,
        "indices": d.rng.integers(0, 7, d.samples),
        "draws": draws,
        "border": d.pick(0, 1),
        **statistics,
    }


def _images_gathered(a):
    data, side = np.asarray(a.data), 9
    draws = None if a.draws is None else np.clip(np.asarray(a.draws), -side, side).astype(int)
    chosen = gathered(
        data if data.dtype == np.uint8 else plain(data), np.asarray(a.indices).astype(int), draws, a.mean, a.std
    )
    return [padded(chosen, -(-len(chosen) // 16) * 16)]


def _packed(a):
    lanes = lanes_for(len(a.x), a.lanes)
    return padded(np.asarray(a.x), -(-len(a.x) // lanes) * lanes)


# -- linear layers


def _linear(d):
    weight, x, dy = d.layer()
    out = d.maybe(lambda: np.empty_like(dy))
    return {"weight": weight, "bias": d.floats(d.outputs), "x": x, "relu": d.flag(), "out": out}


def _linear_update(d):
    weight, _, dy = d.layer()
    given = {"weight": weight, "x_samples": d.floats(d.spots, -(-d.inputs // 16) * 16), "dy": dy, "samples": d.samples}
    return given | d.update(weight.shape)


def _weight_gradient(a, inputs):
    return reference.linear_weight_gradient(rows(a.dy)[: a.samples], plain(a.x_samples)[: a.samples, :inputs])


def _sparse_linear(d):
    _, x, dy = d.layer()
    out = d.maybe(lambda: np.empty_like(dy))
    given = {"pattern": d.pattern, "values": d.floats(d.pattern.count), "bias": d.floats(d.outputs)}
    return given | {"x": x, "relu": d.flag(), "out": out}


def _sparse_gradient(d):
    _, x, dy = d.layer()
    return {"pattern": d.pattern, "values": d.floats(d.pattern.count), "x": x, "dy": dy, "x_is_relu_output": d.flag()}


def _sparse_gradients(a, read):
    weight = a.pattern.dense(a.pattern.by_row(plain(a.values)))
    dense = reference.linear_weight_gradient(read(a.dy), read(a.x))
    dx = reference.linear_input_gradient(read(a.dy), weight)
    dx = np.where(read(a.x) <= 0, 0, dx) if a.x_is_relu_output else dx
    return [dx, a.pattern.by_column(a.pattern.values(dense))]


def _as_samples(d, given):
    shape = {"x": d.inputs, "dy": d.outputs, "out": d.outputs if "bias" in given else d.inputs}
    return given | {name: d.floats(d.samples, size) for name, size in shape.items() if name in given or name == "out"}


def _forward(a, read):
    return [_relu(reference.linear(read(a.x), a.pattern.dense(plain(a.values)), plain(a.bias)), a.relu)]


# -- images


def _conv(d):
    weight, x, _, _ = d.convolution()
    given = {"weight": weight, "bias": d.floats(len(weight)), "x": x, "stride": d.stride, "padding": d.padding}
    return given | {"relu": d.flag(), "border": d.pick(0, 1)}


def _conv_input_gradient(d):
    weight, x, dy, _ = d.convolution()
    return _of_images(d, x, weight=weight, dy=dy, stride=d.stride, padding=d.padding)


def _conv_weight_gradient(d):
    _, x, dy, _ = d.convolution()
    return {"x": x, "dy": dy, "kernel": d.kernel, "stride": d.stride, "padding": d.padding}


def _pair(number):
    return tuple(number) if isinstance(number, tuple | list) else (number, number)


def _steps(a):
    """Return stride and padding as the specification takes them."""
    return _pair(a.stride), _pair(a.padding)


def _sparse_conv(d):
    _, x, dy, pattern = d.convolution()
    out = d.maybe(lambda: kernels.Images(np.zeros_like(dy.array), dy.border))
    given = {"pattern": pattern, "values": d.floats(pattern.count), "bias": d.floats(pattern.shape[0]), "x": x}
    return given | {"relu": d.flag(), "out": out}


def _sparse_conv_gradient(d):
    _, x, dy, pattern = d.convolution()
    given = _of_images(d, x, pattern=pattern, values=d.floats(pattern.count), dy=dy)
    return {"dx" if name == "add_to" else name: value for name, value in given.items()}


def _in_window(pattern):
    return _pair(pattern.window.stride), _pair(pattern.window.padding)


def _sparse_conv_gradients(a):
    weight, steps = a.pattern.dense(a.pattern.by_row(plain(a.values))), _in_window(a.pattern)
    dx = reference.conv2d_input_gradient(images(a.dy), weight, images(a.x).shape, *steps)
    dense = reference.conv2d_weight_gradient(images(a.dy), images(a.x), a.pattern.shape[2:], *steps)
    return [_finished(dx, a, add_to="dx"), a.pattern.by_column(a.pattern.values(dense.reshape(a.pattern.shape)))]


def _norm(d):
    x = d.images()
    parameters = {name: d.floats(d.channels) for name in ("weight", "bias", "running_mean")}
    given = {"x": x, **parameters, "running_variance": np.abs(d.floats(d.channels)) + np.float32(0.5)}
    others = {"addend": d.maybe(lambda: d.images()), "relu": d.flag(), "border": d.pick(0, 1)}
    return given | {"samples": d.pick(2, 16 * x.tiles), **others}


def _normed(a, mean, variance):
    y = reference.batch_norm(images(a.x), plain(mean), plain(variance), plain(a.weight), plain(a.bias), a.epsilon)
    return _relu(y if a.addend is None else y + images(a.addend), a.relu)


def _batch_norm(a):
    x, running = images(a.x), [plain(a.running_mean), plain(a.running_variance)]
    mean, variance = reference.batch_statistics(x[: a.samples])
    reference.update_running(*running, mean, variance, x[: a.samples].size / x.shape[1], a.momentum)
    y = _normed(a, mean, variance)
    y[a.samples :] = np.nan
    return [y, mean, 1 / np.sqrt(variance + a.epsilon), *running]


def _norm_gradient(d):
    given = _norm(d)
    called = given | {
        "running_mean": given["running_mean"].copy(),
        "running_variance": given["running_variance"].copy(),
    }
    y, mean, inverse = kernels.batch_norm(**called)
    given = {name: value for name, value in given.items() if name not in ("running_mean", "running_variance", "border")}
    again = d.maybe(lambda: d.images(border=given["addend"].border)) if given["addend"] else None
    others = {"y": y, "dy": d.images(border=y.border), "mean": mean, "inverse": inverse, "addend_add_to": again}
    return given | others | _of_images(d, given["x"]) | {"addend_is_relu_output": d.flag()}


def _norm_gradients(a):
    x, inverse, count = images(a.x), plain(a.inverse), a.samples
    if (inverse <= 0).any():
        return None  # there is no such deviation
    upstream, y = images(a.dy), images(a.y)
    if a.addend is None:  # the kernel finds y once more, and where that is almost nothing, it may be on either side
        y = _normed(SimpleNamespace(**(vars(a) | {"epsilon": 0.0, "relu": False})), a.mean, inverse**-2)
        y[np.abs(y) < 1e-5] = np.nan
    if a.relu:
        upstream = np.where(np.isnan(y), np.nan, np.where(y <= 0, 0, upstream))
    statistics = plain(a.mean), inverse**-2
    dx = np.zeros_like(x)
    dx[:count] = reference.batch_norm_input_gradient(upstream[:count], x[:count], *statistics, plain(a.weight), 0.0)
    sums = (
        reference.batch_norm_weight_gradient(upstream[:count], x[:count], *statistics, 0.0),
        upstream[:count].sum((0, 2, 3)),
    )
    dx = _finished(dx, a)
    if a.addend is None:
        return [dx, *sums]
    upstream[count:] = np.nan
    given = "addend", "addend_add_to", "addend_is_relu_output"
    return [dx, _finished(upstream, a, *given), *sums]


def _pool(d):
    window = d.kernel, stride, padding = d.pick(((2, 2), 2, 0), ((3, 2), 1, 1), ((1, 1), 2, 0), ((5, 4), 3, 2))
    d.out = d.windows(window)
    kernel = d.kernel[0] if d.kernel[0] == d.kernel[1] else d.kernel
    return {"x": d.images(), "kernel": kernel, "stride": stride, "padding": padding}


def _pool_gradient(d):
    given = _pool(d)
    y = kernels.max_pool2d(**given, border=d.pick(0, 1))
    return given | _of_images(d, given["x"], y=y, dy=d.images(size=y.geometry[1:3], border=y.border))


def _windows(a):
    """Return kernel, stride and padding as the specification takes them; strides as far as they matter."""
    return _pair(a.kernel), _pair(_pair(a.kernel)[0] if a.stride is None else a.stride), _pair(a.padding)


def _max_pool_gradient(a):
    maximum, winner = reference.max_pool2d(images(a.x), *_windows(a))
    if not np.array_equal(maximum, images(a.y)):
        return None  # no gradient of anything
    return [_finished(reference.max_pool2d_gradient(images(a.dy), winner, images(a.x).shape, *_windows(a)), a)]


def _passed(d):
    """Return the arguments of the gradient of what treats each pixel alone."""
    x = d.images()
    y = d.images()
    return _of_images(d, x, y=y, dy=d.images(border=y.border))


def _without(names, given):
    return {name: value for name, value in given.items() if name not in names}


def _add_gradient(d):
    given, addend = _passed(d) | {"relu": d.flag()}, d.images()
    again = d.maybe(lambda: d.images(border=addend.border))
    return given | {"addend": addend, "addend_add_to": again, "addend_is_relu_output": d.flag()}


def _add_gradients(a):
    given = _through(a)
    return [_finished(given, a), _finished(given, a, "addend", "addend_add_to", "addend_is_relu_output")]


def _through(a):
    return np.where(images(a.y) <= 0, 0, images(a.dy)) if a.relu else images(a.dy)


def _kept(a):
    return np.asarray(a.keep).astype(bool).transpose(0, 4, 1, 2, 3).reshape(images(a.x).shape) * float(
        np.float32(a.scale)
    )


def _dropout(d, given):
    shape = given["x"].tiles, d.channels, *d.size, 16
    keep = d.rng.random(shape) < 0.5
    return given | {"keep": d.pick(keep, keep.astype(np.uint8)), "scale": 2.0}


# -- loss and update


def _cross_entropy(a):
    labels = np.asarray(a.labels).astype(int)
    used = rows(a.logits)[: len(labels)]
    logs = reference.log_softmax(used)
    gradient = padded(reference.cross_entropy_gradient(logs, labels, 1 / len(labels)), len(rows(a.logits)))
    return [reference.cross_entropy(logs, labels).mean(), (used.argmax(axis=1) == labels).sum(), gradient]


def _scalars(a):
    first, second = getattr(a, "betas", None) or (0.9, 0.999)
    rate = a.learning_rate / (1 - first**a.step) if a.rule == "adam" else a.learning_rate
    correction, others = (1 - second**a.step) ** -0.5, (getattr(a, "weight_decay", 0.0), getattr(a, "momentum", 0.0))
    scalars = [rate, *others, 1 - first, second, 1 - second, correction, getattr(a, "epsilon", 1e-8)]
    return [plain(scalars), *([] if a.out is None else [plain(scalars)])]


def _step_of_optimizer(d):
    shape = d.pick((17,), (3, 5), (1,))
    return {"weights": d.floats(*shape), "gradient": d.floats(*shape)} | d.update(shape)


def _pattern(a):
    return [np.asarray(a.mask)]


PREPARED = {
    "sparse_linear": (_sparse_linear, lambda a: _forward(a, rows)),
    "sparse_linear_gradient": (_sparse_gradient, lambda a: _sparse_gradients(a, rows)),
    "sparse_linear_weight_gradient": (
        lambda d: dict(zip(("pattern", "x", "dy"), (d.pattern, *d.layer()[1:]), strict=True)),
        lambda a: [a.pattern.values(reference.linear_weight_gradient(rows(a.dy), rows(a.x)))],
    ),
}

KERNELS = {
    "Images": (lambda d: vars(d.images()), lambda a: [images(a)]),
    "Pattern.from_mask": (lambda d: {"mask": d.mask, "lanes": d.lanes, "row_blocks": 2}, _pattern),
    "ConvPattern.from_mask": (lambda d: {"mask": (p := d.convolution()[3]).mask(), "window": p.window}, _pattern),
    "pack": (lambda d: {"x": d.floats(d.samples, d.inputs), "lanes": d.pick(None, 16, 48)}, lambda a: [_packed(a)]),
    "pack_samples": (
        lambda d: {"x": d.floats(d.samples, d.inputs), "lanes": d.pick(None, 16, 48)},
        lambda a: [np.pad(_packed(a), ((0, 0), (0, -np.shape(a.x)[1] % 16)))],
    ),
    "unpack": (lambda d: {"packed": d.layer()[1], "samples": d.samples}, lambda a: [rows(a.packed)[: a.samples]]),
    "pack_images": (
        lambda d: {"x": d.floats(d.samples, d.channels, *d.size), "border": d.pick(0, 1)},
        lambda a: [padded(a.x, -(-len(a.x) // 16) * 16)],
    ),
    "unpack_images": (
        lambda d: {"packed": d.images(), "samples": d.pick(0, 3, 16)},
        lambda a: [images(a.packed)[: a.samples]],
    ),
    "gather": (_gather, _gathered),
    "transpose_samples": (
        lambda d: {"x": d.layer()[1]},
        lambda a: [np.pad(rows(a.x), ((0, 0), (0, -np.shape(a.x)[1] % 16)))],
    ),
    "gather_images": (_gather_images, _images_gathered),
    "linear": (
        _linear,
        lambda a: [_relu(reference.linear(rows(a.x), plain(a.weight), plain(a.bias)), a.relu)],
    ),
    "linear_input_gradient": (
        lambda d: dict(zip(("weight", "x", "dy"), d.layer(), strict=True)) | {"x_is_relu_output": d.flag()},
        lambda a: [_finished(reference.linear_input_gradient(rows(a.dy), plain(a.weight)), a)],
    ),
    "linear_weight_gradient": (
        lambda d: {"inputs": d.inputs, **_without(["weight", *d.update(())], _linear_update(d))},
        lambda a: [_weight_gradient(a, a.inputs)],
    ),
    "linear_bias_gradient": (lambda d: {"dy": d.layer()[2]}, lambda a: [rows(a.dy).sum(axis=0)]),
    "linear_update": (_linear_update, lambda a: _updated(a, a.weight, _weight_gradient(a, a.weight.shape[1]))),
    **PREPARED,
    **{f"prepare_{name}": given for name, given in PREPARED.items()},
    "sparse_linear_samples": (lambda d: _as_samples(d, _sparse_linear(d)), lambda a: _forward(a, plain)),
    "sparse_linear_samples_gradient": (
        lambda d: _as_samples(d, _sparse_gradient(d)),
        lambda a: _sparse_gradients(a, plain),
    ),
    "conv2d": (
        _conv,
        lambda a: [_relu(reference.conv2d(images(a.x), plain(a.weight), plain(a.bias), *_steps(a)), a.relu)],
    ),
    "conv2d_input_gradient": (
        _conv_input_gradient,
        lambda a: [
            _finished(reference.conv2d_input_gradient(images(a.dy), plain(a.weight), images(a.x).shape, *_steps(a)), a)
        ],
    ),
    "conv2d_weight_gradient": (
        _conv_weight_gradient,
        lambda a: [reference.conv2d_weight_gradient(images(a.dy), images(a.x), _pair(a.kernel), *_steps(a))],
    ),
    "conv2d_bias_gradient": (lambda d: {"dy": d.images()}, lambda a: [images(a.dy).sum((0, 2, 3))]),
    "sparse_conv2d": (
        _sparse_conv,
        lambda a: [
            _relu(
                reference.conv2d(images(a.x), a.pattern.dense(plain(a.values)), plain(a.bias), *_in_window(a.pattern)),
                a.relu,
            )
        ],
    ),
    "sparse_conv2d_gradient": (_sparse_conv_gradient, _sparse_conv_gradients),
    "sparse_conv2d_weight_gradient": (
        lambda d: dict(zip(("x", "dy", "pattern"), d.convolution()[1:], strict=True)),
        lambda a: [
            a.pattern.values(
                reference.conv2d_weight_gradient(images(a.dy), images(a.x), a.pattern.shape[2:], *_in_window(a.pattern))
            )
        ],
    ),
    "batch_norm": (_norm, _batch_norm),
    "batch_norm_eval": (
        lambda d: _without(["samples"], _norm(d)),
        lambda a: [_normed(a, a.running_mean, a.running_variance)],
    ),
    "batch_norm_gradient": (_norm_gradient, _norm_gradients),
    "max_pool2d": (lambda d: _pool(d) | {"border": 1}, lambda a: [reference.max_pool2d(images(a.x), *_windows(a))[0]]),
    "avg_pool2d": (lambda d: _pool(d) | {"border": 1}, lambda a: [reference.avg_pool2d(images(a.x), *_windows(a))]),
    "max_pool2d_gradient": (_pool_gradient, _max_pool_gradient),
    "avg_pool2d_gradient": (
        lambda d: _without("y", _pool_gradient(d)),
        lambda a: [_finished(reference.avg_pool2d_gradient(images(a.dy), images(a.x).shape, *_windows(a)), a)],
    ),
    "add": (
        lambda d: {"x": d.images(), "addend": d.images(), "relu": d.flag(), "border": d.pick(0, 1)},
        lambda a: [_relu(images(a.x) + images(a.addend), a.relu)],
    ),
    "add_gradient": (_add_gradient, _add_gradients),
    "copy": (
        lambda d: {"x": d.images(), "relu": d.flag(), "border": d.pick(0, 1)},
        lambda a: [_relu(images(a.x), a.relu)],
    ),
    "copy_gradient": (lambda d: _passed(d) | {"relu": d.flag()}, lambda a: [_finished(_through(a), a)]),
    "dropout": (lambda d: _dropout(d, {"x": d.images(), "border": d.pick(0, 1)}), lambda a: [images(a.x) * _kept(a)]),
    "dropout_gradient": (
        lambda d: _dropout(d, _without("y", _passed(d))),
        lambda a: [_finished(images(a.dy) * _kept(a), a)],
    ),
    "leaky_relu": (
        lambda d: {"x": d.images(), "slope": 0.2, "border": d.pick(0, 1)},
        lambda a: [reference.leaky_relu(images(a.x), float(np.float32(a.slope)))],
    ),
    "leaky_relu_gradient": (
        lambda d: _without("y", _passed(d)) | {"slope": 0.2},
        lambda a: [_finished(reference.leaky_relu_gradient(images(a.dy), images(a.x), float(np.float32(a.slope))), a)],
    ),
    "tanh": (lambda d: {"x": d.images(), "border": d.pick(0, 1)}, lambda a: [np.tanh(images(a.x))]),
    "tanh_gradient": (_passed, lambda a: [_finished(reference.tanh_gradient(images(a.dy), images(a.y)), a)]),
    "sigmoid": (lambda d: {"x": d.images(), "border": d.pick(0, 1)}, lambda a: [reference.sigmoid(images(a.x))]),
    "sigmoid_gradient": (_passed, lambda a: [_finished(reference.sigmoid_gradient(images(a.dy), images(a.y)), a)]),
    "cross_entropy": (
        lambda d: {"logits": d.layer()[2], "labels": d.rng.integers(0, d.outputs, d.samples)},
        _cross_entropy,
    ),
    "l1_gradient": (
        lambda d: {"weights": d.floats(3, 7), "gradient": d.floats(3, 7), "strength": 0.1},
        lambda a: [plain(a.gradient) + float(np.float32(a.strength)) * np.sign(plain(a.weights))],
    ),
    "optimizer_step": (_step_of_optimizer, lambda a: _updated(a, a.weights, a.gradient)),
    "scalars_of": (
        lambda d: {
            "rule": d.pick(*RULES),
            "step": d.pick(1, 9),
            "learning_rate": 0.1,
            "momentum": 0.9,
            "out": d.maybe(lambda: d.floats(8)),
        },
        _scalars,
    ),
}
"""By name: what draws the arguments of a call, and what its results, and then what it wrote into, have to be; NaN for anything."""
