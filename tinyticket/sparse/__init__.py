"""Masks, and the patterns that kernels read them from."""

from tinyticket.sparse.mask import Mask
from tinyticket.sparse.pattern import Pattern

__all__ = ["Mask", "Pattern"]
