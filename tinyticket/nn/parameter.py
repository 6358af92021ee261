"""Parameters, which training changes and masks prune, and buffers, which a model keeps beside them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.kernels.read_only import kept


class Holder(Protocol):
    """A compiled step, which holds the newest values of its model's parameters and buffers in memory of its own."""

    def fetch(self) -> None:
        """Write the newest values into the model, and take them from there again before the next step."""


class Held:
    """What a compiled step may hold the newest values of."""

    _holder: Holder | None = None

    def held_by(self, holder: Holder) -> None:
        """Let a compiled step hold the values from now on; one that holds them already gives them back first."""
        if self._holder is not holder:
            self.fetch()
            self._holder = holder

    def fetch(self) -> None:
        """Make sure that the values here are the newest."""
        if self._holder is not None:
            self._holder.fetch()

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles take along: the newest values, and not the step that holds them."""
        self.fetch()
        return {name: value for name, value in vars(self).items() if name != "_holder"}


class Parameter(Held, Tensor):
    """A tensor that training changes, with an optional mask of what survives.

    Parameters
    ----------
    data
        Initial values; copied, so that training does not change the caller's array.
    mask : array of bool, optional
        True where a weight survives. Pruned weights are set to +0.0, and optimizers keep them there.
    """

    def __init__(self, data: Any, mask: Any = None):
        super().__init__(np.array(data), requires_grad=True)
        self._mask: np.ndarray | None = None
        self._bits: np.ndarray | None = None
        if mask is not None:
            self.mask = mask

    @property
    def mask(self) -> np.ndarray | None:
        """True where a weight survives, of the parameter's shape; None if nothing was ever pruned."""
        return self._mask

    @mask.setter
    def mask(self, mask: Any) -> None:
        self.fetch()
        if mask is None:
            self._mask = None
            return
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != self.shape:
            raise ValueError(
                f"the mask of a parameter of shape {self.shape} is a boolean array of that shape, "
                f"not {mask.dtype} of shape {mask.shape}"
            )
        self._mask, self._bits = mask.copy(), None
        self.apply_mask(self._data)

    def set_mask_only(self, mask: np.ndarray) -> None:
        """Record a mask that the compiled step which holds the values has already applied to them."""
        self._mask, self._bits = mask.copy(), None

    @property
    def data(self) -> np.ndarray:
        """The values, in memory that stays the parameter's own: assigning copies into it, under the mask.

        What is written into the array is seen by the next step; after a compiled step, read it again.
        """
        self.fetch()
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        if np.shape(value) != self.shape:
            raise ValueError(f"data of shape {np.shape(value)} do not fit a parameter of shape {self.shape}")
        self.fetch()
        self._data[...] = value
        self.apply_mask(self._data)

    def apply_mask(self, *arrays: np.ndarray) -> None:
        """Write +0.0 over the pruned places of arrays shaped like this parameter (its data, gradients, optimizer slots).

        The bits are and-ed: fast, and exact where a product is not (-3 * 0 is -0.0, NaN * 0 is NaN).
        """
        if self._mask is not None:
            if self._bits is None:  # all bits set where a weight survives, none where it is pruned
                self._bits = np.where(self._mask, -1, 0).astype(f"i{self.dtype.itemsize}")
            for array in arrays:
                bits = array.view(self._bits.dtype)
                np.bitwise_and(bits, self._bits, out=bits)

    def snapshot(self) -> np.ndarray:
        """Return the newest values, which stay as they are while the parameter changes."""
        return self.data.copy()

    def convert(self, dtype: Any) -> None:
        """Turn the values into float32 or float64; a gradient is forgotten."""
        self._data, self.grad = self.data.astype(dtype), None
        self.mask = self._mask

    def __deepcopy__(self, memo: dict) -> Parameter:
        twin = type(self)(self.data, self._mask)
        twin.requires_grad = self.requires_grad
        memo[id(self)] = twin
        return twin


class Buffer(Held):
    """An array that belongs to a model but is not trained, such as a running mean; `.data` holds it."""

    def __init__(self, data: Any):
        self._data = np.array(data)

    @property
    def data(self) -> np.ndarray:
        """The array; assigning copies into it. After a compiled step, read it again."""
        self.fetch()
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self.fetch()
        self._data[...] = value

    def snapshot(self) -> np.ndarray:
        """Return the newest values, which stay as they are while the buffer changes."""
        return self.data.copy()

    def convert(self, dtype: Any) -> None:
        """Turn floating numbers into float32 or float64; others stay."""
        if self._data.dtype.kind == "f":
            self._data = self.data.astype(dtype)

    def __deepcopy__(self, memo: dict) -> Buffer:
        twin = type(self)(self.data)
        memo[id(self)] = twin
        return twin

    def __repr__(self) -> str:
        return f"Buffer({self.data!r})"


class Structure(Buffer):
    """A buffer of whole numbers that nobody writes into: another array takes its place. States and copies of a model share it."""

    def __init__(self, data: np.ndarray):
        self.data = data

    @property
    def data(self) -> np.ndarray:
        """The array, read-only; assigning puts another one in its place."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self.fetch()  # so that a compiled step sees it
        self._data = kept(value)

    def set_only(self, value: Any) -> None:
        """Put an array in its place that the compiled step which holds the weights has taken over already."""
        self._data = kept(value)

    def snapshot(self) -> np.ndarray:
        """Return the array itself: it never changes."""
        return self._data

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._data.flags.writeable = False
