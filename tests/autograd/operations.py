"""The operations of tinyticket.autograd, each as a strategy of problems."""

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

import tinyticket as tt
from tests.autograd.problems import (
    SEEDS,
    anywhere,
    away_from_zero,
    elementwise,
    of_one_array,
    off_kinks,
    positive,
    problem,
)
from tinyticket.nn.functional import leaky_relu

TWO = (anywhere, anywhere)


def reduction(ours, theirs):
    """Sums and the like over any axes: `theirs(tensor, axes, keepdims)` always gets all axes spelled out."""

    def make(draw, shape):
        axes = st.none()
        if shape:
            axes |= st.integers(-len(shape), len(shape) - 1) | hnp.valid_tuple_axes(len(shape), min_size=1)
        axis, keepdims = draw(axes), draw(st.booleans())
        spelled_out = tuple(range(len(shape))) if axis is None else axis
        return (lambda a: ours(a, axis, keepdims)), (lambda torch, a: theirs(a, spelled_out, keepdims))

    return of_one_array(make)


def sample_variance(draw, shape):
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    assume(shape[axis] > 1)
    return (lambda a: a.var(axis=axis, ddof=1)), (lambda torch, a: a.var(dim=axis, correction=1))


def deviation(draw, shape):
    """A standard deviation over one axis, of more than one number: where it is 0 there is no gradient to compare."""
    axis, ddof = draw(st.integers(-len(shape), len(shape) - 1)), draw(st.integers(0, 1))
    assume(shape[axis] > 1)
    return (lambda a: a.std(axis=axis, ddof=ddof)), (lambda torch, a: a.std(dim=axis, correction=ddof))


def product_over(a, axes, keepdims):
    for axis in sorted(np.atleast_1d(np.asarray(axes, int)) % max(a.ndim, 1), reverse=True):
        a = a.prod(dim=int(axis), keepdim=keepdims)
    return a


def cumsum(draw, shape):
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    return (lambda a: a.cumsum(axis)), (lambda torch, a: a.reshape(-1).cumsum(0) if axis is None else a.cumsum(axis))


def squeeze(draw, shape):
    places = [i for i, size in enumerate(shape) if size == 1]
    axis = draw(st.none() | st.sampled_from([(), *places, tuple(places)]))
    spelled_out = tuple(places) if axis is None else axis
    return (lambda a: a.squeeze(axis)), (lambda torch, a: a.squeeze(spelled_out))


def expand_dims(draw, shape):
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    return (lambda a: np.expand_dims(a, axis)), (lambda torch, a: a.unsqueeze(axis))


def broadcast_to(draw, shape):
    target = (
        *draw(hnp.array_shapes(min_dims=0, max_dims=1)),
        *(draw(st.integers(1, 3)) if n == 1 else n for n in shape),
    )
    return (lambda a: np.broadcast_to(a, target)), (lambda torch, a: a.broadcast_to(target))


def pad(draw, shape):
    widths = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=len(shape), max_size=len(shape)))
    backwards = [count for pair in widths[::-1] for count in pair]
    return (
        lambda a: np.pad(a, widths, constant_values=0.5),
        lambda torch, a: torch.nn.functional.pad(a, backwards, value=0.5),
    )


SUBSCRIPTS = [
    "ij,jk",
    "ij,jk->ki",
    "i,i",
    "ij->",
    "ij->ji",
    "ii",
    "ii->i",
    "iij,j->ij",
    "i,j->ij",
    "i,ij,j",
    "ij,ij,ij->j",
]
SUBSCRIPTS += ["...ij,...jk", "i...->...", "...i,i->...", "...,...", "ba", "ij,kj->k", "iji->j"]


