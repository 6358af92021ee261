"""Cannistraci-Hebb training: a sparse mask that moves by its shape alone, without gradients (`prune.link_prediction`).

`cht` and `cht-soft` run as SET and RigL do (`methods.dynamic`), and differ in where they grow. `cht-original` is the soft rule as
its authors' code for fully-connected networks runs it: once an epoch to the end, a constant fraction, what stays is drawn too, and
links of neurons that lead nowhere go. It starts from whatever `first_graph` and `first_weights` say, as the others do.
"""

from __future__ import annotations

from typing import ClassVar

from tinyticket import prune
from tinyticket.lottery.methods.dynamic import Dynamic, OnceAnEpoch

COOLING = 2
"""By how much the power of a weight's magnitude rises, from 1, in the course of a training."""


class CHT(Dynamic):
    """Grows the links that the shape of the mask predicts (Zhang et al. 2025, CHT)."""

    name, soft, takes_matrices = "cht", False, True

    def move(self, weights, masks, momentum, fraction, rng, elapsed):
        return prune.cht_masks(weights, masks, fraction, rng, self.soft)


class SoftCHT(CHT):
    """CHT that draws links in proportion to their scores (Zhang et al. 2025, CHTs)."""

    name, soft = "cht-soft", True


class OriginalCHT(OnceAnEpoch):
    """Once an epoch to the end, draws what stays and what grows, and drops dead ends (the code of Zhang et al. 2025, CHTs)."""

    name, takes_matrices = "cht-original", True
    defaults: ClassVar = {**Dynamic.defaults, "scope": "uniform-last-dense"}

    def move(self, weights, masks, momentum, fraction, rng, elapsed):
        return prune.original_cht_masks(weights, masks, fraction, rng, 1 + COOLING * elapsed)
