"""Which experiments can be trained on a device: those whose every step is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyticket.errors import InputError
from tinyticket.lottery.methods import method_of

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings


def check_device_settings(settings: Settings) -> None:
    """Raise InputError unless everything that the settings ask for runs on the device."""
    device = settings.device
    eager = {
        "eager": settings.eager,
        f"mask-0 {settings.mask_0}": settings.mask_0 != "zero",
        f"method {settings.method}": not method_of(settings).trains_weights,
    }
    if device != "cpu" and settings.scale_penalty:
        raise InputError(
            f"device {device} has no kernel for the penalty of scales: give scale-penalty 0, or train on the CPU"
        )
    if device != "cpu" and (what := next((what for what, asked in eager.items() if asked), None)):
        raise InputError(f"device {device} and {what} exclude each other: that trains through the autograd, on the CPU")
