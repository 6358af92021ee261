"""Plain NumPy kernels in the usual layouts: the specification of every fast one."""

from tinyticket.kernels.reference.activations import (
    leaky_relu,
    leaky_relu_gradient,
    sigmoid,
    sigmoid_gradient,
    tanh,
    tanh_gradient,
)
from tinyticket.kernels.reference.batch_norm import (
    batch_norm,
    batch_norm_bias_gradient,
    batch_norm_eval_input_gradient,
    batch_norm_input_gradient,
    batch_norm_weight_gradient,
    batch_statistics,
    update_running,
)
from tinyticket.kernels.reference.convolution import (
    conv2d,
    conv2d_bias_gradient,
    conv2d_input_gradient,
    conv2d_weight_gradient,
)
from tinyticket.kernels.reference.linear import (
    linear,
    linear_bias_gradient,
    linear_input_gradient,
    linear_weight_gradient,
)
from tinyticket.kernels.reference.optimizers import adam_update, l1_gradient, sgd_update
from tinyticket.kernels.reference.pooling import (
    avg_pool2d,
    avg_pool2d_gradient,
    global_avg_pool2d,
    global_avg_pool2d_gradient,
    max_pool2d,
    max_pool2d_gradient,
)
from tinyticket.kernels.reference.softmax import cross_entropy, cross_entropy_gradient, log_softmax, softmax
from tinyticket.kernels.reference.windows import output_size

__all__ = [
    "adam_update",
    "avg_pool2d",
    "avg_pool2d_gradient",
    "batch_norm",
    "batch_norm_bias_gradient",
    "batch_norm_eval_input_gradient",
    "batch_norm_input_gradient",
    "batch_norm_weight_gradient",
    "batch_statistics",
    "conv2d",
    "conv2d_bias_gradient",
    "conv2d_input_gradient",
    "conv2d_weight_gradient",
    "cross_entropy",
    "cross_entropy_gradient",
    "global_avg_pool2d",
    "global_avg_pool2d_gradient",
    "l1_gradient",
    "leaky_relu",
    "leaky_relu_gradient",
    "linear",
    "linear_bias_gradient",
    "linear_input_gradient",
    "linear_weight_gradient",
    "log_softmax",
    "max_pool2d",
    "max_pool2d_gradient",
    "output_size",
    "sgd_update",
    "sigmoid",
    "sigmoid_gradient",
    "softmax",
    "tanh",
    "tanh_gradient",
    "update_running",
]
