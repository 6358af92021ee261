"""Trains the scores of a mask, instead of weights or with them."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np

from tinyticket.compiler import EagerStep
from tinyticket.errors import DivergenceError
from tinyticket.lottery.methods.learned import Untrained
from tinyticket.lottery.step import make_optimizer
from tinyticket.lottery.training import Trainer
from tinyticket.nn import Parameter
from tinyticket.nn.sources import Sourced
from tinyticket.optim import SGD
from tinyticket.store import Run


class MaskTrainer(Trainer):
    """Learns a mask of the weights once, in a copy of the network of the experiment's trainer."""

    def __init__(self, trainer: Trainer, how: Untrained, weights: dict[str, np.ndarray]):
        self.model, self.examples = copy.deepcopy(trainer.model), trainer.examples
        self.settings = how.method.score_settings(trainer.settings)
        for parameter in self.model.parameters():
            parameter.mask, parameter.requires_grad = None, how.method.trained != "scores"
        prunable = self.model.prunable()
        for name, weight in prunable.items():
            weight.data = weights[name].copy()
        self.sources = how.method.sources(how, prunable, self.settings)
        scores: list[Parameter] = [source.scores for source in self.sources.values()]
        network, reason = Sourced(self.model, self.sources), "its mask is learned"
        if how.method.trained == "scores":
            self.optimizer = SGD(scores, self.settings.lr, 0.9, self.settings.weight_decay)
        else:
            self.optimizer = make_optimizer(network, self.settings)
        self.step = EagerStep(network, self.optimizer, reason=reason, loss=trainer.step.loss)

    def train(self, *arguments: Any, **options: Any) -> Run:
        """Learn the mask and return it, with the weights that it leaves and the scores; arguments as of `Trainer.train`."""
        run = super().train(*arguments, **options)
        for name, source in self.sources.items():
            if not np.isfinite(source.scores.data).all():
                raise DivergenceError(
                    f"the scores of {name} are no numbers any more; try a learning rate below {self.settings.lr:g}"
                )
        self.step.model.eval()  # the mask of evaluation, by which the last row of the history was made
        return dataclasses.replace(
            run,
            masks={name: source.mask() for name, source in self.sources.items()},
            trained=run.trained | {name: source().data for name, source in self.sources.items()},
            scores={name: source.scores.data.copy() for name, source in self.sources.items()},
            final_mask=run.origin.get("drawn", 0),
        )
