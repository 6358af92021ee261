"""Which inputs of a layer are connected with which outputs: what a sparse layer has in the place of a dense weight's shape."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinyticket.errors import InputError
from tinyticket.kernels.csr import check_rows
from tinyticket.kernels.read_only import kept
from tinyticket.nn import positions as places

Names = Sequence[str] | None

LARGEST = 2**31 - 1
"""Inputs, outputs, and connections that a layer may have: SciPy's matrices count that far in 32 bits."""


class Connections:
    """Connections between inputs and outputs, output by output (compressed sparse rows); they never change.

    Parameters
    ----------
    shape : (int, int)
        Outputs and inputs, as of a dense layer's weight.
    starts : array of int64, shape (outputs + 1,)
        The connections to output i are those from starts[i] to before starts[i + 1].
    columns : array of int32, shape (connections,)
        The input of each connection, ascending for each output.
    input_names, output_names : sequence of str, optional
        What inputs and outputs are called.

    Raises
    ------
    InputError
        If these are no connections, or one is there twice.
    """

    def __init__(
        self, shape: tuple[int, int], starts: Any, columns: Any, input_names: Names = None, output_names: Names = None
    ):
        self.shape = outputs, inputs = _sizes(shape)
        self.starts, self.columns = _frozen(starts, np.int64), _frozen(columns, np.int32)
        if self.columns.size > LARGEST:
            raise InputError(f"a layer has up to {LARGEST} connections, not {self.columns.size}")
        check_rows(
            self.starts, self.columns, (outputs, inputs), "the graph, whose rows are outputs and whose columns inputs,"
        )
        self.input_names, self.output_names = _names(input_names, inputs), _names(output_names, outputs)

    # -- how they are made

    @classmethod
    def random(cls, inputs: int, outputs: int, density: float | np.number, rng: Any = None) -> Connections:
        """Draw connections at random, every set of so many with equal probability (Erdos and Renyi's G(n, m)).

        Parameters
        ----------
        inputs, outputs : int
        density : float or int
            Share of all pairs that are connected, above 0 and at most 1; or, as an int, the number of connections.
        rng : Generator, int or None
        """
        outputs, inputs = _sizes((outputs, inputs))
        total = outputs * inputs
        count = _count(density, total)
        positions = places.draw(total, count, np.random.default_rng(rng))
        return cls.at((outputs, inputs), positions)

    @classmethod
    def constant_fan_in(cls, inputs: int, outputs: int, fan_in: int, rng: Any = None) -> Connections:
        """Draw connections of which each output has `fan_in`, every such set with equal probability."""
        (outputs, inputs), rng = _sizes((outputs, inputs)), np.random.default_rng(rng)
        if not _is_whole(fan_in) or not 1 <= fan_in <= inputs:
            raise InputError(f"an output has 1 to {inputs} of {inputs} inputs, not {fan_in!r:.60}")
        drawn = min(fan_in, inputs - fan_in)  # or those that it does not have
        columns = np.sort(rng.integers(0, inputs, (outputs, drawn), np.int32), axis=1)
        while (twice := columns[:, 1:] == columns[:, :-1]).any():
            rows, drawn_again = np.nonzero(twice)
            columns[rows, drawn_again] = rng.integers(0, inputs, rows.size, np.int32)
            columns[rows] = np.sort(columns[rows], axis=1)
        if drawn < fan_in:
            kept = np.ones((outputs, inputs), bool)
            np.put_along_axis(kept, columns.astype(np.intp), False, axis=1)
            columns = np.nonzero(kept)[1]
        return cls((outputs, inputs), np.arange(outputs + 1, dtype=np.int64) * fan_in, columns.reshape(-1))

    @classmethod
    def from_matrix(cls, matrix: Any, input_names: Names = None, output_names: Names = None) -> Connections:
        """Take the places that are stored in a scipy.sparse matrix (outputs, inputs); its numbers do not matter."""
        if not hasattr(matrix, "tocsr") or getattr(matrix, "ndim", 2) != 2:
            raise InputError(f"connections are a sparse matrix (outputs, inputs) of scipy, not {matrix!r:.60}")
        given = matrix.tocsr()
        rows = type(given)((np.ones(given.nnz, np.int8), given.indices.copy(), given.indptr.copy()), shape=given.shape)
        rows.sum_duplicates()  # places that stand twice are one
        return cls(rows.shape, rows.indptr, rows.indices, input_names, output_names)

    @classmethod
    def from_mask(cls, mask: Any, input_names: Names = None, output_names: Names = None) -> Connections:
        """Take the places where a bool array of shape (outputs, inputs) is true."""
        mask = np.asarray(mask)
        if mask.ndim != 2 or mask.dtype != bool:
            raise InputError(f"a mask is a bool array (outputs, inputs), not {mask.dtype} of shape {mask.shape}")
        starts = np.concatenate(([0], np.cumsum(mask.sum(1))))
        return cls(mask.shape, starts, np.nonzero(mask)[1], input_names, output_names)

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[tuple[Any, Any]],
        shape: tuple[int, int] | None = None,
        input_names: Names = None,
        output_names: Names = None,
    ) -> Connections:
        """Take pairs (input, output) of numbers, or of names, which are then kept in the order of their first appearance.

        Parameters
        ----------
        edges : iterable of pairs
            A pair that comes twice counts once.
        shape : (int, int), optional
            Outputs and inputs; as many as there are numbers or names if not given.
        input_names, output_names : sequence of str, optional
            What inputs and outputs are called, in their order; names of edges are among them.
        """
        pairs = edges if isinstance(edges, np.ndarray) else list(edges)
        try:
            ends, names = np.asarray(pairs), [input_names, output_names]
        except ValueError:  # of pairs of which some are longer
            ends = np.zeros(0)
        if ends.ndim != 2 or ends.shape[1] != 2 or not ends.size or ends.dtype.kind not in "iuUSO":
            raise InputError("edges are pairs (input, output) of whole numbers or of names, at least one")
        if ends.dtype.kind not in "iu":
            found = [_numbered([str(pair[side]) for pair in pairs], names[side]) for side in (0, 1)]
            ends, names = np.stack([numbers for numbers, _ in found], 1), [called for _, called in found]
        inputs, outputs = (
            len(called) if called else int(most) + 1 for called, most in zip(names, ends.max(0), strict=True)
        )
        outputs, inputs = _sizes(shape if shape is not None else (outputs, inputs))
        if ends.min() < 0 or ends[:, 0].max() >= inputs or ends[:, 1].max() >= outputs:
            raise InputError(f"an edge lies outside of {inputs} inputs and {outputs} outputs")
        positions = np.unique(ends[:, 1].astype(np.int64) * inputs + ends[:, 0].astype(np.int64))
        return cls.at((outputs, inputs), positions, *names)

    @classmethod
    def at(
        cls, shape: tuple[int, int], positions: np.ndarray, input_names: Names = None, output_names: Names = None
    ) -> Connections:
        """Take flat positions (int64) in a dense weight of a shape (outputs, inputs), ascending."""
        starts = np.searchsorted(positions, np.arange(shape[0] + 1, dtype=np.int64) * shape[1])
        columns = np.empty(positions.size, np.int32)
        np.remainder(positions, shape[1], out=columns, casting="unsafe")
        columns.flags.writeable = False  # so that it is not copied
        return cls(shape, starts, columns, input_names, output_names)

    def rewired(self, rng: Any = None) -> Connections:
        """Draw another graph at random in which every input and every output has as many connections as in this one.

        Pairs of connections exchange their inputs where that makes no connection twice, up to twenty times each (Maslov and
        Sneppen 2002); of a graph with more than half of all pairs, those that are not connected are rewired.

        Parameters
        ----------
        rng : Generator, int or None
        """
        generator, total = np.random.default_rng(rng), math.prod(self.shape)
        is_dense = 2 * self.count > total
        positions = places.others(self.positions(), total) if is_dense else self.positions()
        for _ in range(places.SWAPS):
            places.swap(positions, self.shape[1], generator)
        return self.at(
            self.shape, places.others(positions, total) if is_dense else positions, self.input_names, self.output_names
        )

    def rewired_under(self, mask: np.ndarray, rng: Any = None) -> tuple[Connections, np.ndarray]:
        """Rewire those connections that a mask keeps, and return them among as many as before, with their mask.

        The others are drawn from those that there were.
        """
        generator = np.random.default_rng(rng)
        kept = self.at(self.shape, self.positions()[mask]).rewired(generator).positions()
        rest = np.setdiff1d(self.positions(), kept, assume_unique=True)
        rest = generator.permutation(rest)[: self.count - kept.size]
        positions = np.sort(np.concatenate((kept, rest)))
        found = self.at(self.shape, positions, self.input_names, self.output_names)
        return found, np.isin(positions, kept, assume_unique=True)

    # -- what is asked of them

    @property
    def count(self) -> int:
        """How many there are."""
        return self.columns.size

    @property
    def pairs(self) -> int:
        """How many there could be: all pairs of an input and an output."""
        return math.prod(self.shape)

    @property
    def density(self) -> float:
        """Share of all pairs that are connected."""
        return self.count / self.pairs

    def rows(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Return the output (int32) of each connection, or of those from `first` to before `last`."""
        return self._for_each(1, np.int32, first, last)

    def fans(self) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each connection, how many its output has and how many its input has."""
        fan_in = np.repeat(self.fan_in().astype(np.int32), self.fan_in())
        if self.shape[1] <= 8 * self.count:
            return fan_in, self.fan_out()[self.columns]
        _, which, counts = np.unique(
            self.columns, return_inverse=True, return_counts=True
        )  # not a count for each input
        return fan_in, counts[which]

    def fan_in(self) -> np.ndarray:
        """Return how many connections each output has."""
        return np.diff(self.starts)

    def fan_out(self) -> np.ndarray:
        """Return how many connections each input has."""
        return np.bincount(self.columns, minlength=self.shape[1])

    def positions(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Return the flat position (int64) of each in a dense weight, ascending, or of those from `first` to before `last`."""
        positions = self._for_each(self.shape[1], np.int64, first, last)
        positions += self.columns[first:last]
        return positions

    def _for_each(self, step: int, dtype: type, first: int, last: int | None) -> np.ndarray:
        """Return, for each of some connections, its output times `step`."""
        last = self.count if last is None else last
        low, high = (int(np.searchsorted(self.starts, place, side="right")) for place in (first, last))
        bounds = np.clip(self.starts[max(0, low - 1) : high + 1], first, last)
        outputs = np.arange(low - 1, low - 2 + bounds.size, dtype=dtype)
        return np.repeat(outputs * dtype(step), np.diff(bounds))

    def matrix(self, values: np.ndarray) -> Any:
        """Return a scipy.sparse.csr_array (outputs, inputs) of a number for each connection."""
        from scipy.sparse import csr_array

        return csr_array((values, self.columns, self.starts), shape=self.shape)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Connections)
            and self.shape == other.shape
            and np.array_equal(self.starts, other.starts)
            and np.array_equal(self.columns, other.columns)
        )

    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict) -> Connections:
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.starts.flags.writeable = self.columns.flags.writeable = False

    def __repr__(self) -> str:
        outputs, inputs = self.shape
        return f"Connections({self.count:,} of {inputs:,} inputs with {outputs:,} outputs)"


class Move(NamedTuple):
    """Connections in the place of as many others."""

    connections: Connections
    origins: np.ndarray
    """int32, for each of them: which of those before it is, or -1 for a new one."""

    @property
    def grown(self) -> int:
        """How many are new."""
        return int(np.count_nonzero(self.origins < 0))

    def take(self, values: np.ndarray) -> np.ndarray:
        """Return an array for the connections after the move, of one for those before: numbers go along, new ones are +0.0."""
        taken = values[self.origins]
        taken[np.flatnonzero(self.origins < 0)] = 0
        return taken


def _sizes(shape: Any) -> tuple[int, int]:
    outputs, inputs = map(operator.index, shape)
    if not (1 <= inputs <= LARGEST and 1 <= outputs < LARGEST):
        raise InputError(
            f"connections have 1 to {LARGEST} inputs and outputs, not {inputs} inputs and {outputs} outputs"
        )
    return outputs, inputs


def _count(density: float | np.number, total: int) -> int:
    """Return how many connections are meant by a number of them or a share of all pairs."""
    if not _is_whole(density) and not (isinstance(density, float | np.floating) and 0 < density <= 1):
        raise InputError(f"a density of connections lies above 0 and is at most 1; got {density!r:.60}")
    count = int(density) if _is_whole(density) else round(float(density) * total)
    if not 1 <= count <= min(total, LARGEST):
        raise InputError(f"a layer with {total:,} pairs of inputs and outputs cannot have {count:,} connections")
    return count


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _frozen(array: Any, dtype: type) -> np.ndarray:
    """Return an array of whole numbers that nobody can write: itself, if it is one already."""
    given = np.asarray(array)
    if given.dtype.kind not in "iu":
        raise InputError(f"connections are whole numbers, not {given.dtype}")
    found = kept(given, dtype)
    if found is not given and (found != given).any():
        raise InputError(f"connections are numbers that {np.dtype(dtype)} holds")
    return found


def _names(names: Names, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    names = tuple(map(str, names))
    if len(names) != count:
        raise InputError(f"{len(names)} names were given for {count}")
    return names


def _numbered(names: Sequence[str], known: Names) -> tuple[np.ndarray, list[str]]:
    """Number names by their places among those that are known, or else in the order of their first appearance."""
    numbers = {} if known is None else {str(name): place for place, name in enumerate(known)}
    if known is not None and len(numbers) < len(known):
        raise InputError("two inputs or two outputs have one name")
    if known is not None and (other := next((name for name in names if name not in numbers), None)) is not None:
        raise InputError(f"an edge ends at {other!r:.60}, which is not among the {len(numbers)} names that were given")
    return np.array([numbers.setdefault(name, len(numbers)) for name in names]), list(numbers)
