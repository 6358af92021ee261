"""A batch of examples out of a CSR matrix."""

import numpy as np

__all__ = ["gather_sparse"]


def gather_sparse(starts, columns, values, features, indices):
    """Return chosen rows of a CSR matrix, shape (samples, features): entries starts[i] to starts[i + 1] are those of row i."""
    x = np.zeros((len(indices), features), values.dtype)
    for row, index in zip(x, indices, strict=True):
        entries = slice(starts[index], starts[index + 1])
        row[columns[entries]] = values[entries]
    return x
