"""Masks, and the patterns that kernels read them from."""

from tinyticket.sparse.convolution import ConvPattern
from tinyticket.sparse.mask import Mask
from tinyticket.sparse.pattern import Pattern

__all__ = ["ConvPattern", "Mask", "Pattern"]
