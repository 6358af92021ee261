"""Fast kernels in Numba on the packed layout [tile][feature][lanes]: arrays in, arrays out.

    x = pack(samples)                                    # (samples, features) to (tiles, features, lanes)
    y = dense_linear(weight, bias, x, relu=True)
    outputs = unpack(y, len(samples))

Every function has its specification, under the same name and with the same arguments, in
`tinyticket.kernels.reference.packed`; those on images, which `pack_images` packs, in `packed_images` (convolutions) and
`packed_layers` (all others) there. Results have the same bits for any number of threads, because work is only ever
divided over outputs. The first call of each compiles for a second or so and keeps the machine code (jit.py says where).
"""

from tinyticket.kernels.cpu.batch_norm import batch_norm, batch_norm_gradient, batch_norm_inference
from tinyticket.kernels.cpu.bias import bias_gradient
from tinyticket.kernels.cpu.convolution import conv_forward, conv_input_gradient, conv_pack, conv_weight_gradient
from tinyticket.kernels.cpu.dense_linear import (
    dense_input_gradient,
    dense_linear,
    dense_weight_gradient,
    dense_weight_update,
)
from tinyticket.kernels.cpu.dropout import dropout, dropout_gradient
from tinyticket.kernels.cpu.gather import gather, transpose_samples
from tinyticket.kernels.cpu.image import Image, Window, make_window, pack_images, unpack_images
from tinyticket.kernels.cpu.image_bias import image_bias_gradient
from tinyticket.kernels.cpu.image_gather import gather_images
from tinyticket.kernels.cpu.layout import Shape, empty, lanes_for, pack, pack_samples, tiles_for, unpack
from tinyticket.kernels.cpu.machine import LANES
from tinyticket.kernels.cpu.optimizers import settings, update
from tinyticket.kernels.cpu.penalty import l1_gradient
from tinyticket.kernels.cpu.pooling import avg_pool, avg_pool_gradient, max_pool, max_pool_gradient
from tinyticket.kernels.cpu.prepared import Prepared
from tinyticket.kernels.cpu.residual import add_images, add_images_gradient, copy_images, copy_images_gradient
from tinyticket.kernels.cpu.softmax_cross_entropy import CrossEntropy, softmax_cross_entropy
from tinyticket.kernels.cpu.sparse_convolution import (
    sparse_conv_backward,
    sparse_conv_forward,
    sparse_conv_gradient,
)
from tinyticket.kernels.cpu.sparse_linear import (
    prepare_sparse_linear,
    prepare_sparse_linear_backward,
    prepare_sparse_weight_gradient,
    sparse_linear,
    sparse_linear_backward,
    sparse_weight_gradient,
)
from tinyticket.kernels.cpu.sparse_passes import Lines
from tinyticket.kernels.cpu.sparse_samples import sparse_linear_samples, sparse_linear_samples_backward

__all__ = [
    "LANES",
    "CrossEntropy",
    "Image",
    "Lines",
    "Prepared",
    "Shape",
    "Window",
    "add_images",
    "add_images_gradient",
    "avg_pool",
    "avg_pool_gradient",
    "batch_norm",
    "batch_norm_gradient",
    "batch_norm_inference",
    "bias_gradient",
    "conv_forward",
    "conv_input_gradient",
    "conv_pack",
    "conv_weight_gradient",
    "copy_images",
    "copy_images_gradient",
    "dense_input_gradient",
    "dense_linear",
    "dense_weight_gradient",
    "dense_weight_update",
    "dropout",
    "dropout_gradient",
    "empty",
    "gather",
    "gather_images",
    "image_bias_gradient",
    "l1_gradient",
    "lanes_for",
    "make_window",
    "max_pool",
    "max_pool_gradient",
    "pack",
    "pack_images",
    "pack_samples",
    "prepare_sparse_linear",
    "prepare_sparse_linear_backward",
    "prepare_sparse_weight_gradient",
    "settings",
    "softmax_cross_entropy",
    "sparse_conv_backward",
    "sparse_conv_forward",
    "sparse_conv_gradient",
    "sparse_linear",
    "sparse_linear_backward",
    "sparse_linear_samples",
    "sparse_linear_samples_backward",
    "sparse_weight_gradient",
    "tiles_for",
    "transpose_samples",
    "unpack",
    "unpack_images",
    "update",
]
