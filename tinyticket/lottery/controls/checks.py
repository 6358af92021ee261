"""Every control is compared with its ticket before it is trained: published shuffles changed nothing, and nobody noticed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyticket.errors import InputError
from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.start import Start


@dataclass(frozen=True)
class Claim:
    """In what a control differs from its ticket, and what of the ticket's weights it keeps all the same."""

    other_mask: bool = False
    other_weights: bool = False
    same_values: bool = False  # in each layer, at other places
    same_signs: bool = False
    trained_signs: bool = False  # those of the weights at the end of the training that the mask came of


def check(name: str, claim: Claim, ticket: Ticket, start: Start) -> dict[str, int]:
    """Return how many places of the masks, and how many of the weights under both, differ from the ticket's.

    InputError says that nothing differs: the control would be the ticket again. That it differs in something else than it claims is
    a bug, an AssertionError.
    """
    changed = {"mask": 0, "weights": 0}
    for layer, mask in ticket.start.masks.items():
        theirs, mine, own = ticket.start.weights[layer], start.weights[layer], start.masks[layer]
        both = mask & own
        changed["mask"] += int(np.count_nonzero(mask != own))
        changed["weights"] += int(np.count_nonzero(mine[both] != theirs[both]))
        _hold(np.count_nonzero(own) == np.count_nonzero(mask), name, layer, "has another number of survivors")
        _hold(not np.any(own & ~ticket.among[layer]), name, layer, "keeps weights that were gone before")
        pruned = mine[~own]
        _hold(not pruned.any() and not np.signbit(pruned).any(), name, layer, "has pruned weights that are not 0")
        _hold(claim.other_mask or np.array_equal(own, mask), name, layer, "has another mask")
        if not claim.other_weights:
            _hold(mine[own].tobytes() == ticket.source[layer][own].tobytes(), name, layer, "has other weights")
        if claim.same_values:
            _hold(np.array_equal(np.sort(mine[own]), np.sort(theirs[mask])), name, layer, "has other values")
        if claim.same_signs:
            same = np.array_equal(np.signbit(mine[own]), np.signbit(theirs[own]))
            _hold(same, name, layer, "has other signs")
    if not ((claim.other_mask and changed["mask"]) or (claim.other_weights and changed["weights"])):
        weights = sum(ticket.start.counts.values())
        raise InputError(
            f"the control {name} came out equal to its ticket ({weights} weights): it would show nothing; "
            "leave it out, or prune another number of weights"
        )
    for layer, own in start.masks.items() if claim.trained_signs else ():
        same = np.array_equal(np.signbit(start.weights[layer][own]), np.signbit(ticket.trained[layer][own]))
        _hold(same, name, layer, "has other signs than the trained weights")
    return changed


def _hold(condition: object, name: str, layer: str, what: str) -> None:
    if not condition:
        raise AssertionError(f"the control {name} {what} in {layer}, which it does not claim")
