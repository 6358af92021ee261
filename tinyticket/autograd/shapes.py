"""Operations that move elements without changing them: the gradient moves back the same way."""

from collections.abc import Sequence

import numpy as np

from tinyticket.autograd.operation import operation
from tinyticket.autograd.tensor import Tensor


@operation
def reshape(a, *, shape):
    """Return the elements of a in another shape."""
    return a.reshape(shape), (lambda g: g.reshape(a.shape),)


@operation
def squeeze(a, *, axis=None):
    """Remove axes of length 1: all of them, or those named."""
    return a.squeeze(axis), (lambda g: g.reshape(a.shape),)


@operation
def expand_dims(a, *, axis):
    """Put in axes of length 1, which get the places `axis` in the result."""
    return np.expand_dims(a, axis), (lambda g: g.reshape(a.shape),)


@operation
def broadcast_to(a, *, shape):
    """Return a repeated along axes of length 1, or new ones in front, until it has `shape`."""
    return np.broadcast_to(a, shape), (lambda g: g,)


@operation
def pad(a, *, pad_width, constant_values=0):
    """Put `pad_width` = ((before, after), ...) elements of one value around a, as `np.pad` does."""
    if isinstance(constant_values, Tensor):
        raise TypeError("pad: the value around is a number, not a tensor")
    widths = np.broadcast_to(pad_width, (a.ndim, 2))
    inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, a.shape, strict=True))
    return np.pad(a, pad_width, constant_values=constant_values), (lambda g: g[inside],)


@operation
def transpose(a, *, axes=None):
    """Permute the axes of a; None reverses them."""
    back = None if axes is None else np.argsort(np.asarray(axes) % a.ndim)
    return a.transpose(axes), (lambda g: g.transpose(back),)


@operation
def getitem(a, *, index):
    """a[index], for everything that NumPy indexes with; elements taken twice get both gradients."""
    if any(isinstance(part, Tensor) for part in (index if isinstance(index, tuple) else (index,))):
        raise TypeError(
            "a tensor is no index: use an array of integers or booleans, such as tensor.argmax() or tensor > 0"
        )

    def gradient(g):
        scattered = np.zeros(a.shape, g.dtype)
        np.add.at(scattered, index, g)
        return scattered

    return a[index], (gradient,)


def concatenate(tensors: Sequence, axis: int = 0) -> Tensor:
    """Join tensors along an axis they have."""
    return _concatenate(*tensors, axis=axis)


@operation
def _concatenate(*arrays, axis):
    _check_shapes("concatenate", arrays, [np.delete(array.shape, axis).tolist() for array in arrays])
    ends = np.cumsum([array.shape[axis] for array in arrays])
    pieces = tuple(
        _piece(end - array.shape[axis], end, axis % array.ndim) for array, end in zip(arrays, ends, strict=True)
    )
    return np.concatenate(arrays, axis=axis), pieces


def _piece(start, end, axis):
    return lambda g: g[(slice(None),) * axis + (slice(start, end),)]


def stack(tensors: Sequence, axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    return _stack(*tensors, axis=axis)


@operation
def _stack(*arrays, axis):
    _check_shapes("stack", arrays, [array.shape for array in arrays])
    return np.stack(arrays, axis=axis), tuple(_layer(i, axis) for i in range(len(arrays)))


def _check_shapes(name, arrays, must_agree):
    if any(shape != must_agree[0] for shape in must_agree):
        raise ValueError(f"{name}: shapes {', '.join(str(array.shape) for array in arrays)} do not fit")


def _layer(i, axis):
    return lambda g: np.take(g, i, axis=axis)
