"""Tensor: an array that remembers how it was made.

It holds its numbers in `.data`, an ordinary NumPy array, and the operation that made it in `.node`; everything it can do is an
operation of this room's other files. Tensors are values: writing into one is refused, since the tape would not see it.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from tinyticket.autograd import tape


class Tensor:
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
    What has no gradient is a plain array: comparisons give boolean arrays, `argmax` integer ones.
    """

    __array_ufunc__ = None  # an array on the left of an operator hands over to the tensor

    def __init__(self, data: Any, requires_grad: bool = False):
        if isinstance(data, Tensor):
            raise TypeError("Tensor(...) wants numbers, not a Tensor; write tensor.detach() for one outside the graph")
        if isinstance(data, list | tuple) and any(isinstance(part, Tensor) for part in data):
            raise TypeError(
                "Tensor(...) wants numbers, not a list of Tensors; write tt.stack(...) to keep their gradients"
            )
        array = np.asarray(data)
        if array.dtype.kind in "biu":
            array = array.astype(np.float64)
        if array.dtype not in (np.float32, np.float64):
            raise TypeError(f"a Tensor holds float32 or float64, not {array.dtype}; convert with .astype(np.float32)")
        self._data: np.ndarray = array
        self.requires_grad = bool(requires_grad)
        self.grad: np.ndarray | None = None
        self.node: tape.Node | None = None

    @classmethod
    def made_by(cls, node: tape.Node, data: np.ndarray) -> Tensor:
        """Return the result of a recorded operation (for the inside of the library)."""
        tensor = Tensor(data, requires_grad=True)
        tensor.node = node
        return tensor

    # -- looking at it

    @property
    def data(self) -> np.ndarray:
        """The numbers, as an array that shares its memory with the tensor."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        value = np.asarray(value, dtype=self.dtype)
        if value.shape != self.shape:
            raise ValueError(f"data of shape {value.shape} do not fit a tensor of shape {self.shape}")
        self._data = value

    @property
    def shape(self) -> tuple[int, ...]:
        """Length along each axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self._data.dtype

    def numpy(self) -> np.ndarray:
        """Return the numbers as an array that shares its memory with the tensor."""
        return self.data

    def item(self) -> float:
        """Return the only element as a Python number."""
        return self.data.item()

    def detach(self) -> Tensor:
        """Return a leaf with the same numbers (and memory) that requires no gradient."""
        return Tensor(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.data, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self.data)

    def __bool__(self) -> bool:
        return bool(self.data)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else format(str(self), spec)

    def __repr__(self) -> str:
        origin = f", from={self.node.name}" if self.node else ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({np.array2string(self.data, separator=', ', prefix='Tensor(')}, {self.dtype}{origin})"

    # -- gradients

    def backward(self, gradient: Any = None) -> None:
        """Add the gradient of this tensor to the `.grad` of every leaf it was computed from.

        Parameters
        ----------
        gradient
            Gradient of the quantity of interest with respect to this tensor, of its shape. Needed unless it has one element.

        Raises
        ------
        RuntimeError
            If nothing here requires a gradient, or the graph has been used already.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "nothing to differentiate: no tensor that this one was computed from has requires_grad=True"
            )
        if gradient is None:
            if self.size != 1:
                raise RuntimeError(
                    f"backward() of a tensor of shape {self.shape} needs a gradient of that shape; "
                    "a loss is usually one number: take .sum() or .mean() first"
                )
            gradient = np.ones_like(self.data)
        gradient = np.asarray(gradient, dtype=self.dtype)
        if gradient.shape != self.shape:
            raise ValueError(f"the gradient has shape {gradient.shape}, the tensor {self.shape}")
        tape.backward(self, gradient)

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
        """Limit the elements to [min, max]."""
        return elementwise.clip(self, min=min, max=max)

    # -- comparisons: plain boolean arrays

    def __eq__(self, other):
        return self.data == _array(other)

    def __ne__(self, other):
        return self.data != _array(other)

    def __lt__(self, other):
        return self.data < _array(other)

    def __le__(self, other):
        return self.data <= _array(other)

    def __gt__(self, other):
        return self.data > _array(other)

    def __ge__(self, other):
        return self.data >= _array(other)

    __hash__ = object.__hash__

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

    def max(self, axis=None, keepdims=False):
        """Maximum over `axis`; equal maxima share the gradient."""
        return reductions.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis=None, keepdims=False):
        """Minimum over `axis`; equal minima share the gradient."""
        return reductions.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis=None, keepdims=False) -> np.ndarray:
        """Index of the first maximum, as an integer array."""
        return self.data.argmax(axis=axis, keepdims=keepdims)

    # -- shapes

    def reshape(self, *shape):
        """Return the same elements in another shape, given as numbers or as one tuple."""
        return shapes.reshape(self, shape=_flatten(shape))

    def transpose(self, *axes):
        """Permute the axes; without arguments, reverse them."""
        return shapes.transpose(self, axes=_flatten(axes) or None)

    @property
    def T(self):  # noqa: N802 - NumPy's name
        """The tensor with its axes reversed."""
        return self.transpose()

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


def _array(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value


def _flatten(numbers: tuple) -> tuple[int, ...]:
    """Accept f(2, 3) and f((2, 3)) alike."""
    return tuple(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], tuple | list) else numbers


# The operations are built on Tensor, and Tensor's methods call the operations: they meet here, once both exist.
from tinyticket.autograd import elementwise, products, reductions, shapes  # noqa: E402
