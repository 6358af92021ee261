"""Dense training that becomes that of a ticket as soon as the ticket can be seen (You et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyticket import prune
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.start import Revision
from tinyticket.prune.channels import Channels, weights_of_channels


class EarlyBirdTraining(Revision):
    """Draws a mask every epoch and keeps to it once the ticket has emerged; training goes on with the ticket's weights.

    If it has not by the last of `iterations`, the mask of that moment is taken.

    Parameters
    ----------
    iterations : tuple of int
        After how many iterations a mask is drawn.
    density : float or dict of float
        Of the masks: the whole network's, or by layer; of channels, how many of all are kept.
    channels : dict of Channels, optional
        Draw masks of channels by the scales of their batch normalisation, as the paper does, instead of masks of weights.
    scale_penalty : float
        Strength of an L1 penalty on those scales until the ticket is drawn (network slimming, Liu et al. 2017, equation 1): those
        of channels that do little go to zero, so that channels can be told apart.
    """

    def __init__(
        self,
        iterations: tuple[int, ...],
        density: float | dict[str, float],
        channels: Mapping[str, Channels] | None = None,
        scale_penalty: float = 0.0,
    ):
        self._channels, self._scale_penalty = channels or {}, scale_penalty
        self.reads = tuple(self._channels)
        self.iterations, self._density, self._watch = iterations, density, prune.EarlyBird()
        self._drawn, self._distance = 0, 1.0

    @property
    def settled(self) -> int:
        """The iteration at which the ticket was drawn; before, the network was dense."""
        return self._drawn

    @property
    def penalties(self) -> dict[str, float]:
        """The penalty of every scale, as long as masks are drawn by it."""
        return {} if self._drawn else dict.fromkeys(self._channels, self._scale_penalty)

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        """Return the masks given, or once the ticket has emerged its own."""
        if self._drawn:
            return masks
        if self._channels:
            assert isinstance(self._density, float)
            seen = prune.channel_masks({name: weights[name] for name in self._channels}, self._density)
            drawn = weights_of_channels({name: mask.shape for name, mask in masks.items()}, self._channels, seen)
        else:
            seen = drawn = prune.keep_density({name: np.abs(weights[name]) for name in masks}, self._density)
        self._distance = self._watch.see(seen)
        if self._distance > self._watch.tolerance and iteration < self.iterations[-1]:
            return masks
        self._drawn = iteration
        return drawn

    def record(self) -> dict[str, Any]:
        """Return what the file says about it: when the ticket was drawn, how far the last masks lay apart, if that is little."""
        return {
            "drawn": self._drawn,
            "distance": self._distance,
            "emerged": self._distance <= self._watch.tolerance,
        }