@st.composite
def einsum(draw):
    """Axes of one letter have one length; what "..." stands for is broadcast."""
    subscripts, seed = draw(st.sampled_from(SUBSCRIPTS)), draw(SEEDS)
    sizes, further = (
        {letter: draw(st.integers(1, 3)) for letter in "abijk"},
        draw(hnp.array_shapes(min_dims=0, max_dims=2)),
    )
    shapes = []
    for part in subscripts.partition("->")[0].split(","):
        before, dots, after = part.partition("...")
        kept = further[draw(st.integers(0, len(further))) :] if dots else ()
        kept = tuple(1 if draw(st.booleans()) else size for size in kept)
        shapes.append((*(sizes[letter] for letter in before), *kept, *(sizes[letter] for letter in after)))
    return problem(
        off_kinks(shapes, seed),
        lambda *tensors: tt.einsum(subscripts, *tensors),
        lambda torch, *tensors: torch.einsum(subscripts, *tensors),
    )


def indexing(indices):
    """Indexing with what `indices(draw, shape)` draws; torch, which knows no negative steps, gets flat positions instead."""

    def make(draw, shape):
        index = indices(draw, shape)
        positions = np.arange(int(np.prod(shape))).reshape(shape)[index].copy()
        return (lambda a: a[index]), (lambda torch, a: a.reshape(-1)[torch.tensor(positions)])

    return of_one_array(make, hnp.array_shapes(max_dims=3, max_side=4))


def reshape(draw, shape):
    target = draw(st.sampled_from([(-1,), shape[::-1], (1, *shape), (*shape[:1], -1), (*shape, 1, 1)]))
    as_tuple = draw(st.booleans())
    return (lambda a: a.reshape(target) if as_tuple else a.reshape(*target)), (lambda torch, a: a.reshape(target))


def transpose(draw, shape):
    axes = tuple(draw(st.permutations(range(len(shape)))))
    spelling = tuple(axis - len(shape) * draw(st.booleans()) for axis in axes)
    return (lambda a: a.transpose(spelling)), (lambda torch, a: a.permute(axes))


def reverse_axes(draw, shape):
    return (lambda a: a.T), (lambda torch, a: a.permute(tuple(range(len(shape)))[::-1]))


@st.composite
def matmul(draw):
    """Vectors, matrices and stacks of matrices, the stacks broadcast."""
    shapes = draw(
        hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2, max_side=3)
    ).input_shapes
    return problem(off_kinks(shapes, draw(SEEDS)), lambda a, b: a @ b)


