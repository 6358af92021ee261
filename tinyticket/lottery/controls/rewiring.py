"""Other connections for sparse layers, to tell whether it matters which units a ticket's graph connects.

Under the control `random` another set of the connections that the layers began with survives; here survivors may be any: a random
graph in which every input and every output keeps as many as the ticket's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.lottery.algorithm import reset
from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.start import Start
from tinyticket.nn import sparse_layers, structure_names


def rewired(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Rewire the survivors of every sparse layer, and draw new initial weights for all layers."""
    network, masks, weights = ticket.network(), dict(ticket.start.masks), ticket.start.weights
    for parameter in network.parameters():
        parameter.mask = None
    for name, layer in sparse_layers(network).items():
        layer.starts.data, layer.columns.data = (weights[places] for places in structure_names(name))
        layer.connections, masks[name] = layer.connections.rewired_under(masks[name], rng)
    network.reset_parameters(rng)
    origins = {"weights": origin, "mask": origin, "statistics": origin}
    return Start(masks, reset(network.state_dict(), masks), origins)
