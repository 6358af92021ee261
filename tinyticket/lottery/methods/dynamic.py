"""Dynamic sparse training: a sparse network whose mask moves while it trains.

It starts from theta_0 under a random mask, or another graph (`prune.graphs`), whose layers have the densities of an Erdos-Renyi
kernel, and every few iterations drops some weights and grows as many (`prune.dynamic`). The fraction dropped falls along a cosine
from `drop` to nothing at three quarters of the training, where the mask comes to rest (Evci et al. 2020, section 3). SET, RigL and
SNFS run this way, as RigL's authors run them; `set-original` as SET's authors do: once an epoch, a constant fraction, by sign, new
weights drawn as the initial ones were. SRigL gives the neurons of a layer equally many weights, and may ablate some
(`prune.fan_in`). RigL and SRigL spend an iteration on an update, as RigL's paper says; the others update after one.
`rigl-original` is RigL as its authors' code runs it: it rounds down what it drops, and updates at the first iteration and at the
last one of the schedule too.

Where a network has layers that were never dense, SET, SRigL and `rigl-sampled` move their connections (`methods.moving`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State, reset
from tinyticket.lottery.methods.method import REST, Method, layer_densities
from tinyticket.lottery.methods.moving import MOVING_CONNECTIONS, Moves, Regrowth, moves_connections, plan_moves
from tinyticket.lottery.plan import Plan
from tinyticket.lottery.start import Start
from tinyticket.lottery.streams import stream
from tinyticket.nn import Connections, Module, Move
from tinyticket.results.naming import Networks

if TYPE_CHECKING:
    from tinyticket.lottery.settings import Settings
    from tinyticket.lottery.trial import TrialRun

DECAY, WINDOW = 0.9, 30
"""Momentum is summed over so many gradients before an update: what lies further back weighs DECAY**WINDOW, 4%, at most, and a
dense gradient costs more than a sparse step."""

FIRST = ("first_graph", "first_weights")
"""Settings of the network that a training starts with."""


class Updates(Regrowth):
    """The updates of one network's mask, which `move` makes."""

    def __init__(self, move: Callable[..., Masks], *how: Any):
        super().__init__(*how)
        self._move, self._momentum = move, dict[str, np.ndarray]()
        # A window reaches back to the update before, not beyond.
        self.gradients = min(self.gradients, self.iterations[0])

    def see(self, gradients: State) -> None:
        for name, gradient in gradients.items():
            before = self._momentum.get(name)
            self._momentum[name] = gradient if before is None else DECAY * before + gradient

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        # A momentum seen over a window begins anew for each update.
        momentum, self._momentum = {name: self._momentum[name] for name in masks if self._momentum}, {}
        weights = {name: weights[name] for name in masks}
        fraction = self.method.fraction(iteration, self._rest, self._drop)
        moved = self._move(weights, masks, momentum, fraction, self._rng, iteration / self._rest)
        self._grown += sum(int(np.count_nonzero(moved[name] & ~mask)) for name, mask in masks.items())
        return moved

    def fresh(self) -> State | None:
        return self.draw(self._rng) if self.method.draws_weights else None

    def state(self) -> tuple[dict[str, Any], State]:
        return super().state()[0], self._momentum

    def restore(self, values: dict[str, Any], arrays: State) -> None:
        super().restore(values, arrays)
        self._momentum = dict(arrays)


