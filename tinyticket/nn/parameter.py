"""Parameters, which training changes and masks prune, and buffers, which a model keeps beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.autograd import Tensor


class Parameter(Tensor):
    """A tensor that training changes, with an optional mask of what survives.

    Parameters
    ----------
    data
        Initial values.
    mask : array of bool, optional
        True where a weight survives. Pruned weights are set to +0.0, and optimizers keep them there.
    """

    def __init__(self, data: Any, mask: Any = None):
        super().__init__(data, requires_grad=True)
        self._mask: np.ndarray | None = None
        if mask is not None:
            self.mask = mask

    @property
    def mask(self) -> np.ndarray | None:
        """True where a weight survives, of the parameter's shape; None if nothing was ever pruned."""
        return self._mask

    @mask.setter
    def mask(self, mask: Any) -> None:
        if mask is None:
            self._mask = None
            return
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != self.shape:
            raise ValueError(
                f"the mask of a parameter of shape {self.shape} is a boolean array of that shape, "
                f"not {mask.dtype} of shape {mask.shape}"
            )
        self._mask = mask.copy()
        self.apply_mask()

    def apply_mask(self) -> None:
        """Write zeros over the pruned weights (written, never multiplied: -3 * 0 would be -0.0)."""
        if self._mask is not None:
            self.data[~self._mask] = 0

    def __deepcopy__(self, memo: dict) -> Parameter:
        twin = type(self)(self.data.copy(), self._mask)
        memo[id(self)] = twin
        return twin


class Buffer:
    """An array that belongs to a model but is not trained, such as a running mean; `.data` holds it."""

    def __init__(self, data: Any):
        self.data = np.array(data)

    def __repr__(self) -> str:
        return f"Buffer({self.data!r})"
