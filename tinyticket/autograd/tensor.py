"""Tensor: an array that remembers how it was made.

It holds its numbers in `.data`, an ordinary NumPy array, and the operation that made it in `.node`; everything it can do is an
operation of this room's other files. Tensors are values: writing into one is refused, since the tape would not see it.
"""

from __future__ import annotations

from typing import NoReturn

from tinyticket.autograd.value import Value


class Tensor(Value):
    """An n-dimensional array of float32 or float64 that gradients can flow through.

    Parameters
    ----------
    data
        Anything NumPy makes an array of. float32 and float64 are kept and not copied; integers and booleans become float64.
    requires_grad
        Whether backward() shall leave a gradient in `.grad`.

    Attributes
    ----------
    data : ndarray
        The numbers.
    grad : ndarray or None
        For a leaf, the gradient that backward() calls have added up so far; same shape and dtype as `data`.
    node : Node or None
        The operation that made this tensor; None for a leaf.

    Raises
    ------
    TypeError
        If the data are not real numbers of those kinds.

    Notes
    -----
    What has no gradient is a plain array: comparisons give boolean arrays, `argmax` integer ones. NumPy's functions take tensors:
    they give tensors, or such arrays, or are refused (see `dispatch`).

    Examples
    --------
    >>> import tinyticket as tt
    >>> w = tt.Tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    array([2., 4.])
    """

    # -- NumPy's functions: `dispatch` says which of them do what with tensors

    def __array_ufunc__(self, ufunc, method, *arguments, **keywords):
        return dispatch.call(ufunc if method == "__call__" else getattr(ufunc, method), arguments, keywords)

    def __array_function__(self, function, types, arguments, keywords):
        return dispatch.call(function, arguments, keywords)

    # -- arithmetic

    def __add__(self, other):
        return elementwise.add(self, other)

    def __radd__(self, other):
        return elementwise.add(other, self)

    def __sub__(self, other):
        return elementwise.subtract(self, other)

    def __rsub__(self, other):
        return elementwise.subtract(other, self)

    def __mul__(self, other):
        return elementwise.multiply(self, other)

    def __rmul__(self, other):
        return elementwise.multiply(other, self)

    def __truediv__(self, other):
        return elementwise.divide(self, other)

    def __rtruediv__(self, other):
        return elementwise.divide(other, self)

    def __pow__(self, other):
        return elementwise.power(self, other)

    def __rpow__(self, other):
        return elementwise.power(other, self)

    def __pos__(self):
        return self

    def __neg__(self):
        return elementwise.negative(self)

    def __matmul__(self, other):
        return products.matmul(self, other)

    def __rmatmul__(self, other):
        return products.matmul(other, self)

    def exp(self):
        """E to the power of each element."""
        return elementwise.exp(self)

    def log(self):
        """Natural logarithm."""
        return elementwise.log(self)

    def sqrt(self):
        """Square root."""
        return elementwise.sqrt(self)

    def sin(self):
        """Sine, in radians."""
        return elementwise.sin(self)

    def cos(self):
        """Cosine, in radians."""
        return elementwise.cos(self)

    def tanh(self):
        """Hyperbolic tangent."""
        return elementwise.tanh(self)

    def sigmoid(self):
        """1 / (1 + exp(-x))."""
        return elementwise.sigmoid(self)

    def relu(self):
        """max(x, 0)."""
        return elementwise.relu(self)

    def abs(self):
        """Absolute value."""
        return elementwise.absolute(self)

    __abs__ = abs

    def clip(self, min=None, max=None):
        """Limit the elements to [min, max], which may be tensors too."""
        return elementwise.clip(self, min, max)

    # -- reductions, axis and keepdims as in NumPy

    def sum(self, axis=None, keepdims=False):
        """Sum over `axis`."""
        return reductions.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis=None, keepdims=False):
        """Mean over `axis`."""
        return reductions.mean(self, axis=axis, keepdims=keepdims)

    def var(self, axis=None, ddof=0, keepdims=False):
        """Variance over `axis`, divided by the count minus `ddof`."""
        return reductions.var(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis=None, ddof=0, keepdims=False):
        """Standard deviation over `axis`, the square root of `var`."""
        return reductions.std(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def prod(self, axis=None, keepdims=False):
        """Product over `axis`."""
        return reductions.prod(self, axis=axis, keepdims=keepdims)

    def cumsum(self, axis=None):
        """Sums up to each element along `axis`; without one, of all elements in row order."""
        return reductions.cumsum(self, axis=axis)

    def max(self, axis=None, keepdims=False):
        """Maximum over `axis`; equal maxima share the gradient."""
        return reductions.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis=None, keepdims=False):
        """Minimum over `axis`; equal minima share the gradient."""
        return reductions.min(self, axis=axis, keepdims=keepdims)

    # -- shapes

    def reshape(self, *shape):
        """Return the same elements in another shape, given as numbers or as one tuple."""
        return shapes.reshape(self, shape=_flatten(shape))

    def transpose(self, *axes):
        """Permute the axes; without arguments, reverse them."""
        return shapes.transpose(self, axes=_flatten(axes) or None)

    def squeeze(self, axis=None):
        """Remove axes of length 1: all of them, or those named."""
        return shapes.squeeze(self, axis=axis)

    @property
    def T(self):  # noqa: N802 - NumPy's name
        """The tensor with its axes reversed."""
        return self.transpose()

    def detach(self) -> Tensor:
        """Return a leaf with the same numbers (and memory) that requires no gradient."""
        return Tensor(self.data)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        return shapes.getitem(self, index=index)

    # -- writes are refused: the tape could not see them

    def __setitem__(self, index, value) -> NoReturn:
        raise TypeError(
            "tensors are not written in place, since gradients would miss it: build a new one with tt.where(mask, a, b) "
            "or tt.concatenate, or write to tensor.data[...] outside a graph"
        )

    def _refuse_in_place(self, other) -> NoReturn:
        raise TypeError(
            "tensors are not changed in place, since gradients would miss it: write a = a + b instead of a += b"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imatmul__ = __ifloordiv__ = __imod__ = _refuse_in_place


def _flatten(numbers: tuple) -> tuple[int, ...]:
    """Accept f(2, 3) and f((2, 3)) alike."""
    return tuple(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], tuple | list) else numbers


# The operations are built on Tensor, and Tensor's methods call the operations: they meet here, once both exist.
from tinyticket.autograd import dispatch, elementwise, products, reductions, shapes  # noqa: E402
