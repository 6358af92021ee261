"""Winograd's convolution, of kernels of three by three at a stride of one: the passes of `convolution` with fewer products.

Patches of x are transformed to six by six places, for each of which a product of matrices follows, and its results are transformed
back: `transforms` (and `sums`, for the gradient of the weights) has what is done in registers, `patches` where the patches lie,
`weights` the transformed kernels.
"""

# ruff: noqa: F403
from tinyticket.kernels.cpu.convolution.winograd.activations import *
from tinyticket.kernels.cpu.convolution.winograd.parameters import *
from tinyticket.kernels.cpu.convolution.winograd.patches import *
from tinyticket.kernels.cpu.convolution.winograd.weights import *