class Dynamic(Method):
    """Moves a sparse mask every `update_every` iterations; `gradients` and `takes_step` are those of `Revision`."""

    defaults: ClassVar = {"scope": "erk", "controls": ("static",)}
    own: tuple[str, ...] = ("update_every", "drop", *FIRST)
    starts_sparse = True
    gradients, takes_step = 0, False
    draws_weights = False  # whether grown weights are drawn as the initial ones were, instead of starting at 0
    moves_masks, moves_masks_of_connections, moves_all_connections = True, True, False  # what it can do

    def move(
        self, weights: State, masks: Masks, momentum: State, fraction: float, rng: np.random.Generator, elapsed: float
    ) -> Masks:
        """Return masks of as many weights, of which a fraction has been dropped and as many grown.

        `elapsed` is the share of the way to where masks rest, from 0 to 1.
        """
        raise NotImplementedError

    def move_connections(
        self, connections: Connections, values: np.ndarray, fraction: float, rng: np.random.Generator, *found: Any
    ) -> Move:
        """Return as many connections of a layer; `found` are candidates and their gradients if `gradients` is not 0."""
        raise NotImplementedError

    def mover(self, settings: Settings, masks: Masks) -> Callable[..., Masks]:
        """Return `move` with what the settings and the first masks say about it."""
        return self.move

    def first(self, trial: TrialRun, densities: dict[str, float], rng: np.random.Generator) -> Masks:
        """Return the masks with which a network starts."""
        shapes = {name: trial.initial[name].shape for name in densities}
        return prune.graph_masks(shapes, densities, trial.settings.first_graph, rng, trial.inputs)

    def fraction(self, iteration: int, rest: int, drop: float) -> float:
        """Return the fraction that an update drops."""
        return prune.drop_fraction(iteration, rest, drop)

    def moments(self, settings: Settings, epoch: int) -> tuple[tuple[int, ...], int]:
        """Return after how many iterations the mask moves, and where it comes to rest."""
        last = int(REST * settings.iterations)
        return tuple(range(settings.update_every, last, settings.update_every)), last

    def check(self, settings: Settings) -> None:
        super().check(settings)
        prune.drop_fraction(0, 1, settings.drop)  # raises InputError for a fraction that is none
        self.check_layerwise(settings)
        if settings.first_weights != "init" and (others := [name for name in settings.controls if name != "static"]):
            raise InputError(
                f"the control {others[0]} starts with weights of another size than a network whose first weights are "
                f"{settings.first_weights}: leave it out"
            )

    def networks(self, settings: Settings) -> Networks:
        return MOVING_CONNECTIONS if moves_connections(settings) else super().networks(settings)

    def plan(self, model: Module, settings: Settings) -> Plan:
        planned = plan_moves(self, model, settings) or super().plan(model, settings)
        if settings.first_graph == "correlated":
            shapes = {name: weight.shape for name, weight in model.prunable().items()}
            pixels = math.prod(next(iter(shapes.values()))[1:])
            for round in range(1, len(planned.densities)):
                for name, density in layer_densities(planned, round).items():
                    if density < 1:
                        prune.check_pixels(shapes[name], pixels)
        return planned

    def check_length(self, settings: Settings, epoch: int) -> None:
        if not self.moments(settings, epoch)[0]:
            raise InputError(
                f"{self.name} would never move its mask in {settings.iterations} iterations: train longer, or move it more often"
            )

    def start(self, trial: TrialRun, round: int) -> Start:
        """Return theta_0 under a mask, one for the static network beside it and for all methods that draw alike.

        Where connections move it is theta_0 itself.
        """
        settings, plan = trial.settings, trial.plan
        when, rest = self.moments(settings, trial.epoch)
        if plan.connected:
            moved = settings.seed, trial.number, self.name, round
            moves = Moves(plan.connected, self, when, rest, settings.drop, stream(*moved))
            return trial.dense_start({"moved": list(moved)}, moves)
        key, first = ((settings.seed, trial.number, purpose, round) for purpose in (self.name, "sparse"))
        masks = self.first(trial, layer_densities(plan, round), stream(*first))
        scaled = settings.first_weights == "scaled"
        weights = prune.scaled_to_fan_in(trial.initial, masks) if scaled else reset(trial.initial, masks)
        mask = {"stream": list(first), "moved": list(key)}
        origin = {"weights": settings.first_weights, "mask": mask, "statistics": "init"}
        revision = Updates(self.mover(settings, masks), self, when, rest, settings.drop, stream(*key))
        return Start(masks, weights, origin, revision=revision)


class SET(Dynamic):
    """Grows at random (Mocanu et al. 2018)."""

    name, moves_all_connections = "set", True

    def move(self, weights, masks, momentum, fraction, rng, elapsed):
        return prune.set_masks(weights, masks, fraction, rng)

    def move_connections(self, connections, values, fraction, rng, *found):
        return prune.set_move(connections, values, fraction, rng)


class OnceAnEpoch(Dynamic):
    """Moves the mask after every epoch but the last, always by the same fraction."""

    own = ("drop", *FIRST)

    def fraction(self, iteration, rest, drop):
        return drop

    def moments(self, settings, epoch):
        return tuple(range(epoch, settings.iterations, epoch)), settings.iterations


