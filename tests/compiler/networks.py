"""Networks to compile: random ones from lists of blocks, and what their tests compare."""

import copy
import itertools

import numpy as np
from hypothesis import strategies as st

import tinyticket as tt
from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.compiler.network import Network
from tinyticket.nn import (
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
    SReLU,
    Tanh,
    ZeroPad2d,
    ZeroPadChannels,
)
from tinyticket.optim import SGD, Adam

CLASSES = 4
OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, 0.05, weight_decay=1e-3),
    "momentum": lambda parameters: SGD(parameters, 0.02, momentum=0.9),
    "nesterov": lambda parameters: SGD(parameters, 0.02, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda parameters: Adam(parameters, 1e-3, weight_decay=1e-3),
}
BLOCKS = {
    "conv3": lambda c, rng: [Conv2d(c, 6, 3, padding=1, rng=rng)],
    "conv3 stride": lambda c, rng: [Conv2d(c, 5, 3, 2, padding=1, rng=rng), ReLU()],
    "conv wide": lambda c, rng: [Conv2d(c, 4, (3, 2), padding=2, rng=rng), ReLU()],
    "conv1": lambda c, rng: [Conv2d(c, 7, 1, bias=False, rng=rng)],
    "conv1 stride": lambda c, rng: [Conv2d(c, 3, 1, 2, bias=False, rng=rng)],
    "norm": lambda c, rng: [BatchNorm2d(c)],
    "norm relu": lambda c, rng: [BatchNorm2d(c, eps=1e-3, momentum=0.3), ReLU()],
    "plain norm": lambda c, rng: [BatchNorm2d(c, affine=False)],
    "relu": lambda c, rng: [ReLU()],
    "leaky": lambda c, rng: [LeakyReLU(0.1)],
    "tanh": lambda c, rng: [Tanh()],
    "sigmoid": lambda c, rng: [Sigmoid()],
    "srelu": lambda c, rng: [SReLU(c, rng)],
    "max": lambda c, rng: [MaxPool2d(2)],
    "max overlapping": lambda c, rng: [MaxPool2d(3, 2, padding=1)],
    "avg": lambda c, rng: [AvgPool2d(2)],
    "avg padded": lambda c, rng: [AvgPool2d(3, 1, padding=1)],
    "residual": lambda c, rng: [Residual(_body(c, c, 1, rng))],
    "plain residual": lambda c, rng: [Residual(Conv2d(c, c, 3, padding=1, rng=rng))],
    "smooth residual": lambda c, rng: [
        Residual(Sequential(Conv2d(c, c, 3, padding=1, rng=rng), BatchNorm2d(c), Tanh()), Sequential(Sigmoid()))
    ],
    "projection": lambda c, rng: [
        Residual(_body(c, 6, 2, rng), Sequential(Conv2d(c, 6, 1, 2, bias=False, rng=rng), BatchNorm2d(6)))
    ],
    "shortcut": lambda c, rng: [
        Residual(_body(c, c + 3, 2, rng), Sequential(MaxPool2d(1, 2), ZeroPadChannels((1, 2))))
    ],
    "pad": lambda c, rng: [ZeroPad2d((1, 0, 2, 1))],
    "dropout": lambda c, rng: [Dropout(0.3, rng=rng.integers(100))],
}
ENDS = {
    "global": lambda c, pixels, rng: [GlobalAvgPool2d(), Linear(c, CLASSES, rng=rng)],
    "linear": lambda c, pixels, rng: [Flatten(), Linear(c * pixels, CLASSES, bias=False, rng=rng)],
    "layers": lambda c, pixels, rng: [
        Flatten(),
        Linear(c * pixels, 9, rng=rng),
        BatchNorm1d(9),
        ReLU(),
        Dropout(0.2, rng=rng.integers(100)),
        Linear(9, CLASSES, rng=rng),
    ],
    "relu": lambda c, pixels, rng: [Flatten(), Linear(c * pixels, CLASSES, rng=rng), ReLU()],
}


def _body(inputs, outputs, stride, rng):
    return Sequential(
        Conv2d(inputs, outputs, 3, stride, padding=1, bias=False, rng=rng),
        BatchNorm2d(outputs),
        ReLU(),
        Conv2d(outputs, outputs, 3, padding=1, bias=False, rng=rng),
        BatchNorm2d(outputs),
    )


def network(blocks, end, shape, seed=0):
    """Put blocks behind each other, leaving out those that the image has become too small for."""
    rng = np.random.default_rng(seed)
    layers, images = [], np.zeros((2, *shape), np.float32)
    for block in blocks:
        made = BLOCKS[block](images.shape[1], rng)
        with tt.no_grad():
            try:
                after = Sequential(*copy.deepcopy(made))(tt.Tensor(images)).data
            except ValueError:
                continue
        if after.shape[2] * after.shape[3] >= 4:
            layers, images = layers + made, after
    ending = ENDS[end](images.shape[1], images.shape[2] * images.shape[3], rng)
    return Sequential(*layers, *ending)


ACTIVATIONS = {
    "relu": lambda units, rng: ReLU(),
    "leaky": lambda units, rng: LeakyReLU(0.1),
    "tanh": lambda units, rng: Tanh(),
    "sigmoid": lambda units, rng: Sigmoid(),
    "srelu": SReLU,
}


def mlp(*sizes, bias=True, seed=0, activations=("relu",), flatten=False):
    """Return linear layers of such sizes, with activations between them, one after the other and again from the first."""
    rng, layers, kinds = np.random.default_rng(seed), [Flatten()] if flatten else [], itertools.cycle(activations)
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [Linear(inputs, outputs, bias=bias, rng=rng), ACTIVATIONS[next(kinds)](outputs, rng)]
    return Sequential(*layers[:-1])


