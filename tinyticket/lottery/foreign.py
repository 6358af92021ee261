"""A mask of another program in an experiment: from a file of weights and masks, as PyTorch, safetensors and NumPy keep them.

It is one ticket. Every trial trains the dense network and prunes it once, to the file's mask. Theta_0 is what the file has: weights
that are there under the mask or (as in files of torch.nn.utils.prune) beyond it; those that were pruned to zero are drawn, and all
of them where the file has masks alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinyticket.data import Dataset
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.plan import Plan
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.settings.readers import open_result
from tinyticket.lottery.settings.table import SETTINGS
from tinyticket.lottery.transfer import Draw, OfResult, Tickets, unmasked
from tinyticket.nn import Module
from tinyticket.store.weights import ENDINGS, Weights, fitted, read_weights


def open_tickets(given: Any) -> Tickets:
    """Return the tickets of a result, of the file of one, or of a file of weights and masks, which its ending tells."""
    if isinstance(given, str | os.PathLike) and Path(given).suffix in ENDINGS:
        return OfWeights(Path(given))
    if isinstance(given, OfResult):
        return given
    return OfResult(open_result(SETTINGS["masks_from"], "masks from", given))


class OfWeights:
    """The ticket in a file of weights and masks."""

    def __init__(self, path: Path):
        self._path, self._weights = path, read_weights(path)

    def adopt(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that are given; raise InputError if they ask for other masks, or for several rounds."""
        given = unmasked(str(self._path), options)
        if given.pop("rounds", 1) != 1:
            raise InputError(f"{self._path} holds one mask, so there is one round: leave rounds out")
        return {**given, "masks_from": label(self._weights)}

    def decided(self, network: Callable[[], Module]) -> dict[str, Any]:
        """Return the density of the mask; raise InputError if it is none of the network's."""
        try:
            self._weights = fitted(self._weights, network())
        except InputError as error:
            raise InputError(f"{self._path} does not fit the model: {error}") from None
        density = self._left() / sum(mask.size for mask in self._weights.masks.values())
        if not 0 < density < 1:
            raise InputError(
                f"{self._path} holds no mask: {'no' if density else 'every'} weight of its layers is pruned"
            )
        return {"one_shot": (density,), "scope": "global"}

    def check_data(self, dataset: Dataset) -> None:
        """Check nothing: the network that the mask fits takes them."""

    def check_model(self, model: Module, settings: Settings) -> None:
        """Check nothing: the mask has been fitted to it."""

    def planned(self, plan: Plan) -> Plan:
        """Return a plan with the mask's count."""
        return dataclasses.replace(plan, weights_left=[plan.weights_left[0], self._left()])

    def initial(self, trial: int, draw: Draw) -> State:
        """Return the file's weights, and drawn ones where it has none."""
        drawn = draw(trial)
        for name, value in self._weights.state.items():
            mask = self._weights.masks.get(name)
            there = value if mask is None else np.where(mask | (value != 0), value, drawn[name])
            drawn[name] = there.astype(drawn[name].dtype)
        return drawn

    def masks(self, trial: int, round: int) -> Masks:
        """Return the mask."""
        return {name: np.array(mask) for name, mask in self._weights.masks.items()}

    def _left(self) -> int:
        return sum(int(np.count_nonzero(mask)) for mask in self._weights.masks.values())


def label(weights: Weights) -> str:
    """Return what identifies a file's masks and weights, wherever it lies and in whichever format: a digest."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.arrays().items()):
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode() + np.ascontiguousarray(value).tobytes())
    return f"{'weights and ' if weights.state else ''}masks of a file, sha256:{digest.hexdigest()[:16]}"
