"""The patterns that kernels read masks from: where the survivors of a weight are."""

from tinyticket.sparse.blocks import Blocks
from tinyticket.sparse.convolution import ConvPattern
from tinyticket.sparse.pattern import Pattern
from tinyticket.sparse.slices import Slices

__all__ = ["Blocks", "ConvPattern", "Pattern", "Slices"]
