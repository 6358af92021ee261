"""New weights under the ticket's mask, to tell its structure from the luck of the draw.

They have no training behind them. So after a late rewinding, too, they start at iteration 0 with a new optimizer and get the
whole training, of which the ticket has had a part before its iteration K.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyticket.lottery.algorithm import State, reset
from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.start import Start


def reinit(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Draw new initial weights (Frankle and Carbin 2019)."""
    return _under_the_mask(ticket, ticket.draw(rng), origin)


def reinit_signed(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Draw new initial weights and give each the sign of the ticket's (Zhou et al. 2019)."""
    return _under_the_mask(ticket, _with_signs(ticket.draw(rng), ticket.source, ticket), origin)


def reinit_trained_signs(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Draw new initial weights and give each the sign of the trained weight for which the mask kept it.

    theta = m * sign(theta_trained) * |theta_new| (Oh, Baik and Lee 2025, arXiv 2504.05357, whose signs are those of the ticket once
    it is trained in turn). Biases and normalisation are as newly drawn: the paper's mask with signs. Its training (AWS),
    which makes normalisation dispensable, is the setting `interpolate_norms`.
    """
    return _under_the_mask(ticket, _with_signs(ticket.draw(rng), ticket.trained, ticket), origin)


def constant_signed(ticket: Ticket, rng: np.random.Generator, origin: dict[str, Any]) -> Start:
    """Give every weight the standard deviation of its layer's theta_0, with the ticket's sign (Zhou et al. 2019).

    The biases are those of theta_0: nothing is drawn.
    """
    constants = {name: np.copysign(ticket.initial[name].std(), ticket.source[name]) for name in ticket.start.masks}
    return _under_the_mask(ticket, {**ticket.initial, **constants}, "constant", "init")


def _with_signs(weights: State, signs: State, ticket: Ticket) -> State:
    return {**weights, **{name: np.copysign(weights[name], signs[name]) for name in ticket.start.masks}}


def _under_the_mask(ticket: Ticket, weights: State, origin: Any, statistics: Any = None) -> Start:
    masks = ticket.start.masks
    return Start(
        masks, reset(weights, masks), {"weights": origin, "mask": "ticket", "statistics": statistics or origin}
    )