class OriginalSET(OnceAnEpoch):
    """Once an epoch to the end, a constant fraction by sign, and new weights are drawn (Mocanu et al. 2018, algorithm 2).

    Those of connections that are new begin at zero, as in the authors' code for CIFAR-10.
    """

    name, draws_weights, moves_all_connections = "set-original", True, True

    def move(self, weights, masks, momentum, fraction, rng, elapsed):
        return prune.set_masks(weights, masks, fraction, rng, by_sign=True)

    def move_connections(self, connections, values, fraction, rng, *found):
        return prune.set_move(connections, values, fraction, rng, by_sign=True)


class RigL(Dynamic):
    """Grows where the gradient of a batch is largest (Evci et al. 2020, algorithm 1)."""

    name, gradients, takes_step = "rigl", 1, True

    def move(self, weights, masks, momentum, fraction, rng, elapsed):
        return prune.rigl_masks(weights, masks, momentum, fraction)


class OriginalRigL(RigL):
    """Updates from the first iteration to T_end inclusive, and rounds down what it drops (the code of Evci et al. 2020)."""

    name = "rigl-original"

    def move(self, weights, masks, momentum, fraction, rng, elapsed):
        if not fraction:  # at T_end: the iteration is spent all the same
            return masks
        return prune.rigl_masks(weights, masks, momentum, fraction, round_down=True)

    def moments(self, settings, epoch):
        last = int(REST * settings.iterations)
        return tuple(sorted({1, *range(settings.update_every, last + 1, settings.update_every)})), last


class SampledRigL(Dynamic):
    """Grows where the gradient of a batch is largest among candidates that are drawn: RigL of layers that were never dense."""

    name, gradients, takes_step = "rigl-sampled", 1, True
    moves_masks, moves_all_connections = False, True

    def move_connections(self, connections, values, fraction, rng, *found):
        return prune.rigl_move(connections, values, fraction, *found)


class SNFS(Dynamic):
    """Grows where the momentum of the gradient is largest, and moves weights between layers (Dettmers and Zettlemoyer 2019)."""

    name, gradients, redistribute = "snfs", WINDOW, True

    def move(self, weights, masks, momentum, fraction, rng, elapsed):
        return prune.snfs_masks(weights, masks, momentum, fraction, redistribute=self.redistribute)


class LayerwiseSNFS(SNFS):
    """SNFS in which each layer grows as many as it dropped."""

    name, redistribute = "snfs-grow", False


class SRigL(RigL):
    """RigL in which the neurons of a layer have equally many weights, or none (Lasby et al. 2024, section 3)."""

    name, own = "srigl", ("update_every", "drop", "salient")
    moves_masks_of_connections, moves_all_connections = False, True

    def move(self, weights, masks, momentum, fraction, rng, elapsed, salient=0.3, budget=None):
        return prune.srigl_masks(weights, masks, momentum, fraction, salient, budget)

    def move_connections(self, connections, values, fraction, rng, *found):
        return prune.srigl_move(connections, values, fraction, *found)

    def mover(self, settings, masks):
        budget = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
        return functools.partial(self.move, salient=settings.salient, budget=budget)

    def first(self, trial, densities, rng):
        shapes = {name: trial.initial[name].shape for name in densities}
        return prune.constant_fan_in_masks(shapes, densities, rng)

    def plan(self, model: Module, settings: Settings) -> Plan:
        """Return the rounds for a model, whose layers keep a whole number of weights for each neuron."""
        planned = super().plan(model, settings)
        if planned.connected:
            return planned
        shapes = {name: weight.shape for name, weight in model.prunable().items()}
        fractions = []
        for by_layer in planned.fractions:
            sizes = {name: math.prod(shape[1:]) for name, shape in shapes.items()}
            fractions.append({name: 1 - prune.fan_in(size, 1 - by_layer[name]) / size for name, size in sizes.items()})
        return Plan(planned.sizes, fractions, prune.plan_rounds(planned.sizes, fractions, "layer", iterative=False))

    def is_planned(self, settings: Settings) -> bool:
        """Whether no neuron is ablated, so that remainders leave nothing out."""
        return not settings.salient
