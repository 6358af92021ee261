"""A data set: inputs and labels, for training and for testing, in the one form that the rest of the library expects."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyticket.data.pixels import Pixels
from tinyticket.data.sparse_inputs import SparseInputs
from tinyticket.errors import InputError
from tinyticket.nn.targets import split_weights

Inputs = NDArray[np.float32] | Pixels | SparseInputs


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples and their labels, split into a training and a test part.

    `tinyticket.data.from_arrays` makes one from arrays of any numeric dtype, and checks what they hold; the constructor
    converts nothing and checks only what costs no time: dtypes, shapes and memory layout.

    Parameters
    ----------
    name : str
        What to call it in tables and messages.
    x_train, x_test : ndarray of float32, Pixels or SparseInputs
        Inputs, C-contiguous, shape (N, ...): one example a row, images as (N, channels, height, width). `Pixels` are images
        kept as bytes and `SparseInputs` the rows of a sparse matrix; their batches x[indices] are float32 arrays too.
    y_train, y_test : ndarray of int64 or float32
        Labels, shape (N,), from 0 to classes - 1; or numbers, shape (N, outputs). With a weight for each example they are as
        `nn.targets.weighted` makes them.
    classes : int
        The number of classes; 0 where targets are numbers.

    Raises
    ------
    InputError
        If an array has another dtype, shape or layout.
    """

    name: str
    x_train: Inputs
    y_train: NDArray
    x_test: Inputs
    y_test: NDArray
    classes: int

    def __post_init__(self) -> None:
        for part in "train", "test":
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            values, _ = split_weights(y)
            wanted = (np.int64, 1) if self.classes else (np.float32, 2)
            fits = x.dtype == np.float32 and (values.dtype, values.ndim) == wanted
            fits = fits and x.ndim >= 2 and values.shape[:1] == x.shape[:1]
            fits = fits and (
                isinstance(x, Pixels | SparseInputs) or (isinstance(x, np.ndarray) and x.flags.c_contiguous)
            )
            if not (fits and y.flags.c_contiguous):
                kind = "int64 (N,)" if self.classes else "float32 (N, outputs) of numbers"
                raise InputError(
                    f"{self.name}: x_{part} is {x.dtype} {x.shape} and y_{part} is {y.dtype} {y.shape}, but a Dataset "
                    f"wants C-contiguous float32 (N, ...) and {kind}; tinyticket.data.from_arrays converts"
                )
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise InputError(
                f"{self.name}: training examples have shape {self.x_train.shape[1:]}, test examples "
                f"{self.x_test.shape[1:]}; expected the same"
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, (channels, height, width) for images."""
        return self.x_train.shape[1:]

    @property
    def outputs(self) -> int:
        """The number of classes, or of numbers to predict."""
        return self.classes or split_weights(self.y_train)[0].shape[1]

    @property
    def sizes(self) -> dict[str, int]:
        """The number of examples in each part: {"train": ..., "test": ...}."""
        return {"train": len(self.x_train), "test": len(self.x_test)}

    def fingerprints(self) -> dict[str, str]:
        """Return what identifies the contents, to tell later whether the data are still the same.

        Returns
        -------
        dict of str to str
            For each of the four arrays "sha256:" and 64 hexadecimal digits: the digest of a line of text with dtype and
            shape, such as "<f4 (1437, 1, 8, 8)" and a line feed, followed by the array's bytes in C order. Of `Pixels` it
            is the bytes that they keep, and the line goes on with mean and std, such as
            "|u1 (50000, 3, 32, 32) mean [0.4914, 0.4822, 0.4465] std [0.247, 0.2435, 0.2616]". Of `SparseInputs` the line
            starts with "csr", such as "csr <f4 (1437, 20000)", and starts (<i8), columns (<i4) and values follow.
        """
        return {name: _fingerprint(getattr(self, name)) for name in ("x_train", "y_train", "x_test", "y_test")}

    def __repr__(self) -> str:
        sizes = f"{self.sizes['train']} train, {self.sizes['test']} test"
        targets = f"{self.classes} classes" if self.classes else f"numbers ({self.outputs})"
        return f"Dataset({self.name}: {sizes}, input {self.input_shape}, {targets})"


def _fingerprint(array: Inputs) -> str:
    kept: Any = array.pixels if isinstance(array, Pixels) else array
    line, parts = f"{kept.dtype.str} {kept.shape}", [kept]
    if isinstance(array, Pixels):
        mean, std = ([float(str(number)) for number in numbers] for numbers in (array.mean, array.std))
        line += f" mean {mean} std {std}"
    elif isinstance(array, SparseInputs):
        line, parts = f"csr {line}", [array.starts, array.columns, array.values]
    digest = hashlib.sha256(f"{line}\n".encode())
    for part in parts:
        digest.update(part.data)
    return f"sha256:{digest.hexdigest()}"
