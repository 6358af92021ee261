"""What kernels of packed images are given in a fuzz, and what has to come of it, by `kernels.reference` in float64."""

from types import SimpleNamespace

import numpy as np

from tests.fuzz.draws import finished, images, padded, pair, plain, relu, without
from tests.kernels.images import gathered
from tinyticket import kernels
from tinyticket.kernels import reference
from tinyticket.kernels.geometry import SINE_OF_ONE


def _of_images(d, x, **others):
    """Return arguments of a gradient by images x."""
    add_to = d.maybe(lambda: d.images(x.geometry.channels, border=x.border))
    return {"x": x, **others, "add_to": add_to, "x_is_relu_output": d.flag()}


def _gather_images(d):
    as_pixels, shape = d.flag(), (7, d.channels, *d.size)
    data = d.rng.integers(0, 256, shape).astype(np.uint8) if as_pixels else d.floats(*shape)
    edges = d.rng.integers(0, 2, d.samples) * d.flag()
    sines = d.rng.integers(-SINE_OF_ONE, SINE_OF_ONE + 1, d.samples) * d.flag()
    draws = d.maybe(
        lambda: np.stack(
            [*d.rng.integers(-3, 4, (2, d.samples)), d.rng.integers(0, 2, d.samples), sines, edges], axis=1
        )
    )
    statistics = {"mean": d.floats(d.channels), "std": d.floats(d.channels) + 9} if as_pixels and d.flag() else {}
    return {
        "data": data,
        "indices": d.rng.integers(0, 7, d.samples),
        "draws": draws,
        "border": d.pick(0, 1),
        **statistics,
    }


