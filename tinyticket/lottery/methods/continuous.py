"""Continuous sparsification: weights and the scores of their mask are trained together (Savarese, Silva and Maire 2020).

One round finds its density (`nn.sources.continuous`): from theta_0, weights and scores are trained by the experiment's optimizer,
both at its learning rate, as in the authors' code, while the soft mask hardens. What is left is a network pruned while it trained;
the ticket, theta_0 under its mask, is the control `rewound`. The authors go on for several rounds, in which scores
go on too.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tinyticket.errors import InputError
from tinyticket.lottery.methods.learned import OneRound
from tinyticket.lottery.methods.method import Method
from tinyticket.nn.sources import Continuous
from tinyticket.results import naming


class ContinuousSparsification(OneRound):
    """Weights are trained with a soft mask that hardens (algorithm 2); controls are trained, as beside pruned networks."""

    name, words, has_scores, trained = "continuous", naming.CONTINUOUS, False, "weights and scores"
    defaults: ClassVar = {"rounds": 1, "prune": {}, "controls": ("rewound", "random")}
    own = ("score_start", "score_penalty")
    ticket, trains = Method.ticket, Method.trains  # as of networks whose weights are trained

    def check(self, settings):
        super().check(settings)
        if settings.weight_decay:
            raise InputError(
                f"{self.name} has a penalty of its own, and weight decay would pull scores to 0: leave it out"
            )

    def score_settings(self, settings):
        return settings

    def sources(self, how, weights, settings):
        start, penalty = settings.score_start, settings.score_penalty
        return {name: Continuous(weight, settings.iterations, start, penalty) for name, weight in weights.items()}

    def start(self, trial, round):
        start = super().start(trial, round)
        # Its mask is that of the scores of the moment: the network that is reported is the last one.
        return dataclasses.replace(start, origin={**start.origin, "drawn": trial.settings.iterations})