@st.composite
def concatenate(draw):
    shape = list(draw(hnp.array_shapes(max_dims=3, max_side=3)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    shapes = []
    for length in lengths:
        shape[axis] = length
        shapes.append(tuple(shape))
    return problem(
        off_kinks(shapes, draw(SEEDS)),
        lambda *tensors: tt.concatenate(tensors, axis=axis),
        lambda torch, *tensors: torch.cat(tensors, dim=axis),
    )


@st.composite
def stack(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    count = draw(st.integers(1, 3))
    return problem(
        off_kinks([shape] * count, draw(SEEDS)),
        lambda *tensors: tt.stack(tensors, axis=axis),
        lambda torch, *tensors: torch.stack(tensors, dim=axis),
    )


@st.composite
def where(draw):
    condition_shape, *shapes = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3)
    ).input_shapes
    seed = draw(SEEDS)
    condition = np.asarray(np.random.default_rng(seed).random(condition_shape) < 0.5)
    return problem(
        off_kinks(shapes, seed),
        lambda a, b: tt.where(condition, a, b),
        lambda torch, a, b: torch.where(torch.tensor(condition), a, b),
    )


OPERATIONS = {
    "add": elementwise(lambda a, b: a + b, kinds=TWO),
    "subtract": elementwise(lambda a, b: a - b, kinds=TWO),
    "multiply": elementwise(lambda a, b: a * b, kinds=TWO),
    "divide": elementwise(lambda a, b: a / b, kinds=(anywhere, away_from_zero)),
    "power": elementwise(lambda a, b: a**b, kinds=(positive, anywhere)),
    "power, whole exponent": elementwise(lambda a: a**3),
    "power, negative exponent": elementwise(lambda a: a**-2, kinds=(away_from_zero,)),
    "power, number as base": elementwise(lambda a: 2.5**a),
    "number minus": elementwise(lambda a: 1 - a),
    "number divided": elementwise(lambda a: 2 / a, kinds=(away_from_zero,)),
    "negative": elementwise(lambda a: -a),
    "matmul": matmul(),
    "einsum": einsum(),
    "exp": elementwise(lambda a: a.exp()),
    "log": elementwise(lambda a: a.log(), kinds=(positive,)),
    "sqrt": elementwise(lambda a: a.sqrt(), kinds=(positive,)),
    "sin": elementwise(lambda a: a.sin()),
    "cos": elementwise(lambda a: a.cos()),
    "tanh": elementwise(lambda a: a.tanh()),
    "sigmoid": elementwise(lambda a: a.sigmoid()),
    "relu": elementwise(lambda a: a.relu()),
    "leaky_relu": elementwise(
        lambda a: leaky_relu(a, negative_slope=0.2),
        lambda torch, a: torch.nn.functional.leaky_relu(a, negative_slope=0.2),
    ),
    "abs": elementwise(lambda a: a.abs()),
    "maximum": elementwise(tt.maximum, lambda torch, a, b: torch.maximum(a, b), kinds=TWO),
    "minimum": elementwise(tt.minimum, lambda torch, a, b: torch.minimum(a, b), kinds=TWO),
    "clip": elementwise(lambda a: a.clip(-0.5, 0.7)),
    "clip from below": elementwise(lambda a: a.clip(min=0.2)),
    "clip from above": elementwise(lambda a: a.clip(max=-0.2)),
    "clip to tensors": elementwise(
        lambda a, low, high: a.clip(low, high),
        lambda torch, a, low, high: torch.minimum(torch.maximum(a, low), high),
        kinds=(anywhere,) * 3,
    ),
    "clip to a tensor from above": elementwise(
        lambda a, high: a.clip(max=high), lambda torch, a, high: torch.minimum(a, high), kinds=TWO
    ),
    "where": where(),
    "sum": reduction(lambda a, axis, keepdims: a.sum(axis, keepdims), lambda a, axes, k: a.sum(dim=axes, keepdim=k)),
    "mean": reduction(lambda a, axis, keepdims: a.mean(axis, keepdims), lambda a, axes, k: a.mean(dim=axes, keepdim=k)),
    "var": reduction(
        lambda a, axis, keepdims: a.var(axis, keepdims=keepdims),
        lambda a, axes, k: a.var(dim=axes, correction=0, keepdim=k),
    ),
    "var, sample": of_one_array(sample_variance, hnp.array_shapes(max_dims=3, max_side=4)),
    "std": of_one_array(deviation, hnp.array_shapes(max_dims=3, max_side=4)),
    "prod": reduction(lambda a, axis, keepdims: a.prod(axis, keepdims), lambda a, axes, k: product_over(a, axes, k)),
    "cumsum": of_one_array(cumsum, hnp.array_shapes(max_dims=3, max_side=4)),
    "max": reduction(lambda a, axis, keepdims: a.max(axis, keepdims), lambda a, axes, k: a.amax(dim=axes, keepdim=k)),
    "min": reduction(lambda a, axis, keepdims: a.min(axis, keepdims), lambda a, axes, k: a.amin(dim=axes, keepdim=k)),
    "reshape": of_one_array(reshape),
    "squeeze": of_one_array(squeeze),
    "expand_dims": of_one_array(expand_dims),
    "broadcast_to": of_one_array(broadcast_to),
    "pad": of_one_array(pad, hnp.array_shapes(max_dims=3, max_side=4)),
    "transpose": of_one_array(transpose),
    "T": of_one_array(reverse_axes),
    "index, basic": indexing(lambda draw, shape: draw(hnp.basic_indices(shape, allow_newaxis=True))),
    "index, integer arrays": indexing(lambda draw, shape: draw(hnp.integer_array_indices(shape))),
    "index, one array with repeats": indexing(
        lambda draw, shape: np.array(draw(st.lists(st.integers(-shape[0], shape[0] - 1), min_size=2, max_size=6)))
    ),
    "index, boolean array": indexing(lambda draw, shape: np.random.default_rng(draw(SEEDS)).random(shape) < 0.5),
    "concatenate": concatenate(),
    "stack": stack(),
}
