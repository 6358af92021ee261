"""Every control is compared with its ticket before it is trained: published shuffles changed nothing, and nobody noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyticket.errors import InputError
from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.start import Start
from tinyticket.nn import structure_names
from tinyticket.nn.connections import LARGEST, Connections


@dataclass(frozen=True)
class Claim:
    """In what a control differs from its ticket, and what of the ticket's weights it keeps all the same."""

    other_mask: bool = False
    other_weights: bool = False
    same_values: bool = False  # in each layer, at other places
    same_signs: bool = False
    other_connections: bool = False  # of sparse layers, as many at every input and output
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
        mine_at, theirs_at = (graph_of(layer, state) for state in (start.weights, ticket.start.weights))
        changed["mask"] += differing(own, mine_at, mask, theirs_at)
        changed["weights"] += int(np.count_nonzero(mine[both] != theirs[both]))
        _hold(np.count_nonzero(own) == np.count_nonzero(mask), name, layer, "has another number of survivors")
        if mine_at is None or theirs_at is None or all(map(np.array_equal, mine_at, theirs_at)):
            _hold(not np.any(own & ~ticket.among[layer]), name, layer, "keeps weights that were gone before")
        else:
            _hold(claim.other_connections, name, layer, "is of other connections")
            same = all(map(np.array_equal, _degrees(own, mine_at), _degrees(mask, theirs_at)))
            _hold(same, name, layer, "has another number of survivors at an input or output")
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


Graph = tuple[np.ndarray, np.ndarray]
"""Starts and columns of connections."""


def graph_of(weight: str, state: Mapping[str, np.ndarray]) -> Graph | None:
    """Return the connections that a layer's weight is of in a state; None of a dense layer."""
    starts, columns = structure_names(weight)
    return (state[starts], state[columns]) if starts in state else None


def differing(mask: np.ndarray, graph: Graph | None, other: np.ndarray, other_graph: Graph | None) -> int:
    """Return at how many places, or with which of their connections, two masks differ."""
    if graph is None or other_graph is None or all(map(np.array_equal, graph, other_graph)):
        return int(np.count_nonzero(mask != other))
    both = np.intersect1d(_pairs(mask, graph), _pairs(other, other_graph), assume_unique=True).size
    return int(np.count_nonzero(mask) + np.count_nonzero(other)) - 2 * both


def _pairs(mask: np.ndarray, graph: Graph) -> np.ndarray:
    """Return a number for each connection that a mask keeps: its output times 2^32, plus its input; InputError if it is none."""
    connections = Connections((graph[0].size - 1, LARGEST), *graph)  # which a file may say are where none can be
    return (connections.rows()[mask].astype(np.int64) << 32) + connections.columns[mask]


def _degrees(mask: np.ndarray, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Return how many connections a mask keeps at each output, and at each input up to the last that has one."""
    outputs, inputs = np.divmod(_pairs(mask, graph), 1 << 32)
    return np.bincount(outputs), np.bincount(inputs)


def _hold(condition: object, name: str, layer: str, what: str) -> None:
    if not condition:
        raise AssertionError(f"the control {name} {what} in {layer}, which it does not claim")
