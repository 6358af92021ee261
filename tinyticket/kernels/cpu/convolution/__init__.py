"""A dense convolution on packed images: forward, and the gradients by its input, its weights and its bias.

    x = pack_images(images, border=1) y = unpack_images(conv2d(weight, bias, x, padding=1), len(images))

`weights` says in which order the passes read the weights, `strips` which pixels are computed together and `tiles` how registers
hold them. `winograd` has the same passes with fewer products for kernels of 3 by 3.
"""

# ruff: noqa: F403
from tinyticket.kernels.cpu.convolution.activations import *
from tinyticket.kernels.cpu.convolution.parameters import *
from tinyticket.kernels.cpu.convolution.weights import *
from tinyticket.kernels.cpu.convolution.winograd import *
