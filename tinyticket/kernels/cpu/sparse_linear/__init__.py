"""A masked fully-connected layer on packed activations, whose cost is that of its survivors.

>>> pattern = Pattern.from_mask(weight != 0, lanes=lanes_for(len(x)))           # doctest: +SKIP
>>> y = unpack(sparse_linear(pattern, weight[weight != 0], bias, pack(x, pattern.lanes)), len(x))       # doctest: +SKIP
"""

from tinyticket.kernels.cpu.sparse_linear.layer import (
    LinearPattern,
    ReorderSurvivors,
    SparseLinear,
    SparseLinearGradient,
    SparseLinearWeightGradient,
    prepare_sparse_linear,
    prepare_sparse_linear_gradient,
    prepare_sparse_linear_weight_gradient,
    sparse_linear,
    sparse_linear_gradient,
    sparse_linear_weight_gradient,
)

__all__ = [
    "LinearPattern",
    "ReorderSurvivors",
    "SparseLinear",
    "SparseLinearGradient",
    "SparseLinearWeightGradient",
    "prepare_sparse_linear",
    "prepare_sparse_linear_gradient",
    "prepare_sparse_linear_weight_gradient",
    "sparse_linear",
    "sparse_linear_gradient",
    "sparse_linear_weight_gradient",
]
