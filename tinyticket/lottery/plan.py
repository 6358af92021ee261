"""What an experiment will do, worked out before it does it: which layers lose which fraction, and how many weights are left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.nn import Module, Prunable
from tinyticket.prune.channels import Channels, normalised_channels

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings


@dataclass(frozen=True)
class Plan:
    """The rounds of an experiment."""

    sizes: dict[str, int]  # number of weights of every layer that can be pruned
    fractions: list[dict[str, float]]  # for every round after the dense one, the fraction removed from each layer
    weights_left: list[int]  # dense network first; a guess where masks are learned or channels chosen in training
    channels: dict[str, Channels] = field(default_factory=dict)  # where masks are of channels: those that there are
    connected: tuple[str, ...] = ()  # weights of the layers whose connections move

    @property
    def densities(self) -> list[float]:
        """Share of the weights left after every round."""
        return [left / self.weights_left[0] for left in self.weights_left]


def make_plan(model: Module, settings: Settings) -> Plan:
    """Plan the rounds for a model, or raise InputError where a round would remove nothing from a layer, or all of it."""
    groups = layer_groups(model)
    sizes = prunable_sizes(model)
    if settings.one_shot:
        fractions = [_one_shot_fractions(model, groups, density, settings.scope) for density in settings.one_shot]
    else:
        fractions = [prune.fractions_by_layer(groups, settings.prune)] * settings.rounds
    scope = "global" if settings.scope == "global" else "layer"
    return Plan(sizes, fractions, prune.plan_rounds(sizes, fractions, scope, iterative=not settings.one_shot))


def prunable_sizes(model: Module) -> dict[str, int]:
    """Return the number of weights of every layer that can be pruned."""
    return {name: parameter.size for name, parameter in model.prunable().items()}


def channel_plan(model: Module, settings: Settings) -> Plan:
    """Plan rounds whose masks are of whole channels; how many weights that leaves is a guess."""
    sizes, channels = prunable_sizes(model), normalised_channels(model)
    left = [_of_channels(model, channels, density) for density in settings.one_shot]
    return Plan(sizes, [], [sum(sizes.values()), *left], channels)


def _of_channels(model: Module, channels: Mapping[str, Channels], density: float) -> int:
    """Return how many weights are left if every layer keeps the same share of its channels."""
    if not 0 < density < 1:
        raise InputError(f"a density of channels lies between 0 and 1; got {density:g}")
    all_alike = {name: np.ones(held.count) for name, held in channels.items()}
    prune.channel_masks(all_alike, density)  # says if they are too few
    shares = dict.fromkeys(model.prunable(), 1.0)
    for held in channels.values():
        for name in filter(None, (held.makes, held.reads)):
            shares[name] *= density
    return round(sum(parameter.size * shares[name] for name, parameter in model.prunable().items()))


def _one_shot_fractions(model: Module, groups: dict[str, str], density: float, scope: str) -> dict[str, float]:
    """Return the fraction that every layer loses where the whole network is pruned to a density."""
    shapes = {name: parameter.shape for name, parameter in model.prunable().items()}
    if scope in ("layer", "global"):
        return prune.one_shot_fractions(prunable_sizes(model), groups, density, scope)
    by_layer = prune.allocate(shapes, density, scope)
    assert isinstance(by_layer, dict)
    return {name: 1 - share for name, share in by_layer.items()}


def layer_groups(model: Module) -> dict[str, str]:
    """Return the group of every weight that can be pruned: "conv", "fc", or "output" for the last fully-connected layer."""
    kinds = {id(module.weight): module.group for _, module in model.named_modules() if isinstance(module, Prunable)}
    groups = {name: kinds[id(parameter)] for name, parameter in model.prunable().items()}
    if not groups:
        raise InputError("the model has no layer whose weights can be pruned (Linear, Conv1d or Conv2d)")
    if last := [name for name, group in groups.items() if group == "fc"]:
        groups[last[-1]] = "output"
    return groups
