"""Dense training that becomes that of a ticket as soon as the ticket can be seen (You et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.methods.method import REST, Method, layer_densities
from tinyticket.lottery.plan import Plan, channel_plan
from tinyticket.lottery.revision import Revision
from tinyticket.lottery.start import Start
from tinyticket.nn import Module
from tinyticket.prune.channels import Channels, weights_of_channels
from tinyticket.results import naming

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings
    from tinyticket.lottery.trial import TrialRun

BY = ("weights", "channels")
"""What the masks of an early bird are of, the default first: weights, or whole channels by the scales of their normalisation."""

SCALE_PENALTY = 1e-4
"""Of an early bird by channels where none is given: You et al. 2020, section 3.1, whose masks are drawn by penalised scales."""


class EarlyBirdTraining(Revision):
    """Draws a mask every epoch and keeps to it once the ticket has emerged; training goes on with the ticket's weights.

    A mask is drawn after each of `iterations`, the last of which is taken in any case. Where `channels` are given, masks are of
    channels, by the scales of their batch normalisation, as the paper does. An L1 penalty on those scales until the ticket is drawn
    (network slimming, Liu et al. 2017, equation 1) takes those of channels that do little to zero, so that they can be told apart.
    """

    def __init__(
        self,
        iterations: tuple[int, ...],
        density: float
        | dict[str, float],  # of the masks: the whole network's, or by layer; of channels, how many are kept
        channels: Mapping[str, Channels] | None = None,
        scale_penalty: float = 0.0,
        pairs: str = "all",  # of masks that are compared, as in `prune.EarlyBird`
    ):
        self._channels, self._scale_penalty, self._pairs = channels or {}, scale_penalty, pairs
        self.reads = tuple(self._channels)
        self.iterations, self._density, self._watch = iterations, density, prune.EarlyBird(pairs=pairs)
        self._drawn, self._distance = 0, 1.0

    @property
    def settled(self) -> int:
        """The iteration at which the ticket was drawn; before, the network was dense."""
        return self._drawn

    @property
    def penalties(self) -> dict[str, float]:
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
        """Return when the ticket was drawn, how far the last masks lay apart, and whether that is little."""
        emerged = self._distance <= self._watch.tolerance
        return {"drawn": self._drawn, "distance": self._distance, "emerged": emerged}

    def state(self) -> tuple[dict[str, Any], State]:
        seen = {f"{i}:{name}": mask for i, masks in enumerate(self._watch.seen) for name, mask in masks.items()}
        return {"drawn": self._drawn, "distance": self._distance}, seen

    def restore(self, values: dict[str, Any], arrays: State) -> None:
        self._drawn, self._distance = int(values["drawn"]), float(values["distance"])
        self._watch = prune.EarlyBird(pairs=self._pairs)
        seen: dict[str, Masks] = {}
        for place, mask in arrays.items():
            number, _, name = place.partition(":")
            seen.setdefault(number, {})[name] = mask
        for masks in seen.values():
            self._watch.see(masks)


class EarlyBird(Method):
    """Dense training until masks drawn every epoch stop changing, then that of the ticket (You et al. 2020)."""

    name, words = "early-bird", naming.EARLY_BIRD
    defaults: ClassVar = {"scope": "global", "controls": ("random",)}
    own = ("early_bird_by", "scale_penalty")
    pairs = "all"  # of the last five masks that are compared

    def check(self, settings: Settings) -> None:
        super().check(settings)
        if settings.early_bird_by not in BY:
            raise InputError(f"early-bird-by is {' or '.join(BY)}, not {settings.early_bird_by!r}")
        if settings.early_bird_by == "channels" and settings.scope != "global":
            raise InputError("early-bird-by channels compares channels in the global network: leave scope out")
        if settings.scale_penalty and settings.early_bird_by != "channels":
            raise InputError("scale-penalty is a setting of the method early-bird with early-bird-by channels")

    def moments(self, settings: Settings, epoch: int) -> tuple[int, ...]:
        """Return after how many iterations a mask is drawn."""
        return tuple(range(epoch, int(REST * settings.iterations) + 1, epoch))

    def check_length(self, settings: Settings, epoch: int) -> None:
        if len(self.moments(settings, epoch)) < 5:
            raise InputError(
                f"an early bird is seen in five masks, drawn an epoch ({epoch} iterations) apart in the first {REST:.0%} of the "
                f"training: that takes {-(-5 * epoch * 4 // 3)} iterations, not {settings.iterations}"
            )

    def plan(self, model: Module, settings: Settings) -> Plan:
        """Return the rounds for a model; with masks of channels their counts are a guess."""
        return channel_plan(model, settings) if settings.early_bird_by == "channels" else super().plan(model, settings)

    def is_planned(self, settings: Settings) -> bool:
        """Whether masks are of weights, of which exactly as many stay as planned."""
        return settings.early_bird_by != "channels"

    def start(self, trial: TrialRun, round: int) -> Start:
        settings, plan = trial.settings, trial.plan
        density: float | dict[str, float]
        if plan.channels:
            density = settings.one_shot[round - 1]
        else:
            density = plan.densities[round] if settings.scope == "global" else layer_densities(plan, round)
        moments = self.moments(settings, trial.epoch)
        training = EarlyBirdTraining(moments, density, plan.channels, settings.scale_penalty, self.pairs)
        return trial.dense_start(EarlyBird.name, training)


class OriginalEarlyBird(EarlyBird):
    """Compares the newest mask with the four before it, and not those with each other (the code of You et al. 2020)."""

    name, pairs = "early-bird-original", "newest"
