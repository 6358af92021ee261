"""The functions of images and of batches, each as a strategy of problems (see tests.autograd.problems)."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from tests.autograd.problems import SEEDS, off_kinks, problem
from tinyticket.nn import Buffer
from tinyticket.nn import functional as F


def one_or_two(numbers):
    """One number for rows and columns, or one for each."""
    return numbers | st.tuples(numbers, numbers)


def rows_columns(value) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


@st.composite
def windows(draw, most_padding):
    """Kernel size, stride, padding, and images (N, C, H, W) that have room for them."""
    kernel, stride = draw(one_or_two(st.integers(1, 3))), draw(one_or_two(st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, most_padding(size))) for size in rows_columns(kernel))
    sides = [
        draw(st.integers(max(1, size - 2 * zeros), 6))
        for size, zeros in zip(rows_columns(kernel), padding, strict=True)
    ]
    return kernel, stride, padding, (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *sides)


@st.composite
def conv2d(draw, bias):
    kernel, stride, padding, shape = draw(windows(lambda size: 2))
    outputs = draw(st.integers(1, 3))
    shapes = [shape, (outputs, shape[1], *rows_columns(kernel)), (outputs,)]
    return problem(
        off_kinks(shapes if bias else shapes[:2], draw(SEEDS)),
        lambda x, weight, bias=None: F.conv2d(x, weight, bias, stride, padding),
        lambda torch, x, weight, bias=None: torch.nn.functional.conv2d(x, weight, bias, stride, padding),
    )


@st.composite
def wide_windows(draw, most_padding):
    """As `windows`, with a dilation, and images that have room for it."""
    kernel, stride, padding, shape = draw(windows(most_padding))
    dilation = draw(one_or_two(st.integers(1, 3)))
    further = [(n - 1) * (apart - 1) for n, apart in zip(rows_columns(kernel), rows_columns(dilation), strict=True)]
    return kernel, stride, padding, dilation, (*shape[:2], shape[2] + further[0], shape[3] + further[1])


@st.composite
def grouped_conv2d(draw, same):
    kernel, stride, padding, dilation, (n, channels, *sides) = draw(wide_windows(lambda size: 2))
    groups, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    arguments = (1, "same", dilation, groups) if same else (stride, padding, dilation, groups)
    shapes = [(n, groups * channels, *sides), (groups * outputs, channels, *rows_columns(kernel)), (groups * outputs,)]
    return problem(
        off_kinks(shapes, draw(SEEDS)),
        lambda x, weight, bias: F.conv2d(x, weight, bias, *arguments),
        lambda torch, x, weight, bias: torch.nn.functional.conv2d(x, weight, bias, *arguments),
    )


@st.composite
def wide_max_pool2d(draw):
    kernel, stride, padding, dilation, shape = draw(wide_windows(lambda size: size // 2))
    arguments = (kernel, stride, padding, dilation, draw(st.booleans()))
    return problem(
        off_kinks([shape], draw(SEEDS)),
        lambda x: F.max_pool2d(x, *arguments),
        lambda torch, x: torch.nn.functional.max_pool2d(x, *arguments),
    )


@st.composite
def pooling(draw, name):
    kernel, stride, padding, shape = draw(windows(lambda size: size // 2))
    stride = draw(st.sampled_from([stride, None]))
    return problem(
        off_kinks([shape], draw(SEEDS)),
        lambda x: getattr(F, name)(x, kernel, stride, padding),
        lambda torch, x: getattr(torch.nn.functional, name)(x, kernel, stride, padding),
    )


@st.composite
def images(draw, ours, theirs):
    shape = draw(st.tuples(*[st.integers(1, 3)] * 4))
    return problem(off_kinks([shape], draw(SEEDS)), ours, theirs)


@st.composite
def pad_any(draw):
    """A value around any number of axes, or elements taken away."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=5).map(tuple))
    count = draw(st.integers(0, len(shape)))
    counts = draw(st.lists(st.integers(-1, 2), min_size=2 * count, max_size=2 * count).map(tuple))
    assume(all(size + sum(counts[2 * i : 2 * i + 2]) >= 0 for i, size in enumerate(shape[::-1])))
    return problem(
        off_kinks([shape], draw(SEEDS)),
        lambda x: F.pad(x, counts, value=0.5),
        lambda torch, x: torch.nn.functional.pad(x, counts, value=0.5),
    )


@st.composite
def pad_from_inside(draw, mode):
    shape = draw(st.tuples(*[st.integers(3, 4)] * 4))
    counts = tuple(draw(st.lists(st.integers(0 if mode == "reflect" else -1, 2), min_size=4, max_size=4)))
    assume(
        all(max(pair) < size + min(0, *pair) for size, pair in zip(shape[:1:-1], (counts[:2], counts[2:]), strict=True))
    )
    return problem(
        off_kinks([shape], draw(SEEDS)),
        lambda x: F.pad(x, counts, mode),
        lambda torch, x: torch.nn.functional.pad(x, counts, mode),
    )


@st.composite
def pad(draw):
    counts = tuple(draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)) for size in (2, 4, 6))
    counts = tuple(draw(st.sampled_from(counts)))
    return draw(images(lambda x: F.pad(x, counts), lambda torch, x: torch.nn.functional.pad(x, counts)))


@st.composite
def batch_norm(draw, training, affine):
    """Features or images, at least three numbers a channel."""
    channels = draw(st.integers(1, 3))
    shape = draw(
        st.tuples(st.integers(3, 6), st.just(channels))
        | st.tuples(st.integers(1, 3), st.just(channels), st.integers(2, 4), st.integers(2, 3))
    )
    seed = draw(SEEDS)
    mean, var = np.random.default_rng(seed).uniform(0.5, 2, (2, channels))
    eps = draw(st.sampled_from([1e-5, 0.1]))

    def ours(x, weight=None, bias=None):
        return F.batch_norm(x, Buffer(mean), Buffer(var), weight, bias, training, eps=eps)

    def theirs(torch, x, weight=None, bias=None):
        running = torch.tensor(mean), torch.tensor(var)
        return torch.nn.functional.batch_norm(x, *running, weight, bias, training, eps=eps)

    shapes = [shape, (channels,), (channels,)]
    return problem(off_kinks(shapes if affine else shapes[:1], seed), ours, theirs)


IMAGE_FUNCTIONS = {
    "conv2d": conv2d(bias=True),
    "conv2d without bias": conv2d(bias=False),
    "conv2d, dilated in groups": grouped_conv2d(same=False),
    "conv2d, images keep their size": grouped_conv2d(same=True),
    "max_pool2d": pooling("max_pool2d"),
    "max_pool2d, dilated": wide_max_pool2d(),
    "avg_pool2d": pooling("avg_pool2d"),
    "global_avg_pool2d": images(F.global_avg_pool2d, lambda torch, x: x.mean(dim=(2, 3))),
    "pad": pad(),
    "pad, any axes": pad_any(),
    **{f"pad, {mode}": pad_from_inside(mode) for mode in ("reflect", "replicate", "circular")},
    "batch_norm, training": batch_norm(training=True, affine=True),
    "batch_norm, training without weight": batch_norm(training=True, affine=False),
    "batch_norm, evaluation": batch_norm(training=False, affine=True),
    "batch_norm, evaluation without weight": batch_norm(training=False, affine=False),
}
