"""Maximum and average pooling of packed images, forward and backward, a plane (one channel of one tile) at a time.

What a window misses at the edge of an image is clipped away, so padding needs no border: a maximum then never sees the border's
zeros, and an average counts them because it always divides by the whole window. No positions of maxima are kept: the backward
pass looks for the first element of a window that the maximum does not exceed, which is quicker than reading an index per lane,
and gives ties to the element that PyTorch gives them to. Windows of two by two that do not overlap, the common case, need each
element once and have straight-line versions.
"""

from tinyticket.kernels.cpu.pooling.average import AvgPool2d, AvgPool2dGradient, avg_pool2d, avg_pool2d_gradient
from tinyticket.kernels.cpu.pooling.maximum import MaxPool2d, MaxPool2dGradient, max_pool2d, max_pool2d_gradient

__all__ = [
    "AvgPool2d",
    "AvgPool2dGradient",
    "MaxPool2d",
    "MaxPool2dGradient",
    "avg_pool2d",
    "avg_pool2d_gradient",
    "max_pool2d",
    "max_pool2d_gradient",
]
