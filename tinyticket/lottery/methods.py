"""What makes the network of a round.

"prune", the lottery tickets' own method, prunes what was trained in the round before: it is the algorithm itself, in `algorithm`.
Every other method makes its rounds from theta_0, one by one; it is a function (trial, round) -> Start here, and what its
training is to end as, a mask of the round's density, is the training's affair. Round 0 is the dense network, trained, as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.lottery.algorithm import reset
from tinyticket.lottery.gradual import gradual_of
from tinyticket.lottery.start import Start
from tinyticket.lottery.untrained import RATES, untrained_start

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings
    from tinyticket.lottery.trial import TrialRun

Method = Callable[["TrialRun", int], Start]


def gradual_start(trial: TrialRun, round: int) -> Start:
    """Start dense at theta_0; the criterion's smallest go in the course of the training."""
    settings = trial.settings
    dense = {name: np.ones(trial.initial[name].shape, bool) for name in trial.plan.sizes}
    revision = gradual_of(trial.plan, round, settings.scope, settings.gradual, trial.pruner.scores(round))
    origin = {"weights": "init", "mask": "gradual", "statistics": "init"}
    return Start(dense, reset(trial.initial, dense), origin, revision=revision)


METHODS: dict[str, Method] = {"supermask": untrained_start, "edge-popup": untrained_start}
UNTRAINED = tuple(RATES)
ONE_ROUND = ("supermask",)  # its density is what learning makes of it
ONLY_FOR: Mapping[str, tuple[str, ...]] = {
    "signed_constant": UNTRAINED,
    "score_lr": UNTRAINED,
    "rescale": ("supermask",),
}


def method_of(settings: Settings) -> Method | None:
    """Return what makes the rounds, or None if each prunes what was trained before it."""
    return gradual_start if settings.gradual else METHODS.get(settings.method)


def check_method(settings: Settings) -> None:
    """Raise InputError unless the method is known and the settings are such as it can follow."""
    method = settings.method
    if method not in ("prune", *METHODS):
        raise InputError(f"no method is called {method!r}{near(str(method), ('prune', *METHODS))}")
    for name, methods in ONLY_FOR.items():
        if getattr(settings, name) and method not in methods:
            raise InputError(f"{name.replace('_', '-')} belongs to the method {' or '.join(methods)}, not to {method}")
    if method == "prune":
        return
    fixed: dict[str, Any] = {
        "criterion": "magnitude", "gradual": (), "rewind": "weights", "rewind_to": 0, "strategy": "reset", "mask_0": "zero",
    }  # fmt: skip
    for name, value in fixed.items():
        if getattr(settings, name) != value:
            raise InputError(
                f"the method {method} starts at theta_0 and finds its own masks; leave {name.replace('_', '-')} out"
            )
    if method in ONE_ROUND:
        if settings.one_shot or settings.rounds != 1 or settings.prune:
            raise InputError(
                f"the method {method} has one round, whose density it finds: leave rounds, prune and one-shot out"
            )
    elif not settings.one_shot:
        raise InputError(f"the method {method} wants the densities of its masks: give them with one-shot")
    elif settings.scope == "global":
        raise InputError(
            f"the method {method} keeps a share of every layer: the scope is uniform, layer or erk, not global"
        )
    if not 0 < settings.score_lr < float("inf"):
        raise InputError(f"the scores' learning rate is above 0; got {settings.score_lr}")
