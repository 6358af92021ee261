"""What the networks of an experiment are, in words: not everything that has a mask is a lottery ticket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Networks:
    """The words for the networks of a result, those after the dense one."""

    label: str  # in pictures
    sought: str  # what one of them is that passes its tests, such as "winning ticket"
    how: str = ""  # in what it is not a ticket, such as "whose weights were not rewound"; empty for tickets
    timed: bool = True  # whether its iterations compare with the dense network's; if not, accuracy alone decides
    trained: bool = True  # whether weights were trained at all

    @property
    def wins(self) -> str:
        """Say what it does at a density: "winning" or, where iterations do not count, "matching"."""
        return self.sought.partition(" ")[0]

    def found(self, negated: bool = False) -> str:
        """Say it of one: "winning ticket", or "no matching network whose weights were not rewound"."""
        words = f"{self.sought}, {self.how}" if self.how else self.sought
        return f"no {words}" if negated else f"{words}," if self.how else words


@dataclass(frozen=True)
class Metric:
    """The words for what evaluations report beside the loss, in the columns of accuracies."""

    name: str  # as files have it
    title: str
    unit: str  # of differences, a hundredth


ACCURACY, R2 = Metric("accuracy", "accuracy", "points"), Metric("r2", "R2", "points of R2")

TICKETS = Networks("winning ticket", "winning ticket")
STAYING = Networks("pruned network, not rewound", "matching network", "whose weights were not rewound", timed=False)
UNTOUCHED = Networks(
    "untrained weights, learned mask", "matching network", "whose weights were never trained", False, False
)
MOVING = Networks("sparse network, moving mask", "winning network", "whose mask moved while it trained")
GRADUAL = Networks("pruned while training", "winning network", "which was pruned while it trained")
CONTINUOUS = Networks(
    "sparsified while training", "matching network", "which was sparsified while it trained", timed=False
)
EARLY_BIRD = Networks("early bird", "winning network", "which was dense until it was drawn")


METHODS = {
    **dict.fromkeys(("supermask", "edge-popup"), UNTOUCHED),
    **dict.fromkeys(
        ("set", "set-original", "rigl", "rigl-original", "rigl-sampled", "srigl", "snfs", "snfs-grow"), MOVING
    ),
    **dict.fromkeys(("cht", "cht-soft", "cht-original"), MOVING),
    "continuous": CONTINUOUS,
    **dict.fromkeys(("early-bird", "early-bird-original"), EARLY_BIRD),
}


def metric_of(config: Mapping[str, Any]) -> Metric:
    """Return the words for the metric of an experiment: accuracy, or of targets that are numbers R2."""
    return R2 if config.get("loss") == "mse" else ACCURACY


def kind_of(control: str) -> str:
    """Return the kind of a control: "reinit" for "reinit-2", the second of its kind, but "noise-2" for "noise-2"."""
    return re.sub(r"(?<!^noise)-([2-9]|[1-9]\d+)$", "", control)


def compared_as(networks: Networks, network: str) -> str:
    """Say what is compared of a result, if that is not what its name says: no tickets, or controls that were not trained."""
    if network != "ticket":
        return "weights never trained" if not networks.trained and network != "rewound" else ""
    return networks.label if networks != TICKETS else ""


def networks_of(config: Mapping[str, Any]) -> Networks:
    """Return the words for the networks of a file that does not hold them, as the first ones do not."""
    method = config.get("method", "tickets")
    if method in METHODS:
        return METHODS[method]
    if config.get("gradual"):
        return GRADUAL
    return TICKETS if config.get("rewind", "weights") == "weights" else STAYING
