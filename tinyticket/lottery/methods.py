"""Methods that find their mask while the network trains: dynamic sparse training, Early-Bird tickets, masks of untrained weights.

Dynamic sparse training starts from theta_0 under a random mask whose layers have the densities of an Erdos-Renyi kernel, and moves
the mask every few iterations (`prune.dynamic`). The fraction dropped falls along a cosine from `drop` to nothing at three quarters
of the training, where the mask comes to rest (Evci et al. 2020, section 3). `set`, `rigl`, `snfs` and `snfs-grow` run this way,
as RigL's authors run them; `set-original` as SET's authors do: once an epoch, a constant fraction, by sign, with new
weights drawn as the initial ones were. `supermask` and `edge-popup` leave all weights as they are and learn a mask (`untrained`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError, near
from tinyticket.lottery.algorithm import State, reset
from tinyticket.lottery.dynamic import Dynamic
from tinyticket.lottery.early_bird import EarlyBirdTraining
from tinyticket.lottery.start import Start
from tinyticket.lottery.streams import stream
from tinyticket.lottery.untrained import UNTRAINED, check_untrained, untrained_start

if TYPE_CHECKING:
    from tinyticket.lottery.plan import Plan
    from tinyticket.lottery.settings import Settings
    from tinyticket.prune.channels import Channels

TICKETS = "tickets"
"""The method of the paper and of all that prunes what has been trained: masks are made between trainings, or gradually."""

SPARSE = ("set", "set-original", "rigl", "snfs", "snfs-grow")
METHODS = (TICKETS, *SPARSE, "early-bird", *UNTRAINED)
EARLY_BIRDS = ("weights", "channels")
"""What the masks of an early bird are of, the default first: weights, or whole channels by the scales of their normalisation."""

ONE_ROUND = ("supermask",)  # its density is what learning makes of it
UPDATE_EVERY, DROP = 100, 0.3
SCALE_PENALTY = 1e-4
"""Of an early bird by channels where none is given: You et al. 2020, section 3.1, whose masks are drawn by penalised scales."""

REST = 0.75
"""Share of the training after which masks rest."""


def check_method(settings: Settings) -> None:
    """Raise InputError unless the method and the other settings go together."""
    method = settings.method
    if method not in METHODS:
        raise InputError(f"no method is called {method!r}{near(str(method), METHODS)}")
    prune.drop_fraction(0, 1, settings.drop)  # says what is wrong with it
    if method not in SPARSE and (settings.update_every, settings.drop) != (UPDATE_EVERY, DROP):
        raise InputError(f"update-every and drop are settings of {', '.join(SPARSE)}; the method {method} has none")
    if method == "set-original" and settings.update_every != UPDATE_EVERY:
        raise InputError("set-original moves its mask once an epoch; set can be told update-every")
    if settings.early_bird_by not in EARLY_BIRDS:
        raise InputError(f"early-bird-by is {' or '.join(EARLY_BIRDS)}, not {settings.early_bird_by!r}")
    if settings.early_bird_by != EARLY_BIRDS[0] and (method != "early-bird" or settings.scope != "global"):
        raise InputError(
            "early-bird-by channels is a setting of the method early-bird, which compares channels in the global network"
        )
    if settings.scale_penalty and settings.early_bird_by != "channels":
        raise InputError("scale-penalty is a setting of the method early-bird with early-bird-by channels")
    static = [name for name in settings.controls if name == "static"]
    rewound = [name for name in settings.controls if name == "rewound"]
    if static and method not in SPARSE:
        raise InputError(
            "the control static keeps the random mask with which dynamic sparse training starts; with "
            f"{'gradual pruning' if settings.gradual else f'the method {method}'} there is none"
        )
    if rewound and method == TICKETS and not settings.gradual:
        raise InputError("the control rewound trains theta_0 under the mask found; that is what a ticket is already")
    check_untrained(settings)
    if method == TICKETS:
        return
    rewinds = settings.rewind != "weights" or settings.rewind_to or settings.strategy != "reset"
    other = settings.gradual or rewinds or settings.criterion != "magnitude" or settings.mask_0 != "zero"
    if method in ONE_ROUND:
        if other or settings.one_shot or settings.rounds != 1 or settings.prune:
            raise InputError(
                f"{method} has one round, whose density it finds, and starts at theta_0: leave one-shot, rounds, prune, criterion, "
                "gradual, mask-0, rewind, rewind-to and strategy out"
            )
        return
    if not settings.one_shot or other:
        raise InputError(
            f"{method} finds its mask in a training that starts at theta_0: give the densities with one-shot, and leave "
            "criterion, gradual, mask-0, rewind, rewind-to and strategy out"
        )
    if method in (*SPARSE, "edge-popup") and settings.scope == "global":
        raise InputError(f"{method} has a density for each layer: the scope is erk, uniform or layer, not global")
    if method not in UNTRAINED and any(name.startswith("inverted") for name in settings.controls):
        raise InputError(f"the control inverted keeps the smallest scores of a criterion, and {method} has none")


def begin(settings: Settings, plan: Plan, trial: int, round: int, initial: State, epoch: int) -> Start:
    """Return how a round's network starts under a method that finds the mask in training; an epoch has so many iterations."""
    if settings.method in UNTRAINED:
        return untrained_start(settings, plan, trial, round, initial)
    if plan.channels:
        share = settings.one_shot[round - 1]
        return _early_bird(settings, initial, list(plan.sizes), epoch, share, plan.channels)
    fractions = plan.fractions[round - 1]
    densities = {name: 1 - prune.removed(size, fractions[name]) / size for name, size in plan.sizes.items()}
    key = [settings.seed, trial, settings.method, round]
    if settings.method == "early-bird":
        density = plan.densities[round] if settings.scope == "global" else densities
        return _early_bird(settings, initial, list(plan.sizes), epoch, density)
    when, rest = moments(settings, epoch)
    rng = stream(settings.seed, trial, settings.method, round)
    shapes = {name: initial[name].shape for name in plan.sizes}
    # All methods and the static network beside them start from one mask.
    first = [settings.seed, trial, "sparse", round]
    masks = prune.random_masks(shapes, densities, stream(settings.seed, trial, "sparse", round))
    origin: dict[str, Any] = {"weights": "init", "mask": {"stream": first, "moved": key}, "statistics": "init"}
    revision = Dynamic(settings.method, when, rest, settings.drop, rng)
    return Start(masks, reset(initial, masks), origin, revision=revision)


