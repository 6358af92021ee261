"""How a parameter lies in the arena of a device: whole, or its survivors row by row, with its slots and its gradient's parts."""

from __future__ import annotations

import numpy as np

from tinyticket.compiler.device.patterns import DevicePattern
from tinyticket.compiler.network.program import Block
from tinyticket.compiler.network.weights import Weights
from tinyticket.compiler.places import Places, write
from tinyticket.sparse import ConvPattern, Pattern


class DeviceWeights(Weights):
    """A parameter's places on a device; survivors are in the order of rows everywhere.

    Parameters
    ----------
    shape : tuple of int
    mask : array of bool or None
    pattern : Pattern, ConvPattern or None
        Of its survivors, if it runs sparse.
    lines : DevicePattern or None
        The pattern, uploaded.
    slots : int
        How many arrays the optimizer remembers.
    masks : Places
        Of the arena of masks.

    Attributes
    ----------
    gradient : Block
        Of `splits` parts, which the update adds up.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        mask: np.ndarray | None,
        pattern: Pattern | ConvPattern | None,
        lines: DevicePattern | None,
        slots: int,
        masks: Places,
    ):
        super().__init__(shape, mask, pattern, False, slots, Places(4), masks)
        self.lines, self.splits = lines, 1

    def cut(self, splits: int) -> Block:
        """Let the gradient come in so many parts, and return where they lie."""
        self.splits, self.gradient = splits, Block(splits * self.count)
        return self.gradient

    def write_mask(self, masks: np.ndarray) -> None:
        """Write the mask of a dense layer into the arena of masks."""
        if self.masked:
            assert self.mask is not None
            write(masks, self.mask_place, self.mask)
