"""The functions of tinyticket.nn.functional, each as a strategy of problems (see tests.autograd.problems)."""

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from tests.autograd.problems import SEEDS, elementwise, of_one_array, off_kinks, problem
from tests.nn.image_functions import IMAGE_FUNCTIONS
from tinyticket.nn import Connections
from tinyticket.nn import functional as F

FROM_ONE_AXIS = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)
REDUCTIONS = ("mean", "sum", "none")
LOGITS = hnp.array_shapes(min_dims=2, max_dims=2, max_side=4)


def along_one_axis(name):
    """Make problems of a function with the argument `dim`."""

    def make(draw, shape):
        dim = draw(st.integers(-len(shape), len(shape) - 1))
        return (lambda a: getattr(F, name)(a, dim=dim)), (lambda torch, a: getattr(torch, name)(a, dim=dim))

    return of_one_array(make, FROM_ONE_AXIS)


def cross_entropy(reduction):
    def make(draw, shape):
        labels = np.array(draw(st.lists(st.integers(0, shape[1] - 1), min_size=shape[0], max_size=shape[0])))
        return (
            lambda logits: F.cross_entropy(logits, labels, reduction=reduction),
            lambda torch, logits: torch.nn.functional.cross_entropy(logits, torch.tensor(labels), reduction=reduction),
        )

    return of_one_array(make, LOGITS)


@st.composite
def of_labels(draw, name):
    """Losses of labels with any axes behind the classes, of classes that count differently and one that is ignored."""
    classes = draw(st.integers(2, 4))
    others = draw(st.lists(st.integers(1, 3), max_size=3).map(tuple))
    generator = np.random.default_rng(draw(SEEDS))
    labels = np.asarray(generator.integers(0, classes, others))
    arguments = {"reduction": draw(st.sampled_from(REDUCTIONS))}
    weight = generator.uniform(0.5, 2, classes)
    if draw(st.booleans()) and (labels != 1).any():
        arguments["ignore_index"] = 1
    weighted = draw(st.booleans())
    if name == "cross_entropy" and draw(st.booleans()):
        arguments["label_smoothing"] = 0.2

    def theirs(torch, a):
        more = {"weight": torch.tensor(weight)} if weighted else {}
        return getattr(torch.nn.functional, name)(a, torch.tensor(labels), **arguments, **more)

    more = {"weight": weight} if weighted else {}
    shape = (*others[:1], classes, *others[1:])
    return problem(off_kinks([shape], draw(SEEDS)), lambda a: getattr(F, name)(a, labels, **arguments, **more), theirs)


@st.composite
def mse_loss(draw, reduction):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=3))
    return problem(
        off_kinks([shape, shape], draw(SEEDS)),
        lambda a, b: F.mse_loss(a, b, reduction=reduction),
        lambda torch, a, b: torch.nn.functional.mse_loss(a, b, reduction=reduction),
    )


@st.composite
def binary_cross_entropy(draw, reduction):
    shape, generator = draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=3)), np.random.default_rng(draw(SEEDS))
    target, weight, yes = (
        generator.random(shape),
        generator.uniform(0.5, 2, shape),
        generator.uniform(0.5, 2, shape[-1:]),
    )

    def ours(a):
        return F.binary_cross_entropy_with_logits(a, target, reduction, weight=weight, pos_weight=yes)

    def theirs(torch, a):
        labels, counts, of_yes = (torch.tensor(array) for array in (target, weight, yes))
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        return loss(a, labels, counts, pos_weight=of_yes, reduction=reduction)

    return problem(off_kinks([shape], draw(SEEDS)), ours, theirs)


@st.composite
def linear(draw, bias):
    """Any number of axes before the features, none included."""
    inputs, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    before = draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    shapes = [(*before, inputs), (outputs, inputs), (outputs,)]
    return problem(
        off_kinks(shapes if bias else shapes[:2], draw(SEEDS)),
        F.linear,
        lambda torch, *tensors: torch.nn.functional.linear(*tensors),
    )


@st.composite
def sparse_linear(draw):
    """A random part of the connections, none of some outputs, against the dense layer in PyTorch."""
    inputs, outputs, seed = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(SEEDS)
    graph = Connections.random(inputs, outputs, draw(st.integers(1, inputs * outputs)), seed)
    before = draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    places = tuple(np.array(each, np.int64) for each in (graph.rows(), graph.columns))

    def theirs(torch, x, weight, bias):
        dense = torch.zeros(outputs, inputs, dtype=weight.dtype).index_put(tuple(map(torch.tensor, places)), weight)
        return torch.nn.functional.linear(x, dense, bias)

    shapes = [(*before, inputs), (graph.count,), (outputs,)]
    return problem(off_kinks(shapes, seed), lambda x, weight, bias: F.sparse_linear(x, weight, graph, bias), theirs)


