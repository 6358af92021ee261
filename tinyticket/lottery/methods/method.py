"""What a method is: how the networks of an experiment's rounds are made, after the dense one of round 0."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.controls.ticket import Ticket
from tinyticket.lottery.plan import Plan, make_plan
from tinyticket.lottery.rewinding import changes_reset
from tinyticket.lottery.start import Start
from tinyticket.nn import Module
from tinyticket.results.naming import MOVING, Networks
from tinyticket.store import Run

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings
    from tinyticket.lottery.trial import TrialRun

REST = 0.75
"""Share of the training after which masks rest."""


class Method:
    """A method that finds the mask of a round in one training from theta_0; the densities are those of `one_shot`.

    For a method of your own, subclass it, give it a name, and return from `start` where a round's network starts and how its mask
    changes (`Revision`). `tt.lottery.find(method=MyMethod(), one_shot=...)` runs it.
    """

    name: str  # as the setting `method` names it
    words: Networks = MOVING  # what its networks are called
    defaults: ClassVar[Mapping[str, Any]] = {}  # of settings, where they are other ones than of most experiments
    own: tuple[str, ...] = ()  # settings that it reads and most methods do not
    trains_weights = True  # and not scores of a mask
    starts_sparse = False  # under a random mask, which the control `static` keeps
    has_scores = False  # which say what the control `inverted` keeps
    takes_matrices = False  # as it asks which weights are of one neuron, or how many inputs that has

    def check(self, settings: Settings) -> None:
        """Raise InputError unless the other settings go with this method."""
        self.check_controls(settings)
        if not settings.one_shot or leaves_theta_0(settings) or has_criterion(settings):
            raise InputError(
                f"{self.name} finds its mask in a training that starts at theta_0: give the densities with one-shot, and leave "
                "criterion, ties, gradual, mask-0, rewind, rewind-to and strategy out"
            )

    def check_model(self, settings: Settings, model: Module) -> None:
        """Raise InputError if the method prunes by rows and columns, and a model has layers that were never dense."""
        if self.takes_matrices and any(density < 1 for density in settings.one_shot) and model.structure():
            raise InputError(
                f"the method {self.name} works on whole matrices of weights, which sparse layers (nn.SparseLinear) lack"
            )

    def check_layerwise(self, settings: Settings) -> None:
        """Raise InputError if the density is one of the whole network."""
        if settings.scope == "global":
            raise InputError(f"{self.name} has a density for each layer: leave scope out, or give another than global")

    def check_controls(self, settings: Settings) -> None:
        """Raise InputError if a control makes no sense beside the networks of this method."""
        if "static" in settings.controls and not self.starts_sparse:
            raise InputError(
                "the control static keeps the random mask with which dynamic sparse training starts; with the method "
                f"{self.name} there is none"
            )
        if not self.trains_weights and any(name.startswith("reinit-trained-signs") for name in settings.controls):
            raise InputError(
                f"the control reinit-trained-signs takes signs of trained weights, and {self.name} trains none"
            )
        if not self.trains_weights and any(name.startswith("rewired") for name in settings.controls):
            raise InputError(f"the control rewired draws weights and trains them, and {self.name} trains none")
        if not self.has_scores and any(name.startswith("inverted") for name in settings.controls):
            raise InputError(f"the control inverted keeps the smallest scores of a criterion, and {self.name} has none")

    def networks(self, settings: Settings) -> Networks:
        """Return the words for the networks of an experiment."""
        return self.words

    def check_length(self, settings: Settings, epoch: int) -> None:
        """Raise InputError if a training is too short for this method; an epoch has so many iterations."""

    def plan(self, model: Module, settings: Settings) -> Plan:
        """Return the rounds for a model."""
        return make_plan(model, settings)

    def is_planned(self, settings: Settings) -> bool:
        """Whether the plan's counts are exact, and not what training makes of them."""
        return True

    def start(self, trial: TrialRun, round: int) -> Start:
        """Return where the network of a round starts, and how its mask changes."""
        raise NotImplementedError

    def ticket(self, trial: TrialRun, round: int, start: Start, run: Run) -> Ticket:
        """Return what a round's controls are made from, when its network has been trained."""
        return trial.ticket(round, run.masks, run.trained)

    def trains(self, control: str) -> bool:
        """Whether a control is trained, and not only evaluated as it starts."""
        return True

    def trainings(self, settings: Settings) -> int:
        """Return how many trainings a trial has."""
        trained = sum(self.trains(name) for name in settings.controls)
        return 1 + settings.rounds * (1 + trained + (settings.strategy == "continue"))


def leaves_theta_0(settings: Settings) -> bool:
    """Whether anything but theta_0, with zeros where weights are pruned, is where networks start."""
    return bool(changes_reset(settings) or settings.gradual or settings.mask_0 != "zero")


def has_criterion(settings: Settings) -> bool:
    """Whether a criterion other than magnitude is asked for, or another way with its ties."""
    return settings.criterion != "magnitude" or settings.ties != "index"


def layer_counts(plan: Plan, round: int) -> dict[str, int]:
    """Return how many weights each layer keeps in a round that is pruned layer by layer from the dense network."""
    fractions = plan.fractions[round - 1]
    return {name: size - prune.removed(size, fractions[name]) for name, size in plan.sizes.items()}


def layer_densities(plan: Plan, round: int) -> dict[str, float]:
    """Return the share of each layer's weights that a round keeps."""
    return {name: count / plan.sizes[name] for name, count in layer_counts(plan, round).items()}


def check_own(settings: Settings, method: Method, methods: Mapping[str, Method]) -> None:
    """Raise InputError if a setting is given that only other methods read."""
    for field in dataclasses.fields(settings):
        owners = [name for name, other in methods.items() if field.name in other.own]
        if owners and field.name not in method.own and getattr(settings, field.name) != field.default:
            raise InputError(
                f"{field.name.replace('_', '-')} is a setting of the method {' or '.join(owners)}, not of {method.name}"
            )