def _early_bird(
    settings: Settings,
    initial: State,
    prunable: list[str],
    epoch: int,
    density: float | dict[str, float],
    channels: dict[str, Channels] | None = None,
) -> Start:
    dense = {name: np.ones(initial[name].shape, bool) for name in prunable}
    origin = {"weights": "init", "mask": "early-bird", "statistics": "init"}
    revision = EarlyBirdTraining(moments(settings, epoch)[0], density, channels, settings.scale_penalty)
    return Start(dense, reset(initial, dense), origin, revision=revision)


def moments(settings: Settings, epoch: int) -> tuple[tuple[int, ...], int]:
    """Return after how many iterations masks are looked at, and where they come to rest.

    Raises
    ------
    InputError
        If the training is too short for the method.
    """
    last = int(REST * settings.iterations)
    if settings.method in UNTRAINED:
        return (), 0  # their masks change at every iteration
    if settings.method == "set-original":
        when, last = tuple(range(epoch, settings.iterations, epoch)), settings.iterations
    elif settings.method == "early-bird":
        when = tuple(range(epoch, last + 1, epoch))
    else:
        when = tuple(range(settings.update_every, last, settings.update_every))
    if settings.method == "early-bird" and len(when) < 5:
        raise InputError(
            f"an early bird is seen in five masks, drawn an epoch ({epoch} iterations) apart in the first {REST:.0%} of the "
            f"training: that takes {-(-5 * epoch * 4 // 3)} iterations, not {settings.iterations}"
        )
    if not when:
        raise InputError(
            f"{settings.method} would never move its mask in {settings.iterations} iterations: train longer, or move it more often"
        )
    return when, last
