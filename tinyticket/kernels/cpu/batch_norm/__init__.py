"""Batch normalisation (Ioffe and Szegedy 2015) of packed images, with what usually follows fused: an addend and a ReLU.

A channel belongs to one thread, in all tiles. Training reads it twice: for its moments about a number near the mean (the
difference of two large sums would not do), and to normalise. Only lanes that hold samples count. The backward pass reads twice,
too: for the two sums that are the gradients of bias and weight, and for the input's gradient. Second readings go from the last
tile to the first, because a channel is about as large as the second-level cache and its end is what is still there. A ReLU's mask
is recomputed from x, by the same operations on the same numbers, rather than read from y, unless an addend took part.
"""

from tinyticket.kernels.cpu.batch_norm.forward import (
    BatchNorm,
    BatchNormAgain,
    BatchNormEval,
    batch_norm,
    batch_norm_eval,
)
from tinyticket.kernels.cpu.batch_norm.gradient import BatchNormGradient, batch_norm_gradient

__all__ = [
    "BatchNorm",
    "BatchNormAgain",
    "BatchNormEval",
    "BatchNormGradient",
    "batch_norm",
    "batch_norm_eval",
    "batch_norm_gradient",
]
