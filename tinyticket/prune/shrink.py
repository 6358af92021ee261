"""From a network with pruned units to a smaller dense network that computes the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    SReLU,
    Tanh,
    ZeroPad2d,
    build,
    describe,
)
from tinyticket.prune.selection import Arrays, Masks
from tinyticket.prune.structured import check_chain, spread

NORMS = (BatchNorm1d, BatchNorm2d)
CHANNELWISE = (AvgPool2d, Dropout, Flatten, GlobalAvgPool2d, LeakyReLU, MaxPool2d, ReLU, Sigmoid, Tanh, ZeroPad2d)
"""What treats every channel alike and by itself, so that removing one changes no other."""
OF_CHANNELS = ("weight", "bias", "running_mean", "running_var", "t_left", "a_left", "t_right", "a_right")
"""Parameters and buffers of normalisations and SReLUs that hold a number for every channel."""


def shrink(model: Module, masks: Arrays | None = None) -> Module:
    """Return a smaller model without the units that nothing uses, whose outputs equal the masked model's up to rounding.

    A unit goes if all its outgoing weights are pruned, or lead to units that go; what its incoming weights are does not matter.
    Weights pruned between units that stay are zeros of the small model, and its masks.

    Parameters
    ----------
    model
        A Sequential, possibly of Sequentials, of the library's own layers; it is not changed.
    masks
        True for survivors, by the names of prunable weights; None for the model's own masks.

    Returns
    -------
    Module
        With the same names; float32 or float64, training or evaluating, as the given model.

    Raises
    ------
    InputError
        If the model has branches (Residual), shared layers or layers of one's own, or if no unit of a layer is left.
    """
    leaves = list(_leaves(model))
    for i, (name, layer) in enumerate(leaves):
        if any(layer is other for _, other in leaves[:i]) and list(layer.parameters()):
            raise InputError(f"a layer that shares its weights cannot be shrunk, and {name} is used twice")
    weights = model.prunable()
    kept = {name: weight.mask for name, weight in weights.items()} if masks is None else dict(masks)
    full = {name: _mask(name, weight.shape, kept.get(name)) for name, weight in weights.items()}
    if unknown := kept.keys() - full.keys():
        raise InputError(f"the model has no prunable weights called {sorted(unknown)}; it has {sorted(full)}")
    check_chain({name: weight.shape for name, weight in weights.items()})
    units = used_units(full)

    description, state, masks_left = describe(model), model.state_dict(), {}
    alive: np.ndarray | None = None  # units of the last layer passed that stay; None in front of the first one
    for name, layer in leaves:
        prefix = f"{name}." if name else ""
        if isinstance(layer, Linear | Conv2d):
            weight = prefix + "weight"
            inputs = np.ones(layer.weight.shape[1], bool) if alive is None else spread(alive, layer.weight.shape[1])
            alive = units[weight]
            masks_left[weight] = full[weight][alive][:, inputs]
            state[weight] = state[weight][alive][:, inputs]
            if layer.bias is not None:
                state[prefix + "bias"] = state[prefix + "bias"][alive]
            sizes = ("in_features", "out_features") if isinstance(layer, Linear) else ("in_channels", "out_channels")
            _settings(description, name).update(zip(sizes, (int(inputs.sum()), int(alive.sum())), strict=True))
        elif isinstance(layer, (*NORMS, SReLU)) and alive is not None:
            size = "units" if isinstance(layer, SReLU) else "num_features"
            channels = spread(alive, getattr(layer, size))
            for part in OF_CHANNELS:
                if prefix + part in state:
                    state[prefix + part] = state[prefix + part][channels]
            _settings(description, name)[size] = int(channels.sum())
    small = build(description).train(model.training)
    if state:
        small.astype(next(iter(state.values())).dtype)
    small.load_state_dict(state)
    for name, left in small.prunable().items():
        if not masks_left[name].all():
            left.mask = masks_left[name]
    return small


def used_units(masks: Arrays) -> Masks:
    """Return by layer which units have a way to the output; masks are those of a network without branches, first to last.

    All units of the last layer do. Going back, a unit does if one of its outgoing weights survives and leads to one that does.
    """
    names = list(masks)
    units: Masks = {names[-1]: np.ones(len(masks[names[-1]]), bool)} if names else {}
    for name, after in reversed(list(pairwise(names))):
        survives = masks[after][units[after]]
        feeding = np.any(survives, axis=tuple(axis for axis in range(survives.ndim) if axis != 1))
        units[name] = np.any(feeding.reshape(len(masks[name]), -1), axis=1)
        if not units[name].any():
            raise InputError(f"nothing of {name} reaches the output any more: there is no smaller network to make")
    return {name: units[name] for name in names}


def _leaves(module: Module, name: str = "") -> Iterator[tuple[str, Module]]:
    """Yield the layers inside Sequentials in the order in which the signal passes them."""
    if type(module) is Sequential:
        for child, part in module.children():
            yield from _leaves(part, f"{name}.{child}" if name else child)
    elif isinstance(module, Conv2d) and module.groups > 1:
        raise InputError(f"{name or 'the model'} has its channels in groups, so none can go without those beside it")
    elif type(module) in (Linear, Conv2d, SReLU, *NORMS, *CHANNELWISE):
        yield name, module
    else:
        raise InputError(
            f"only a chain of the library's layers can be shrunk, and {name or 'the model'} is a {type(module).__name__}: "
            "where ways meet, units of one cannot go without those of the other"
        )


def _mask(name: str, shape: tuple[int, ...], mask: Any) -> np.ndarray:
    if mask is None:
        return np.ones(shape, bool)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != shape:
        raise InputError(f"the mask of {name} must be boolean of shape {shape}, not {mask.dtype} of shape {mask.shape}")
    return mask


def _settings(description: dict[str, Any], name: str) -> dict[str, Any]:
    for part in name.split(".") if name else ():
        description = description["parts"][part]
    return description
