"""A network's arrays by name, its masks beside them, and what names both have in files of other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from tinyticket.data.files import printable
from tinyticket.errors import InputError
from tinyticket.nn import Module

MASK = "mask/"
"""What stands before a weight's name in that of its mask."""

ORIGINAL, PRUNED_BY = "_orig", "_mask"
"""What torch.nn.utils.prune puts behind a weight's name: its values whether pruned or not, and its mask of ones and zeros."""

DROPPED = "num_batches_tracked"
"""A counter of PyTorch's batch normalisation that no output depends on."""

Arrays = dict[str, np.ndarray]
T = TypeVar("T")


@dataclass(frozen=True)
class Weights:
    """Parameters and buffers by name, and the masks of weights that were pruned, True for survivors."""

    state: Arrays
    masks: Arrays = field(default_factory=dict)

    def arrays(self) -> Arrays:
        """Return both under names of their own: masks are "mask/" and the weight's name."""
        return {**self.state, **{f"{MASK}{name}": mask for name, mask in self.masks.items()}}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Weights:
    """Return the weights that a file holds, whichever way it names masks: "mask/NAME", or NAME_orig and NAME_mask as PyTorch does.

    Raises
    ------
    InputError
        If a mask has other values than zeros and ones, or another shape than its weight.
    """
    state: Arrays = {}
    masks: Arrays = {}
    for name, value in arrays.items():
        if name.startswith(MASK):
            masks[name.removeprefix(MASK)] = _mask(name, value)
        elif name.endswith(PRUNED_BY) and (weight := name.removesuffix(PRUNED_BY)) + ORIGINAL in arrays:
            masks[weight] = _mask(name, value)
        elif name.endswith(ORIGINAL) and (weight := name.removesuffix(ORIGINAL)) + PRUNED_BY in arrays:
            state[weight] = value
        elif name.rpartition(".")[2] != DROPPED:
            state[name] = value
    for name, mask in masks.items():
        if name in state and mask.shape != state[name].shape:
            shapes = f"{printable(name)} has the shape {state[name].shape} and its mask {mask.shape}"
            raise InputError(f"{shapes}; expected one for each weight")
    return Weights(state, masks)


def _mask(name: str, value: np.ndarray) -> np.ndarray:
    mask = value != 0
    if not np.array_equal(mask, value):
        raise InputError(f"the mask {printable(name)} has other values than zeros and ones")
    return mask


def fitted(weights: Weights, model: Module, in_order: bool = False) -> Weights:
    """Return weights as those of a model: under its names, in its order and dtype.

    Parameters
    ----------
    weights
        With values of all its parameters and buffers, or of none and only masks. Where there are no masks at all, zeros among the
        weights of a layer are pruned ones.
    model
    in_order
        Take layers for those of the model in their order, whatever they are called.

    Raises
    ------
    InputError
        If a name is missing or unknown, a shape differs, or a value is no number.
    """
    known, prunable = model.state_dict(), model.prunable()
    if in_order:
        weights = _renamed(weights, known)
    _check_names("weight", weights.state, known if weights.state else {})
    _check_names("mask of a weight that can be pruned", weights.masks, prunable, all_of_them=False)
    for name, value in (*weights.state.items(), *weights.masks.items()):
        if value.shape != known[name].shape:
            raise InputError(f"{name} has the shape {value.shape}, in the model {known[name].shape}")
        if not np.isfinite(value).all():
            raise InputError(f"{name} has values that are no numbers")
    masks = weights.masks or {name: weights.state[name] != 0 for name in prunable if name in weights.state}
    masks = {name: masks.get(name, np.ones(known[name].shape, bool)) for name in prunable}
    return Weights(
        {name: weights.state[name].astype(value.dtype) for name, value in known.items() if weights.state}, masks
    )


def _check_names(what: str, found: Mapping, known: Mapping, all_of_them: bool = True) -> None:
    for name in found:
        if name not in known:
            raise InputError(f"{printable(name)} is no {what} of the model, which has {printable(', '.join(known))}")
    if missing := [name for name in known if name not in found and all_of_them]:
        raise InputError(f"the {what} {missing[0]} of the model is missing; there are {printable(', '.join(found))}")


def _renamed(weights: Weights, known: Arrays) -> Weights:
    """Return weights under the names of the model's layers, the first for the first and so on."""
    theirs, ours = _layers([*weights.state, *weights.masks]), _layers(known)
    if not weights.state:
        ours = [layer for layer in ours if f"{layer}.weight" in known and known[f"{layer}.weight"].ndim > 1]
    if len(theirs) != len(ours):
        raise InputError(
            f"there are {len(theirs)} layers with weights ({printable(', '.join(theirs))}), in the model {len(ours)}"
        )
    names = dict(zip(theirs, ours, strict=True))

    def rename(arrays: Mapping[str, T]) -> dict[str, T]:
        parts = {name: name.rpartition(".") for name in arrays}
        return {f"{names[layer]}.{own}": arrays[name] for name, (layer, _, own) in parts.items()}

    return replace(weights, state=rename(weights.state), masks=rename(weights.masks))


def _layers(names: Iterable[str]) -> list[str]:
    """Return the layers that arrays belong to, in their order."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in names))