@st.composite
def architectures(draw, most=5, densities=(None, 0.0, 0.1, 0.5, 1.0), ends=tuple(ENDS)):
    """Draw a network, of images or of linear layers with activations, and the shape of its examples."""
    seed, density = draw(st.integers(0, 2**31)), draw(st.sampled_from(densities))
    if draw(st.sampled_from(["images", "images", "features"])) == "images":
        shape = draw(st.tuples(st.integers(1, 4), st.integers(4, 11), st.integers(4, 11)))
        blocks = draw(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=most))
        model = network(blocks, draw(st.sampled_from(ends)), shape, seed)
    else:
        sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
        activations = draw(st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=1, max_size=3))
        model = mlp(*sizes, CLASSES, bias=draw(st.booleans()), seed=seed, activations=activations)
        shape = sizes[:1]
    return model if density is None else masked(model, density, seed), tuple(shape)


def masked(model, density, seed=1):
    rng = np.random.default_rng(seed)
    for weight in model.prunable().values():
        weight.mask = rng.random(weight.shape) < density
    return model


def compiled(model, make="momentum", batch_size=16, kernels=None, **options):
    """Return a compiled step; `kernels` may be one word for all layers, or for those that Winograd's algorithm takes."""
    if kernels == "winograd":
        network = Network(model, options.get("input_shape"))
        kernels = dict.fromkeys(filter(network.takes_winograd, network.weights), kernels)
    elif isinstance(kernels, str):
        kernels = dict.fromkeys(model.prunable(), kernels)
    optimizer = OPTIMIZERS[make](model.parameters())
    step = tt.compile(model, "cross_entropy", optimizer, batch_size, kernels=kernels, **options)
    assert isinstance(step, CompiledStep), step.explain()
    return step


def twins(model, make="momentum", batch_size=16, **options):
    """Return a compiled step and an eager one of equal models."""
    twin = copy.deepcopy(model)
    return compiled(model, make, batch_size, **options), EagerStep(twin, OPTIMIZERS[make](twin.parameters()))


def examples(shape, count=70, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, *shape)).astype(np.float32), rng.integers(0, CLASSES, count)


def assert_equal_to_rounding(model, other, tolerance=2e-5):
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=tolerance, err_msg=name)


def state(step):
    """Return the values and the slots of a step's parameters by name."""
    optimizer = step.optimizer
    places = {id(parameter): place for place, parameter in enumerate(optimizer.params)}
    return {name: [p.data, *optimizer.slots(places[id(p)])] for name, p in step.model.named_parameters()}


def hand_over(found, eager):
    """Give an eager step values and slots by name."""
    for name, arrays in state(eager).items():
        for array, source in zip(arrays, found[name], strict=True):
            array[...] = source


def assert_one_update_agrees(found, eager, noise):
    """Check values and slots by name against those of an eager step, after one update of equal ones.

    A gradient may be off by `noise` times the largest of its parameter, or times 0.3 if all are smaller, which then are
    differences of larger numbers. Adam's updates are as long as the learning rate whatever the gradient: what is allowed there
    is what such an error makes of each weight's own gradient.
    """
    optimizer = eager.optimizer
    for name, (value, *slots) in state(eager).items():
        gradient, shares = np.abs(slots[0]) if slots else np.ones(1), [1.0] * len(slots)
        if adam := isinstance(optimizer, Adam):
            (mean, square), step = optimizer.betas, optimizer.steps[0]
            gradient = np.sqrt(slots[1] / (1 - square**step))
            shares = [1 - mean, (1 - square) * 2 * gradient]
        error = noise * max(gradient.max(initial=0), 0.3)
        allowed = optimizer.lr * (np.minimum(2.5, 4 * error / np.maximum(gradient, 1e-30)) if adam else 2 * error)
        for ours, theirs, most in zip(
            found[name], (value, *slots), (allowed, *(error * s for s in shares)), strict=True
        ):
            off = np.abs(ours - theirs) - most - 2.5e-7 * np.abs(theirs) - 1e-12
            assert off.max(initial=-1) <= 0, f"{name} is off by {off.max()} more than {most}"


def duplicate(eager):
    """Return an eager step that goes on from where this one is."""
    return EagerStep(*copy.deepcopy((eager.model, eager.optimizer)))


def is_stable(eager, x, y, indices, noise, nudges=8, exact=True):
    """Return whether an eager step ends up where it does when the last bits of images and weights differ.

    Where a ReLU or a maximum stands at a tie, it does not, and then no two orders of adding up need to agree either. Unless sums
    are `exact`, those of zeros are not, as in Winograd's convolutions, and a ReLU behind them stands at a tie.
    """
    rng, plain = np.random.default_rng(0), duplicate(eager)
    plain((x, y), indices)
    for _ in range(nudges):
        other = duplicate(eager)
        for parameter in other.model.parameters():
            is_bias = parameter.data.ndim == 1
            zero = 0 if exact or not is_bias else rng.choice([-1e-7, 1e-7], parameter.data.shape)
            parameter.data = np.where(parameter.data, _nudged(parameter.data, rng), np.float32(zero))
        other((_nudged(x, rng), y), indices)
        try:
            assert_one_update_agrees(state(other), plain, noise / 10)
        except AssertionError:
            return False
    return True


def _nudged(values, rng):
    return np.nextafter(values, rng.choice([-9, 9], values.shape).astype(np.float32))


def assert_equal_bits(model, other):
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert one.tobytes() == two.tobytes(), name
