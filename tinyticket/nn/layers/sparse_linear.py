"""The fully-connected layer that was never dense: weights of some connections, and nothing for the others."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.errors import InputError
from tinyticket.nn import functional
from tinyticket.nn.connections import Connections
from tinyticket.nn.init import by_fans, check_init, zeros
from tinyticket.nn.module import Module, Prunable
from tinyticket.nn.parameter import Parameter, Structure


class SparseLinear(Prunable):
    """y = x W^T + b, where W has a weight for each of some connections; memory and time are those of the connections.

    Parameters
    ----------
    in_features, out_features : int
    connections
        Which there are: a share of all pairs, above 0 and at most 1, or a number of them (int), drawn at random; `Connections`; a
        scipy.sparse matrix or a bool array, both of shape (out_features, in_features).
    bias : bool
        Whether there is a b; it starts at zero.
    rng : Generator, int or None
        Where random connections, and then the initial weights, come from.
    init : str
        Name of the distribution of initial weights, a function of `nn.init`.
    fans : str
        Which fans it is given: "connections", how many connections the two ends of each have, or "layer", how many they would have
        in a dense layer, as implementations draw that train dense arrays under a mask.
    input_names, output_names : sequence of str, optional
        What inputs and outputs are called, if `connections` do not say it.

    Attributes
    ----------
    weight : Parameter, shape (connections,)
        Output by output. A mask of it prunes connections, as it prunes weights of a dense layer.
    bias : Parameter, shape (out_features,), or None
    starts, columns : Structure
        The connections as in a compressed sparse row matrix: with `weight`, `state_dict` is that matrix.
    """

    group = "fc"
    _candidates: tuple[Connections, Tensor] | None = None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        connections: Any,
        bias: bool = True,
        rng: Any = None,
        init: str = "glorot_normal",
        fans: str = "connections",
        input_names: Any = None,
        output_names: Any = None,
    ):
        in_features, out_features = operator.index(in_features), operator.index(out_features)
        check_init(init)
        if fans not in ("connections", "layer"):
            raise InputError(f'fans are those of "connections" or of a dense "layer", not {fans!r}')
        rng = np.random.default_rng(rng)
        found = _connections(connections, in_features, out_features, rng)
        if found.shape != (out_features, in_features):
            raise InputError(
                f"the connections are of {found.shape[1]} inputs with {found.shape[0]} outputs, but the layer has "
                f"{in_features} and {out_features}"
            )
        if input_names is not None or output_names is not None:
            found = Connections(found.shape, found.starts, found.columns, input_names, output_names)
        self.in_features, self.out_features, self.init, self.fans = in_features, out_features, init, fans
        self.weight = Parameter(np.zeros(found.count, np.float32))
        self.bias = Parameter(zeros((out_features,))) if bias else None
        self.starts, self.columns, self._connections = Structure(found.starts), Structure(found.columns), found
        self.reset_parameters(rng)

    @property
    def connections(self) -> Connections:
        """Which connections there are. Others take their place as an array of as many columns, and one of starts."""
        known = self._connections
        if self.starts.data is not known.starts or self.columns.data is not known.columns:
            names = known.input_names, known.output_names
            known = self._connections = Connections(known.shape, self.starts.data, self.columns.data, *names)
            self.starts.set_only(known.starts)  # the same numbers
            self.columns.set_only(known.columns)
        return known

    @connections.setter
    def connections(self, connections: Connections) -> None:
        if connections.shape != self._connections.shape or connections.count != self.weight.size:
            raise InputError(f"{connections} cannot take the place of {self._connections}")
        self.weight.fetch()
        self.set_connections_only(connections)

    def set_connections_only(self, connections: Connections) -> None:
        """Record connections to which the compiled step that holds the weights has already moved them."""
        self.starts.set_only(connections.starts)
        self.columns.set_only(connections.columns)
        self._connections = connections

    def forward(self, x):
        """Map (..., in_features) to (..., out_features)."""
        y = functional.sparse_linear(x, self.weight, self.connections, self.bias)
        if self._candidates is not None:
            connections, weight = self._candidates
            y = y + functional.sparse_linear(x, weight, connections)
        return y

    @contextmanager
    def with_candidates(self, candidates: Connections) -> Iterator[Tensor]:
        """Have further connections with weights of 0 for a while; yield these weights, of which `backward` leaves the gradient."""
        weight = Tensor(np.zeros(candidates.count, self.weight.dtype), requires_grad=True)
        self._candidates = candidates, weight
        try:
            yield weight
        finally:
            self._candidates = None

    def reset_parameters(self, rng: Any) -> None:
        """Draw the weights anew, for the connections that there are; the bias starts at zero."""
        fan_in, fan_out = self.connections.fans()
        if self.fans == "layer":
            fan_in, fan_out = np.full_like(fan_in, self.in_features), np.full_like(fan_out, self.out_features)
        self.weight.data = by_fans(self.init, fan_in, fan_out, rng)
        if self.bias is not None:
            self.bias.data = zeros(self.bias.shape)

    def matrix(self) -> Any:
        """Return the weights as a scipy.sparse.csr_array (out_features, in_features); pruned ones stand in it as zeros."""
        return self.connections.matrix(self.weight.data.copy())

    def settings(self):
        """Return the constructor's arguments, with the number of connections in their place."""
        names = {"input_names": self._connections.input_names, "output_names": self._connections.output_names}
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "connections": self.weight.size,
            "bias": self.bias is not None,
            "init": self.init,
            **({} if self.fans == "connections" else {"fans": self.fans}),
            **{name: list(called) for name, called in names.items() if called},
        }


def structure_names(weight: str) -> tuple[str, str]:
    """Return what starts and columns are called in a state, given the name of the weight."""
    prefix = weight.removesuffix("weight")
    return f"{prefix}starts", f"{prefix}columns"


def sparse_layers(model: Module) -> dict[str, SparseLinear]:
    """Return the layers of a model that have some connections alone, by the names of their weights."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(each.weight)]: each for _, each in model.named_modules() if isinstance(each, SparseLinear)}


def _connections(given: Any, inputs: int, outputs: int, rng: np.random.Generator) -> Connections:
    """Return the connections that a layer was asked to have."""
    if isinstance(given, Connections):
        return given
    if hasattr(given, "tocsr"):
        return Connections.from_matrix(given)
    if isinstance(given, np.ndarray) and given.ndim:
        return Connections.from_mask(given)
    if isinstance(given, int | float | np.number) and not isinstance(given, bool):
        return Connections.random(inputs, outputs, given, rng)
    raise InputError(
        f"connections are a density, a number, Connections, a sparse matrix or a bool array, not {given!r:.60}"
    )
