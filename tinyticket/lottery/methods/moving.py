"""Networks of layers that were never dense: their connections move while they train, and stay as many (`prune.moving`).

With `--one-shot 1` a network keeps all its weights, and the methods that can do it, SET, RigL among sampled candidates and SRigL,
move connections, when and by as much as they move masks elsewhere. Their dense layers keep all weights. What stands in the place of
the dense network, in round 0, is the same network with connections at rest, as in the control `static`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.algorithm import Masks, State
from tinyticket.lottery.plan import Plan, prunable_sizes
from tinyticket.lottery.revision import Revision
from tinyticket.nn import Connections, Module, Move, sparse_layers
from tinyticket.results.naming import Networks

if TYPE_CHECKING:
    from tinyticket.lottery.methods.dynamic import Dynamic
    from tinyticket.lottery.settings import Settings

CANDIDATES = 2
"""Candidates drawn at each output for a connection that it has in the mean."""

OF_MASKS = ("salient", "first_graph", "first_weights")
"""Settings of masks that move."""

MOVING_CONNECTIONS = Networks(
    "sparse network, moving connections", "winning network", "whose connections moved while it trained"
)


class Regrowth(Revision):
    """Changes of a network that is sparse from the start: of what it has, a fraction goes, and as much comes.

    `drop` is the first fraction, which has fallen to nothing at the iteration `rest`.
    """

    def __init__(self, method: Dynamic, iterations: tuple[int, ...], rest: int, drop: float, rng: np.random.Generator):
        self.method, self.iterations, self._rest, self._drop, self._rng = method, iterations, rest, drop, rng
        self.gradients, self.takes_step, self._grown = method.gradients, method.takes_step, 0

    @property
    def settled(self) -> int:
        """Iteration 0: the network has its density from the start."""
        return 0

    def record(self) -> dict[str, Any]:
        return {"updates": len(self.iterations), "grown": self._grown}

    def state(self) -> tuple[dict[str, Any], State]:
        return {"grown": self._grown, "generator": self._rng.bit_generator.state}, {}

    def restore(self, values: dict[str, Any], arrays: State) -> None:
        self._rng.bit_generator.state = values["generator"]
        self._grown = int(values["grown"])


class Moves(Regrowth):
    """The moves of one network's connections, of those layers whose weights have these names."""

    def __init__(self, layers: tuple[str, ...], *how: Any):
        super().__init__(*how)
        self._layers = layers
        self._candidates, self._gradients = dict[str, Connections](), dict[str, np.ndarray]()

    def candidates(self, connections: Mapping[str, Connections]) -> Mapping[str, Connections]:
        self._candidates = {}
        for name in self._layers:
            count = math.ceil(CANDIDATES * connections[name].count / connections[name].shape[0])
            self._candidates[name] = prune.candidates(connections[name], count, self._rng)
        return self._candidates

    def see(self, gradients: State) -> None:
        self._gradients = {name: gradients[name] for name in self._layers}

    def __call__(self, iteration: int, weights: State, masks: Masks) -> Masks:
        return masks

    def moves(self, iteration: int, weights: State, connections: Mapping[str, Connections]) -> Mapping[str, Move]:
        fraction, found = self.method.fraction(iteration, self._rest, self._drop), {}
        for name in self._layers:
            given = (self._candidates[name], self._gradients[name]) if self.gradients else ()
            found[name] = self.method.move_connections(connections[name], weights[name], fraction, self._rng, *given)
        self._grown += sum(move.grown for move in found.values())
        self._candidates, self._gradients = {}, {}
        return found


def moves_connections(settings: Settings) -> bool:
    """Whether a network keeps all its weights, so that its connections are what moves."""
    return settings.one_shot == (1.0,)


def plan_moves(method: Dynamic, model: Module, settings: Settings) -> Plan | None:
    """Return the rounds for a model whose connections move, None for one whose masks move; InputError for one of neither."""
    layers = tuple(sparse_layers(model))
    if not (layers and moves_connections(settings)):
        if not method.moves_masks or (layers and not method.moves_masks_of_connections):
            raise InputError(
                f"{method.name} moves the connections of layers that were never dense (nn.SparseLinear, sparse-mlp-...), and of "
                "such networks keeps all weights: give one-shot 1"
            )
        return None
    if not method.moves_all_connections:
        raise InputError(
            f"{method.name} moves masks, of densities below 1; connections of layers that were never dense move with the methods "
            "set, set-original, rigl-sampled and srigl"
        )
    if settings.scope != "erk" or any(getattr(settings, name) != getattr(type(settings), name) for name in OF_MASKS):
        raise InputError(
            f"{method.name} keeps all connections, so that no layer gets another density, graph or weights, and no neuron is "
            f"ablated: leave scope, {', '.join(name.replace('_', '-') for name in OF_MASKS)} out"
        )
    if others := [name for name in settings.controls if name != "static"]:
        raise InputError(
            f"the control {others[0]} wants weights of theta_0 that connections which have grown do not have: leave it out"
        )
    sizes = prunable_sizes(model)
    return Plan(sizes, [dict.fromkeys(sizes, 0.0)], [sum(sizes.values())] * 2, connected=layers)
