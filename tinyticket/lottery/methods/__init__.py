"""How the networks of an experiment's rounds are made: each way an object, which alone knows what is special about it.

    tickets      the paper's: prune what has been trained, reset, train again
    gradual      prune in the course of a training (the setting `gradual`)
    dynamic      SET, RigL, SRigL, SNFS: a sparse mask that moves
    cht          the same by the mask's shape alone
    moving       the same of connections, where layers were never dense
    early_bird   dense training until masks drawn in its course stop changing
    learned      supermask, edge-popup: masks of weights that are never trained
    continuous   continuous sparsification: a soft mask, trained with the weights, that hardens

A method of your own is a subclass of `Method`; `METHODS.register`, or an entry point of the group `tinyticket.method`, gives it a
name for the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyticket.errors import InputError
from tinyticket.lottery.methods.cht import CHT, OriginalCHT, SoftCHT
from tinyticket.lottery.methods.continuous import ContinuousSparsification
from tinyticket.lottery.methods.dynamic import (
    SET,
    SNFS,
    LayerwiseSNFS,
    OriginalRigL,
    OriginalSET,
    RigL,
    SampledRigL,
    SRigL,
)
from tinyticket.lottery.methods.early_bird import EarlyBird, OriginalEarlyBird
from tinyticket.lottery.methods.gradual import GradualPruning
from tinyticket.lottery.methods.learned import EdgePopupMethod, SupermaskMethod
from tinyticket.lottery.methods.method import Method, check_own
from tinyticket.lottery.methods.tickets import Tickets
from tinyticket.lottery.registry import Registry

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings

__all__ = ["METHODS", "Method", "check_device", "check_method", "method_of"]

_OWN = (
    *(Tickets(), SET(), OriginalSET(), RigL(), OriginalRigL(), SampledRigL(), SRigL(), SNFS(), LayerwiseSNFS()),
    *(CHT(), SoftCHT(), OriginalCHT()),
    *(EarlyBird(), OriginalEarlyBird(), SupermaskMethod(), EdgePopupMethod(), ContinuousSparsification()),
)
METHODS = Registry(
    "method",
    {method.name: method for method in _OWN},
    lambda method: isinstance(method, Method),
    "an object of a subclass of tinyticket.lottery.methods.Method",
)
GRADUAL = GradualPruning()


def method_of(settings: Settings) -> Method:
    """Return the method of an experiment; raise InputError if there is none of this name."""
    method = METHODS[METHODS.name_of(settings.method)]
    return GRADUAL if settings.gradual and method.name == "tickets" else method


def check_method(settings: Settings) -> None:
    """Raise InputError unless the method is known, and goes together with the other settings."""
    method = method_of(settings)
    check_own(settings, method, METHODS.data)  # not those of packages that nobody has asked for
    method.check(settings)
    if settings.interpolate_norms and method.name not in ("tickets", "gradual"):
        raise InputError(f"interpolate-norms is for tickets, not for the method {method.name}")


def check_device(settings: Settings) -> None:
    """Raise InputError unless everything that the settings ask for runs on the device, where every step is compiled."""
    device = settings.device
    eager = {
        "eager": settings.eager,
        "interpolate-norms": settings.interpolate_norms,
        f"mask-0 {settings.mask_0}": settings.mask_0 != "zero",
        f"method {settings.method}": not method_of(settings).trains_weights,
    }
    if device != "cpu" and settings.scale_penalty:
        raise InputError(
            f"device {device} has no kernel for the penalty of scales: give scale-penalty 0, or train on the CPU"
        )
    if device != "cpu" and (what := next((what for what, asked in eager.items() if asked), None)):
        raise InputError(f"device {device} and {what} exclude each other: that trains through the autograd, on the CPU")