def _images_gathered(a):
    data, bounds = np.asarray(a.data), np.array([18, 18, 1, SINE_OF_ONE, 1])
    draws = None if a.draws is None else np.clip(np.asarray(a.draws), -bounds, bounds).astype(int)
    chosen = gathered(
        data if data.dtype == np.uint8 else plain(data), np.asarray(a.indices).astype(int), draws, a.mean, a.std
    )
    return [padded(chosen, -(-len(chosen) // 16) * 16)]


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


def _winograd(d):
    """Return what `convolution` does, for a convolution that Winograd's algorithm computes."""
    d.window = d.kernel, d.stride, d.padding = (3, 3), 1, d.pick(0, 1, 2)
    d.size = tuple(max(n, 4, 6 - 2 * d.padding) for n in d.size)
    return d.convolution()


def _winograd_conv(d):
    weight, x, _, _ = _winograd(d)
    given = {"weight": weight, "bias": d.floats(len(weight)), "x": x, "padding": d.padding}
    return given | {"relu": d.flag(), "border": d.pick(0, 1)}


def _winograd_input_gradient(d):
    weight, x, dy, _ = _winograd(d)
    return _of_images(d, x, weight=weight, dy=dy, padding=d.padding)


def _winograd_weight_gradient(d):
    _, x, dy, _ = _winograd(d)
    return {"x": x, "dy": dy, "padding": d.padding}


def _one_step(a):
    """Return stride and padding as the specification takes them."""
    return (1, 1), pair(a.padding)


def _steps(a):
    """Return stride and padding as the specification takes them."""
    return pair(a.stride), pair(a.padding)


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
    return pair(pattern.window.stride), pair(pattern.window.padding)


def _sparse_conv_gradients(a):
    weight, steps = a.pattern.dense(a.pattern.by_row(plain(a.values))), _in_window(a.pattern)
    dx = reference.conv2d_input_gradient(images(a.dy), weight, images(a.x).shape, *steps)
    dense = reference.conv2d_weight_gradient(images(a.dy), images(a.x), a.pattern.shape[2:], *steps)
    return [finished(dx, a, add_to="dx"), a.pattern.by_column(a.pattern.values(dense.reshape(a.pattern.shape)))]


def _norm(d):
    x = d.images()
    parameters = {name: d.floats(d.channels) for name in ("weight", "bias", "running_mean")}
    given = {"x": x, **parameters, "running_variance": np.abs(d.floats(d.channels)) + np.float32(0.5)}
    others = {"addend": d.maybe(lambda: d.images()), "relu": d.flag(), "border": d.pick(0, 1)}
    return given | {"samples": d.pick(2, 16 * x.tiles), **others}


def _normed(a, mean, variance):
    y = reference.batch_norm(images(a.x), plain(mean), plain(variance), plain(a.weight), plain(a.bias), a.epsilon)
    return relu(y if a.addend is None else y + images(a.addend), a.relu)


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
    dx = finished(dx, a)
    if a.addend is None:
        return [dx, *sums]
    upstream[count:] = np.nan
    given = "addend", "addend_add_to", "addend_is_relu_output"
    return [dx, finished(upstream, a, *given), *sums]


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
    return pair(a.kernel), pair(pair(a.kernel)[0] if a.stride is None else a.stride), pair(a.padding)


def _max_pool_gradient(a):
    maximum, winner = reference.max_pool2d(images(a.x), *_windows(a))
    if not np.array_equal(maximum, images(a.y)):
        return None  # no gradient of anything
    return [finished(reference.max_pool2d_gradient(images(a.dy), winner, images(a.x).shape, *_windows(a)), a)]


def _passed(d):
    """Return the arguments of the gradient of what treats each pixel alone."""
    x = d.images()
    y = d.images()
    return _of_images(d, x, y=y, dy=d.images(border=y.border))


def _add_gradient(d):
    given, addend = _passed(d) | {"relu": d.flag()}, d.images()
    again = d.maybe(lambda: d.images(border=addend.border))
    return given | {"addend": addend, "addend_add_to": again, "addend_is_relu_output": d.flag()}


def _add_gradients(a):
    given = _through(a)
    return [finished(given, a), finished(given, a, "addend", "addend_add_to", "addend_is_relu_output")]


def _through(a):
    return np.where(images(a.y) <= 0, 0, images(a.dy)) if a.relu else images(a.dy)


_UNIT = "t_left", "a_left", "t_right", "a_right"


def _units(d, given):
    return given | {name: d.floats(d.channels) for name in _UNIT}


def _srelu(d):
    return _units(d, {"x": d.images(), "border": d.pick(0, 1)})


def _known(a):
    return [plain(getattr(a, name)) for name in _UNIT]


def _at_a_threshold(a):
    """Return where x is so near to a threshold that rounding decides on which side it is."""
    low, _, width, _ = (np.reshape(each, (-1, 1, 1)) for each in _known(a))
    near = 1e-5 * (1 + np.abs(low) + np.abs(width))
    return np.minimum(np.abs(images(a.x) - low), np.abs(images(a.x) - (low + np.abs(width)))) < near


def _srelu_gradients(a):
    if _at_a_threshold(a).any():
        return None
    dx, *others = reference.srelu_gradient(images(a.dy), images(a.x), *_known(a))
    return [finished(dx, a), *others]


def _kept(a):
    return np.asarray(a.keep).astype(bool).transpose(0, 4, 1, 2, 3).reshape(images(a.x).shape) * float(
        np.float32(a.scale)
    )


def _dropout(d, given):
    shape = given["x"].tiles, d.channels, *d.size, 16
    keep = d.rng.random(shape) < 0.5
    return given | {"keep": d.pick(keep, keep.astype(np.uint8)), "scale": 2.0}


IMAGES = {
    "Images": (lambda d: vars(d.images()), lambda a: [images(a)]),
    "ConvPattern.from_mask": (
        lambda d: {"mask": (p := d.convolution()[3]).mask(), "window": p.window},
        lambda a: [np.asarray(a.mask)],
    ),
    "pack_images": (
        lambda d: {"x": d.floats(d.samples, d.channels, *d.size), "border": d.pick(0, 1)},
        lambda a: [padded(a.x, -(-len(a.x) // 16) * 16)],
    ),
    "unpack_images": (
        lambda d: {"packed": d.images(), "samples": d.pick(0, 3, 16)},
        lambda a: [images(a.packed)[: a.samples]],
    ),
    "gather_images": (_gather_images, _images_gathered),
    "conv2d": (
        _conv,
        lambda a: [relu(reference.conv2d(images(a.x), plain(a.weight), plain(a.bias), *_steps(a)), a.relu)],
    ),
    "conv2d_input_gradient": (
        _conv_input_gradient,
        lambda a: [
            finished(reference.conv2d_input_gradient(images(a.dy), plain(a.weight), images(a.x).shape, *_steps(a)), a)
        ],
    ),
    "conv2d_weight_gradient": (
        _conv_weight_gradient,
        lambda a: [reference.conv2d_weight_gradient(images(a.dy), images(a.x), pair(a.kernel), *_steps(a))],
    ),
    "winograd_conv2d": (
        _winograd_conv,
        lambda a: [relu(reference.conv2d(images(a.x), plain(a.weight), plain(a.bias), *_one_step(a)), a.relu)],
    ),
    "winograd_conv2d_input_gradient": (
        _winograd_input_gradient,
        lambda a: [
            finished(
                reference.conv2d_input_gradient(images(a.dy), plain(a.weight), images(a.x).shape, *_one_step(a)), a
            )
        ],
    ),
    "winograd_conv2d_weight_gradient": (
        _winograd_weight_gradient,
        lambda a: [reference.conv2d_weight_gradient(images(a.dy), images(a.x), (3, 3), *_one_step(a))],
    ),
    "conv2d_bias_gradient": (lambda d: {"dy": d.images()}, lambda a: [images(a.dy).sum((0, 2, 3))]),
    "sparse_conv2d": (
        _sparse_conv,
        lambda a: [
            relu(
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
        lambda d: without(["samples"], _norm(d)),
        lambda a: [_normed(a, a.running_mean, a.running_variance)],
    ),
    "batch_norm_gradient": (_norm_gradient, _norm_gradients),
    "max_pool2d": (lambda d: _pool(d) | {"border": 1}, lambda a: [reference.max_pool2d(images(a.x), *_windows(a))[0]]),
    "avg_pool2d": (lambda d: _pool(d) | {"border": 1}, lambda a: [reference.avg_pool2d(images(a.x), *_windows(a))]),
    "max_pool2d_gradient": (_pool_gradient, _max_pool_gradient),
    "avg_pool2d_gradient": (
        lambda d: without("y", _pool_gradient(d)),
        lambda a: [finished(reference.avg_pool2d_gradient(images(a.dy), images(a.x).shape, *_windows(a)), a)],
    ),
    "add": (
        lambda d: {"x": d.images(), "addend": d.images(), "relu": d.flag(), "border": d.pick(0, 1)},
        lambda a: [relu(images(a.x) + images(a.addend), a.relu)],
    ),
    "add_gradient": (_add_gradient, _add_gradients),
    "copy": (
        lambda d: {"x": d.images(), "relu": d.flag(), "border": d.pick(0, 1)},
        lambda a: [relu(images(a.x), a.relu)],
    ),
    "copy_gradient": (lambda d: _passed(d) | {"relu": d.flag()}, lambda a: [finished(_through(a), a)]),
    "dropout": (lambda d: _dropout(d, {"x": d.images(), "border": d.pick(0, 1)}), lambda a: [images(a.x) * _kept(a)]),
    "dropout_gradient": (
        lambda d: _dropout(d, without("y", _passed(d))),
        lambda a: [finished(images(a.dy) * _kept(a), a)],
    ),
    "leaky_relu": (
        lambda d: {"x": d.images(), "slope": 0.2, "border": d.pick(0, 1)},
        lambda a: [reference.leaky_relu(images(a.x), float(np.float32(a.slope)))],
    ),
    "leaky_relu_gradient": (
        lambda d: without("y", _passed(d)) | {"slope": 0.2},
        lambda a: [finished(reference.leaky_relu_gradient(images(a.dy), images(a.x), float(np.float32(a.slope))), a)],
    ),
    "srelu": (_srelu, lambda a: [reference.srelu(images(a.x), *_known(a))]),
    "srelu_gradient": (lambda d: _units(d, without("y", _passed(d))), _srelu_gradients),
    "tanh": (lambda d: {"x": d.images(), "border": d.pick(0, 1)}, lambda a: [np.tanh(images(a.x))]),
    "tanh_gradient": (_passed, lambda a: [finished(reference.tanh_gradient(images(a.dy), images(a.y)), a)]),
    "sigmoid": (lambda d: {"x": d.images(), "border": d.pick(0, 1)}, lambda a: [reference.sigmoid(images(a.x))]),
    "sigmoid_gradient": (_passed, lambda a: [finished(reference.sigmoid_gradient(images(a.dy), images(a.y)), a)]),
}
