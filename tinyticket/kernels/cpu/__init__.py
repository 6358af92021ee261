"""Fast kernels in Numba on the packed layout [tile][feature][lanes]: arrays in, arrays out.

    x = pack(samples)                                    # (samples, features) to (tiles, features, lanes)
    y = linear(weight, bias, x, relu=True)
    outputs = unpack(y, len(samples))

What a call needs, and what comes of it:

    Layouts
      pack(x)                                                               samples by features to (tiles, features, lanes)
      unpack(packed, samples)                                               and back
      Images(array)                                                         packed images with a border of zeros
      pack_images(x)                                                        (samples, channels, rows, columns) to `Images`
      unpack_images(packed, samples)                                        and back
      pack_samples(x)                                                       samples by features to x_samples
      transpose_samples(x)                                                  packed activations to x_samples
      gather(data, indices)                                                 a batch of a data set, packed
      gather_images(data, indices)                                          the same of images, perhaps cropped and mirrored
      gather_sparse(starts, columns, values, features, indices)             the same of rows of a CSR matrix

    Fully-connected layers
      linear(weight, bias, x)                                               y
      linear_input_gradient(weight, x, dy)                                  dx
      linear_weight_gradient(x_samples, dy, samples, inputs)                the weight's gradient
      linear_bias_gradient(dy)                                              the bias's
      linear_update(rule, scalars, weight, slots, x_samples, dy, samples)   the weight's gradient and an optimizer's step with it
      sparse_linear(pattern, values, bias, x)                               y
      sparse_linear_gradient(pattern, values, x, dy)                        dx, and the survivors' gradient
      sparse_linear_weight_gradient(pattern, x, dy)                         the survivors' gradient
      sparse_linear_samples(pattern, values, bias, x)                       y; x and y are samples by features
      sparse_linear_samples_gradient(pattern, values, x, dy)                dx and the survivors' gradient, likewise
      sparse_linear_narrow(blocks, values, bias, x)                         y; x and y are features by 2, 4, 8 or 16 samples
      sparse_linear_narrow_gradient(blocks, values, x, dy)                  dx and the survivors' gradient, likewise
      sparse_linear_narrow_weight_gradient(blocks, x, dy)                   the survivors' gradient
      sparse_linear_single(slices, values, bias, x)                         y; x and y are the features of one sample
      prepare_sparse_linear(pattern, values, bias, x)                       `sparse_linear`, checked once and called again and again
      prepare_sparse_linear_gradient(pattern, values, x, dy)                `sparse_linear_gradient`, likewise
      prepare_sparse_linear_weight_gradient(pattern, x, dy)                 `sparse_linear_weight_gradient`, likewise

    Convolutions
      conv2d(weight, bias, x)                                               y
      conv2d_input_gradient(weight, x, dy)                                  dx
      conv2d_weight_gradient(x, dy, kernel)                                 the weight's gradient
      conv2d_bias_gradient(dy)                                              the bias's
      winograd_conv2d(weight, bias, x)                                      y, of kernels of 3 by 3, with fewer products
      winograd_conv2d_input_gradient(weight, x, dy)                         dx
      winograd_conv2d_weight_gradient(x, dy)                                the weight's gradient
      sparse_conv2d(pattern, values, bias, x)                               y
      sparse_conv2d_gradient(pattern, values, x, dy)                        dx, and the survivors' gradient
      sparse_conv2d_weight_gradient(pattern, x, dy)                         the survivors' gradient

    Other passes over images
      batch_norm(x, weight, bias, running_mean, running_variance, samples)  y, mean, 1 / standard deviation
      batch_norm_eval(x, weight, bias, running_mean, running_variance)      y by the running statistics
      batch_norm_gradient(x, y, dy, weight, bias, mean, inverse, samples)   dx, the addend's, the weight's and the bias's gradient
      max_pool2d(x, kernel), avg_pool2d(x, kernel)                          y
      max_pool2d_gradient(x, y, dy, kernel)                                 dx
      avg_pool2d_gradient(x, dy, kernel)                                    dx
      leaky_relu(x), sigmoid(x), tanh(x)                                    y
      leaky_relu_gradient(x, dy)                                            dx
      srelu(x, t_left, a_left, t_right, a_right)                            y
      srelu_gradient(x, dy, t_left, a_left, t_right, a_right)               dx, and the gradients of the four parameters
      sigmoid_gradient(x, y, dy), tanh_gradient(x, y, dy)                   dx
      add(x, addend)                                                        y
      add_gradient(x, addend, y, dy)                                        dx, and the addend's gradient
      copy(x)                                                               y, with another border or through a ReLU
      copy_gradient(x, y, dy)                                               dx
      dropout(x, keep, scale)                                               y
      dropout_gradient(x, keep, dy, scale)                                  dx

    Loss and update
      cross_entropy(logits, labels)                                         loss, its gradient, number of correct answers
      mse_loss(outputs, targets)                                            loss, its gradient
      scalars_of(rule, step, learning_rate)                                 what an update reads of its optimizer
      optimizer_step(rule, scalars, weights, slots, gradient)               weights and slots, in place
      l1_gradient(weights, gradient, strength)                              the gradient with that of a penalty, in place

All take `threads=`, at most all that Numba may use. Where it makes sense there are the options `relu=True` (end in a ReLU),
`border=` (pixels of zeros to leave around the images of the result), `x_is_relu_output=True` (make dx the gradient by what went
into the ReLU that made x), `add_to=` (images like x with what other consumers of x gave: changed and returned), the same two of an
addend, and `out=`; each function's own text says the rest. What has not the shape, the border or the type that it needs, or
shares memory with what is written into, raises InputError. A pattern says where the survivors of a mask are, values are theirs, and
x_samples are activations sample by sample, which the weight gradient reads.

A file or folder here is a family: each kernel's job (`job` says what that is), the kernel itself, and the thin function of arrays
in front of it. An operation has the same name here, in `tinyticket.kernels.reference`, which specifies it in plain NumPy, in
`tinyticket.kernels.cuda` and where steps are compiled. Results have the same bits for any number of threads, because work is only
ever divided over outputs. The first call of each kernel compiles for a second or so and keeps the machine code
(`vector.jit` says where).
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from tinyticket.kernels.cpu.checked import checked

FAMILIES = {
    "packing": ("Images", "pack", "pack_images", "pack_samples", "unpack", "unpack_images"),
    "gather": ("gather", "transpose_samples"),
    "gather_images": ("gather_images",),
    "gather_sparse": ("gather_sparse",),
    "linear": ("linear", "linear_input_gradient"),
    "linear_weight": ("linear_bias_gradient", "linear_update", "linear_weight_gradient"),
    "sparse_linear": (
        "prepare_sparse_linear",
        "prepare_sparse_linear_gradient",
        "prepare_sparse_linear_weight_gradient",
        "sparse_linear",
        "sparse_linear_gradient",
        "sparse_linear_weight_gradient",
    ),
    "sparse_samples": ("sparse_linear_samples", "sparse_linear_samples_gradient"),
    "sparse_narrow": (
        "sparse_linear_narrow",
        "sparse_linear_narrow_gradient",
        "sparse_linear_narrow_weight_gradient",
    ),
    "sparse_single": ("sparse_linear_single",),
    "convolution": (
        "conv2d",
        "conv2d_bias_gradient",
        "conv2d_input_gradient",
        "conv2d_weight_gradient",
        "winograd_conv2d",
        "winograd_conv2d_input_gradient",
        "winograd_conv2d_weight_gradient",
    ),
    "sparse_convolution": ("sparse_conv2d", "sparse_conv2d_gradient", "sparse_conv2d_weight_gradient"),
    "batch_norm": ("batch_norm", "batch_norm_eval"),
    "batch_norm_gradient": ("batch_norm_gradient",),
    "pooling": ("avg_pool2d", "avg_pool2d_gradient", "max_pool2d", "max_pool2d_gradient"),
    "elementwise": ("add", "add_gradient", "copy", "copy_gradient", "dropout", "dropout_gradient"),
    "activations": ("leaky_relu", "leaky_relu_gradient", "sigmoid", "sigmoid_gradient", "tanh", "tanh_gradient"),
    "srelu": ("srelu", "srelu_gradient"),
    "loss": ("cross_entropy",),
    "squared_error": ("mse_loss",),
    "update": ("l1_gradient", "optimizer_step", "scalars_of"),
}
"""The functions of arrays by family, imported when they are first used."""

__all__ = sorted(name for names in FAMILIES.values() for name in names)

_FAMILY = {name: family for family, names in FAMILIES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _FAMILY:
        importlib.import_module(f"tinyticket.kernels.cpu.{_FAMILY[name]}")
        return globals()[name]
    raise AttributeError(f"module 'tinyticket.kernels.cpu' has no attribute {name!r}")


class _Package(ModuleType):
    """The package: with a family that is imported come its functions, checked; a name of both is the function's."""

    def __setattr__(self, name: str, value: Any) -> None:
        names = FAMILIES.get(name, ()) if isinstance(value, ModuleType) else ()
        for each in names:
            super().__setattr__(each, checked(getattr(value, each)))
        if name not in names:
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
