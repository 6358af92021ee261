"""The numbers of a tensor, its gradient, and where it came from; what is computed with it stands in `tensor`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from tinyticket.autograd import tape


class Value:
    """What `Tensor` inherits all but its operators and operations from."""

    def __init__(self, data: Any, requires_grad: bool = False):
        if isinstance(data, Value):
            raise TypeError("Tensor(...) wants numbers, not a Tensor; write tensor.detach() for one outside the graph")
        if isinstance(data, list | tuple) and any(isinstance(part, Value) for part in data):
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
    def made_by(cls, node: tape.Node, data: np.ndarray) -> Self:
        """Return the result of a recorded operation (for the inside of the library)."""
        tensor = cls(data, requires_grad=True)
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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.data, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.data)

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

    def argmax(self, axis=None, keepdims=False) -> np.ndarray:
        """Index of the first maximum, as an integer array."""
        return self.data.argmax(axis=axis, keepdims=keepdims)


def _array(value: Any) -> Any:
    return value.data if isinstance(value, Value) else value
