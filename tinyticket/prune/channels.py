"""Channels that a batch normalisation scales: which weights make them, and which read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn import BatchNorm1d, BatchNorm2d, Conv2d, Linear, Module, Sequential
from tinyticket.prune.counts import kept
from tinyticket.prune.selection import Masks
from tinyticket.prune.shrink import CHANNELWISE
from tinyticket.prune.structured import spread


@dataclass(frozen=True)
class Channels:
    """The channels of one batch normalisation.

    Attributes
    ----------
    makes : str
        The weight whose outputs are normalised.
    reads : str or None
        The weight that alone reads them; None where ways meet or part behind them.
    count : int
    """

    makes: str
    reads: str | None
    count: int


def normalised_channels(model: Module) -> dict[str, Channels]:
    """Return the channels of every batch normalisation right behind a layer, by the name of its scale.

    Raises
    ------
    InputError
        If there are none.
    """
    found: dict[str, Channels] = {}
    for chain in _chains(model, ""):
        made, open_ = (
            "",
            "",
        )  # the layer just passed, and the scale of the channels that are on their way to the next one
        for name, layer in chain:
            if isinstance(layer, Conv2d) and layer.groups > 1:
                raise InputError(f"{name} has its channels in groups, so none can go without those beside it")
            if isinstance(layer, Linear | Conv2d):
                if open_:
                    found[open_] = Channels(found[open_].makes, f"{name}.weight", found[open_].count)
                made, open_ = f"{name}.weight", ""
            elif isinstance(layer, BatchNorm1d | BatchNorm2d) and made and layer.weight is not None:
                open_ = f"{name}.weight"
                found[open_], made = Channels(made, None, layer.num_features), ""
            elif not isinstance(layer, CHANNELWISE):
                made = open_ = ""
            else:
                made = ""
    if not found:
        raise InputError(
            "the model has no batch normalisation with a scale right behind a layer, so no channels to choose from"
        )
    return found


def channel_masks(scales: Mapping[str, np.ndarray], density: float) -> Masks:
    """Keep the channels whose scales are largest in magnitude, over all layers (network slimming), but of each one at least.

    Parameters
    ----------
    scales
        The scale (gamma, `weight`) of every batch normalisation.
    density
        The share of all channels that is kept, exactly floor(density * channels + 1/2).

    Raises
    ------
    InputError
        If these are fewer channels than layers.
    """
    sizes = {name: len(scale) for name, scale in scales.items()}
    total = sum(sizes.values())
    count = kept(total, density)
    if count < len(sizes):
        raise InputError(
            f"a density of {density:g} keeps {count} of {total} channels, fewer than the {len(sizes)} layers that need one"
        )
    magnitudes = {name: np.abs(scale).astype(np.float64) for name, scale in scales.items()}
    for magnitude in magnitudes.values():
        magnitude[np.argmax(magnitude)] = np.inf
    together = np.concatenate(list(magnitudes.values()))
    flat = np.zeros(together.size, bool)
    flat[np.argsort(-together, kind="stable")[:count]] = True
    pieces = np.split(flat, np.cumsum(list(sizes.values()))[:-1])
    return dict(zip(sizes, pieces, strict=True))


def weights_of_channels(
    shapes: Mapping[str, tuple[int, ...]], channels: Mapping[str, Channels], survivors: Mapping[str, np.ndarray]
) -> Masks:
    """Return masks of all weights, without those that make a channel that goes, and those that alone read it."""
    masks = {name: np.ones(shape, bool) for name, shape in shapes.items()}
    for name, kept_ones in survivors.items():
        masks[channels[name].makes][~kept_ones] = False
        if reader := channels[name].reads:
            masks[reader][:, ~spread(kept_ones, shapes[reader][1])] = False
    return masks


def _chains(module: Module, name: str) -> Iterator[list[tuple[str, Module]]]:
    """Yield what lies one after the other in every Sequential, those inside it included."""
    if type(module) is Sequential:
        chain = list(_flat(module, name))
        yield chain
        branches = [(own, part) for own, part in chain if not isinstance(part, (Linear, Conv2d, *CHANNELWISE))]
    else:
        branches = [(f"{name}.{child}" if name else child, part) for child, part in module.children()]
    for own, part in branches:
        yield from _chains(part, own)


def _flat(module: Module, name: str) -> Iterator[tuple[str, Module]]:
    for child, part in module.children():
        own = f"{name}.{child}" if name else child
        if type(part) is Sequential:
            yield from _flat(part, own)
        else:
            yield own, part
