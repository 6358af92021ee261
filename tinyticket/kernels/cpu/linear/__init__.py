"""A dense fully-connected layer on packed activations, blocked for registers.

Forward and input gradient (`activations`) are one loop: a panel of outputs by a strip of samples stays in registers while
the depth streams by, and only the strides of the weights differ. The weight gradient (`parameters`) needs sums over samples,
which lie beside each other in the packed layout; taking the inputs sample by sample instead (a copy that packing leaves
behind) makes it a sum of outer products with no sum across lanes, and a finished tile can go straight through the optimizer,
so that a dense gradient need never be stored.

Weights are (outputs, inputs) in C order, as in the rest of the library.

>>> y = unpack(linear(weight, bias, pack(x), relu=True), len(x))        # doctest: +SKIP
"""

from tinyticket.kernels.cpu.linear.activations import (
    ROWS,
    Linear,
    LinearInputGradient,
    linear,
    linear_input_gradient,
)
from tinyticket.kernels.cpu.linear.parameters import (
    OUTER_ROWS,
    LinearBiasGradient,
    LinearUpdate,
    LinearWeightGradient,
    linear_bias_gradient,
    linear_update,
    linear_weight_gradient,
)

__all__ = [
    "OUTER_ROWS",
    "ROWS",
    "Linear",
    "LinearBiasGradient",
    "LinearInputGradient",
    "LinearUpdate",
    "LinearWeightGradient",
    "linear",
    "linear_bias_gradient",
    "linear_input_gradient",
    "linear_update",
    "linear_weight_gradient",
]
