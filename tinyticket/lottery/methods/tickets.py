"""The paper's method: a network is trained, pruned and reset, once or again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyticket.errors import InputError
from tinyticket.lottery.methods.method import Method
from tinyticket.results import naming
from tinyticket.results.naming import Networks

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings


class Tickets(Method):
    """Masks are made between trainings; what survives goes back to where `rewind` says."""

    name, words, has_scores = "tickets", naming.TICKETS, True

    def check(self, settings: Settings) -> None:
        self.check_controls(settings)
        if settings.masks_from != "none" and any(name.startswith("inverted") for name in settings.controls):
            raise InputError(
                "the control inverted needs the scores that chose a mask; with masks from a file there are none"
            )
        if "rewound" in settings.controls:
            raise InputError(
                "the control rewound trains theta_0 under the mask found; that is what a ticket is already"
            )

    def networks(self, settings: Settings) -> Networks:
        return naming.TICKETS if settings.rewind == "weights" else naming.STAYING
