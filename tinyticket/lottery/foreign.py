"""A mask of another program in an experiment: from a file of weights and masks, as PyTorch, safetensors and NumPy keep them.

It is one ticket. Every trial trains the dense network and prunes it once, to the file's mask. Theta_0 is what the file has: weights
that are there under the mask or (as in files of torch.nn.utils.prune) beyond it; those that were pruned to zero are drawn, and all
of them where the file has masks alone.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from tinyticket.errors import InputError, about
from tinyticket.lottery.inputs import check_connections
from tinyticket.lottery.settings.readers import open_result
from tinyticket.lottery.settings.table import SETTINGS
from tinyticket.lottery.transfer import OfResult, Tickets, digest, unmasked
from tinyticket.store.weights import ENDINGS, Weights, fitted, read_weights


def open_tickets(given: Any) -> Tickets:
    """Return the tickets of a result, of the file of one, or of a file of weights and masks, which its ending tells."""
    if isinstance(given, str | os.PathLike) and Path(given).suffix in ENDINGS:
        return OfWeights(Path(given))
    if isinstance(given, OfResult):
        return given
    return OfResult(open_result(SETTINGS["masks_from"], "masks from", given))


class OfWeights(Tickets):
    """The ticket in a file of weights and masks, which fits data and model once `decided` has fitted it."""

    def __init__(self, path: Path):
        self._path, self._weights = path, read_weights(path)

    def adopt(self, options):
        given = unmasked(str(self._path), options)
        if given.pop("rounds", 1) != 1:
            raise InputError(f"{self._path} holds one mask, so there is one round: leave rounds out")
        return {**given, "masks_from": label(self._weights)}

    def decided(self, network):
        with about(f"{self._path} does not fit the model"):
            self._weights = fitted(self._weights, network())
        density = self._left() / sum(mask.size for mask in self._weights.masks.values())
        if not 0 < density < 1:
            raise InputError(
                f"{self._path} holds no mask: {'no' if density else 'every'} weight of its layers is pruned"
            )
        return {"one_shot": (density,), "scope": "global"}

    def check_model(self, model, settings):
        check_connections(model, self._weights.state, str(self._path))

    def planned(self, plan):
        return dataclasses.replace(plan, weights_left=[plan.weights_left[0], self._left()])

    def initial(self, trial, draw):
        drawn = draw(trial)
        for name, value in self._weights.state.items():
            mask = self._weights.masks.get(name)
            there = value if mask is None else np.where(mask | (value != 0), value, drawn[name])
            drawn[name] = there.astype(drawn[name].dtype)
        return drawn

    def masks(self, trial, round):
        return {name: np.array(mask) for name, mask in self._weights.masks.items()}

    def _left(self) -> int:
        return sum(int(np.count_nonzero(mask)) for mask in self._weights.masks.values())


def label(weights: Weights) -> str:
    """Return what identifies a file's masks and weights, wherever it lies and in whichever format: a digest."""
    what = "weights and masks" if weights.state else "masks"
    return f"{what} of a file, sha256:{digest(sorted(weights.arrays().items()))}"