def dropout(draw, shape):
    p, seed = draw(st.sampled_from([0.2, 0.5, 0.9])), draw(SEEDS)
    scale = F.dropout(np.ones(shape), p, rng=seed).data
    return (lambda a: F.dropout(a, p, rng=seed)), (lambda torch, a: a * torch.tensor(scale))


def flatten(draw, shape):
    start_dim = draw(st.integers(-len(shape), len(shape) - 1))
    return (lambda a: F.flatten(a, start_dim)), (lambda torch, a: torch.flatten(a, start_dim))


@st.composite
def layer_norm(draw, parts):
    """Over any of the last axes, with a weight, a bias, or neither."""
    shape = draw(FROM_ONE_AXIS)
    last = shape[-draw(st.integers(1, len(shape))) :]
    return problem(
        off_kinks([shape, last, last][: 1 + parts], draw(SEEDS)),
        lambda x, *rest: F.layer_norm(x, last, *rest, eps=0.1),
        lambda torch, x, *rest: torch.nn.functional.layer_norm(x, last, *rest, eps=0.1),
    )


@st.composite
def srelu(draw):
    """Features, and images of channels with parameters of their own; off_kinks draws no input at a threshold."""
    shape = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        *draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)),
    )

    def theirs(torch, x, *parameters):
        t_left, a_left, t_right, a_right = (each.reshape(-1, *[1] * (len(shape) - 2)) for each in parameters)
        top, below = t_left + t_right.abs(), torch.minimum(x, t_left) - t_left
        return torch.minimum(torch.maximum(x, t_left), top) + a_left * below + a_right * (torch.maximum(x, top) - top)

    return problem(off_kinks([shape, *[shape[1:2]] * 4], draw(SEEDS)), F.srelu, theirs)


@st.composite
def conv1d(draw):
    kernel, stride, groups, outputs = (draw(st.integers(1, most)) for most in (3, 2, 2, 2))
    padding, dilation = draw(st.integers(0, 1)), draw(st.integers(1, 2))
    length = draw(st.integers(dilation * (kernel - 1) + 1, 8))
    shapes = [(draw(st.integers(1, 2)), 2 * groups, length), (groups * outputs, 2, kernel), (groups * outputs,)]
    windows = stride, padding, dilation, groups
    return problem(
        off_kinks(shapes, draw(SEEDS)),
        lambda *tensors: F.conv1d(*tensors, *windows),
        lambda torch, *tensors: torch.nn.functional.conv1d(*tensors, *windows),
    )


FUNCTIONS = {
    "gelu": elementwise(F.gelu, lambda torch, a: torch.nn.functional.gelu(a)),
    "gelu, tanh": elementwise(
        lambda a: F.gelu(a, approximate="tanh"), lambda torch, a: torch.nn.functional.gelu(a, approximate="tanh")
    ),
    "layer_norm": layer_norm(2),
    "layer_norm without bias": layer_norm(1),
    "layer_norm without weight": layer_norm(0),
    "conv1d": conv1d(),
    "relu": elementwise(F.relu, lambda torch, a: torch.relu(a)),
    "tanh": elementwise(F.tanh, lambda torch, a: torch.tanh(a)),
    "sigmoid": elementwise(F.sigmoid, lambda torch, a: torch.sigmoid(a)),
    "leaky_relu": elementwise(F.leaky_relu, lambda torch, a: torch.nn.functional.leaky_relu(a)),
    "srelu": srelu(),
    "softmax": along_one_axis("softmax"),
    "log_softmax": along_one_axis("log_softmax"),
    **{f"cross_entropy, {reduction}": cross_entropy(reduction) for reduction in REDUCTIONS},
    "cross_entropy, weighted": of_labels("cross_entropy"),
    "nll_loss": of_labels("nll_loss"),
    **{f"mse_loss, {reduction}": mse_loss(reduction) for reduction in REDUCTIONS},
    **{f"binary_cross_entropy, {reduction}": binary_cross_entropy(reduction) for reduction in REDUCTIONS},
    "linear": linear(bias=True),
    "sparse_linear": sparse_linear(),
    "linear without bias": linear(bias=False),
    "dropout": of_one_array(dropout),
    "flatten": of_one_array(flatten, FROM_ONE_AXIS),
    **IMAGE_FUNCTIONS,
}
