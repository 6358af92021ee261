"""Plain NumPy kernels in the usual layouts: the specification of every fast one."""

from tinyticket.kernels.reference.linear import (
    linear,
    linear_bias_gradient,
    linear_input_gradient,
    linear_weight_gradient,
)
from tinyticket.kernels.reference.optimizers import adam_update, sgd_update
from tinyticket.kernels.reference.softmax import cross_entropy, cross_entropy_gradient, log_softmax, softmax

__all__ = [
    "adam_update",
    "cross_entropy",
    "cross_entropy_gradient",
    "linear",
    "linear_bias_gradient",
    "linear_input_gradient",
    "linear_weight_gradient",
    "log_softmax",
    "sgd_update",
    "softmax",
]
