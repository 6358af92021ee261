"""A mask: which weights of a parameter survive."""

from typing import Any

import numpy as np

from tinyticket.errors import InputError


class Mask:
    """An immutable bool array, True where a weight survives, that knows its count and density.

    Parameters
    ----------
    array : array of bool or of zeros and ones
        Copied.
    """

    __slots__ = ("array", "count")

    def __init__(self, array: Any):
        array = np.asarray(array)
        if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
            raise InputError(f"a mask holds truth values or zeros and ones, not {array.dtype} with other values")
        self.array = np.array(array, np.bool_, order="C")
        self.array.flags.writeable = False
        self.count = int(np.count_nonzero(self.array))

    @classmethod
    def full(cls, shape: tuple[int, ...]) -> "Mask":
        """Return the mask that prunes nothing."""
        return cls(np.ones(shape, np.bool_))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the masked parameter."""
        return self.array.shape

    @property
    def size(self) -> int:
        """Number of weights, pruned ones included."""
        return self.array.size

    @property
    def density(self) -> float:
        """Share of the weights that survive."""
        return self.count / self.size if self.size else 1.0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array, dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return hash((self.shape, self.array.tobytes()))

    def __repr__(self) -> str:
        return f"Mask(shape={self.shape}, density={self.density:.4g})"
