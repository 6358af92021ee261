"""Fast kernels in Numba on the packed layout [tile][feature][lanes]: arrays in, arrays out.

    x = pack(samples)                                    # (samples, features) to (tiles, features, lanes)
    y = linear(weight, bias, x, relu=True)
    outputs = unpack(y, len(samples))

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

FAMILIES = {
    "packing": ("Images", "pack", "pack_images", "pack_samples", "unpack", "unpack_images"),
    "gather": ("gather", "transpose_samples"),
    "gather_images": ("gather_images",),
    "linear": ("linear", "linear_bias_gradient", "linear_input_gradient", "linear_update", "linear_weight_gradient"),
    "sparse_linear": (
        "prepare_sparse_linear",
        "prepare_sparse_linear_gradient",
        "prepare_sparse_linear_weight_gradient",
        "sparse_linear",
        "sparse_linear_gradient",
        "sparse_linear_weight_gradient",
    ),
    "sparse_samples": ("sparse_linear_samples", "sparse_linear_samples_gradient"),
    "convolution": ("conv2d", "conv2d_bias_gradient", "conv2d_input_gradient", "conv2d_weight_gradient"),
    "sparse_convolution": ("sparse_conv2d", "sparse_conv2d_gradient", "sparse_conv2d_weight_gradient"),
    "batch_norm": ("batch_norm", "batch_norm_eval", "batch_norm_gradient"),
    "pooling": ("avg_pool2d", "avg_pool2d_gradient", "max_pool2d", "max_pool2d_gradient"),
    "elementwise": ("add", "add_gradient", "copy", "copy_gradient", "dropout", "dropout_gradient"),
    "activations": (
        "leaky_relu",
        "leaky_relu_gradient",
        "sigmoid",
        "sigmoid_gradient",
        "tanh",
        "tanh_gradient",
    ),
    "loss": ("cross_entropy",),
    "update": ("l1_gradient", "optimizer_step", "scalars_of"),
}
"""The functions of arrays by family, imported when they are first used."""

__all__ = sorted(name for names in FAMILIES.values() for name in names)

_FAMILY = {name: family for family, names in FAMILIES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _FAMILY:
        return getattr(importlib.import_module(f"tinyticket.kernels.cpu.{_FAMILY[name]}"), name)
    raise AttributeError(f"module 'tinyticket.kernels.cpu' has no attribute {name!r}")


class _Package(ModuleType):
    """The package: a name of both a family and one of its functions is the function's, whichever was imported first."""

    def __setattr__(self, name: str, value: Any) -> None:
        is_family = isinstance(value, ModuleType) and _FAMILY.get(name) == name
        super().__setattr__(name, getattr(value, name) if is_family else value)


sys.modules[__name__].__class__ = _Package
