"""Graphs that sparse networks start from: masks of given densities whose survivors are not anywhere.

A layer is a bipartite graph of its inputs and its neurons, whose links are the survivors. Inputs and neurons lie evenly spread
around a ring, each in their order.

    random               anywhere, `random_masks`
    small-world:B        near in the ring, then the share B of the links put anywhere (Watts and Strogatz 1998)
    scale-free           nodes come one after another and are linked to those that have many links (Barabasi and Albert 1999)
    receptive-field:R    each node of the smaller side draws links in proportion to (1 + distance)**(1 - 1 / R)
    correlated           between units whose pixels have the largest correlations

Those of Cannistraci-Hebb training: Zhang et al. (2024), "Epitopological learning and Cannistraci-Hebb network shape intelligence
brain-inspired theory for ultra-sparse advantage in deep learning", has the last but one as BSF, BSW and CSTI; Zhang et al. (2025,
arXiv 2501.19107) adds receptive fields, BRF. A convolution's places in the kernel are inputs of their own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.prune.counts import kept
from tinyticket.prune.densities import Shapes, checked_density
from tinyticket.prune.random import random_masks
from tinyticket.prune.selection import Masks

DECIMALS = 6
"""Of a correlation: those that differ by less are equal, so that sums in another order make no other graph."""


def check_graph(graph: Any) -> str:
    """Return the text that names a graph, such as "small-world:0.25"; raise InputError if it names none."""
    kind, colon, number = str(graph).partition(":")
    if kind not in GRAPHS:
        raise InputError(f"no graph is called {kind!r:.60}{near(kind, GRAPHS)}")
    if bool(colon) != (kind in NUMBERED):
        raise InputError(f"{kind} {'has no number' if colon else f'wants a number from 0 to 1, such as {kind}:0.25'}")
    try:
        inside = not colon or 0 <= float(number) <= 1
    except ValueError:
        inside = False
    if not inside:
        raise InputError(f"{kind} wants a number from 0 to 1, such as {kind}:0.25, not {number!r:.60}")
    return f"{kind}:{float(number):g}" if colon else kind


def graph_masks(
    shapes: Shapes, densities: Mapping[str, float], graph: str, rng: Any, inputs: np.ndarray | None = None
) -> Masks:
    """Return masks that keep exactly floor(density * weights + 1/2) weights of each layer, as links of a graph.

    Parameters
    ----------
    shapes
        Shape of every layer's weight, (neurons, ...).
    densities
        By layer; a layer of density 1 keeps all.
    graph
        As this file's head lists them.
    rng : Generator or int
        Where whatever is drawn comes from; it decides between equal distances and correlations, too.
    inputs : ndarray of numbers, shape (examples, ...), optional
        Training examples, which the graph "correlated" asks for.

    Raises
    ------
    InputError
        If a density is outside (0, 1] or keeps no weight of a layer, no graph has this name, or "correlated" cannot tell which
        pixels a layer's units stand for: its neurons and inputs must be once or several times as many as pixels.
    """
    kind, _, number = check_graph(graph).partition(":")
    if kind == "random":
        return random_masks(shapes, densities, rng)
    links: Callable[..., np.ndarray] = GRAPHS[kind]
    if kind in NUMBERED:
        links = functools.partial(links, float(number))
    if kind == "correlated":
        if not isinstance(inputs, np.ndarray):
            raise InputError("the graph correlated asks for training examples, in a dense array")
        links = functools.partial(links, _correlations(inputs.reshape(len(inputs), -1)))
    generator, masks = np.random.default_rng(rng), {}
    for name, shape in shapes.items():
        size = math.prod(shape)
        count = kept(size, checked_density(densities[name], name))
        if not count:
            raise InputError(f"a density of {densities[name]:.4g} would keep none of the {size} weights of {name}")
        full = count == size
        masks[name] = (
            np.ones(shape, bool) if full else links((shape[0], size // shape[0]), count, generator).reshape(shape)
        )
    return masks


def check_pixels(shape: tuple[int, ...], pixels: int) -> None:
    """Raise InputError unless the graph "correlated" knows for which of so many pixels a layer's neurons and inputs stand."""
    sides = shape[0], math.prod(shape[1:])
    if any(size % pixels for size in sides):
        raise InputError(
            f"the graph correlated wants layers whose neurons and inputs are once or several times as many as the {pixels} "
            f"pixels, not {sides[0]} x {sides[1]}: give such a layer the density 1"
        )


def _small_world(rewiring: float, shape: tuple[int, int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the places nearest in the ring, of which about a share is put anywhere instead."""
    near_ones = _first(_distances(shape), count, rng)
    links = near_ones & (rng.random(shape) >= rewiring)
    empty = np.flatnonzero(~links)
    links.ravel()[rng.choice(empty, count - np.count_nonzero(links), replace=False)] = True
    return links


def _receptive_field(spread: float, shape: tuple[int, int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return links that each node of the smaller side draws, all as many but for one; with a spread of 0 the nearest."""
    if shape[0] > shape[1]:
        return _receptive_field(spread, shape[::-1], count, rng).T
    distance = np.floor(_distances(shape) * shape[1])
    waiting = rng.exponential(size=shape)  # the first are drawn in proportion to the weights, without putting them back
    waited = np.log(waiting) + (1 / spread - 1) * np.log1p(distance) if spread else distance
    order = np.lexsort((waiting, waited))
    each = np.full(shape[0], count // shape[0])
    each[rng.choice(shape[0], count % shape[0], replace=False)] += 1
    links = np.zeros(shape, bool)
    np.put_along_axis(links, order, np.arange(shape[1]) < each[:, None], axis=1)
    return links


def _scale_free(shape: tuple[int, int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return a graph that has grown: the first nodes of both sides are all linked, others to those with many links."""
    nodes = sum(shape)
    seeds = min(math.ceil(count / nodes), math.isqrt(count))
    sides = rng.permutation(np.repeat((0, 1), (shape[0] - seeds, shape[1] - seeds)))
    rest, there, links = count - seeds**2, [seeds, seeds], np.zeros(shape, bool)
    links[:seeds, :seeds] = True
    degrees = [links.sum(axis=1 - side).astype(float) for side in (0, 1)]
    each = np.full(len(sides), rest // max(len(sides), 1))
    each[rng.choice(len(sides), rest - each.sum(), replace=False)] += 1
    for side, wanted in zip(sides, each, strict=True):
        others = degrees[1 - side][: there[1 - side]]
        found = _first(-_drawn(others, rng), min(wanted, len(others)), rng)
        chosen = np.flatnonzero(found)
        new = there[side]
        links[(new, chosen) if side == 0 else (chosen, new)] = True
        degrees[side][new], there[side] = len(chosen), new + 1
        degrees[1 - side][chosen] += 1
    # In dense layers the first nodes to come found too few others.
    missing = count - int(np.count_nonzero(links))
    worth = np.where(links, -np.inf, _drawn(np.outer(*degrees), rng))
    links |= _first(-worth, missing, rng)
    order = [rng.permutation(size) for size in shape]  # nodes that came early are anywhere in the layer
    return links[np.ix_(*order)]


def _correlated(correlations: np.ndarray, shape: tuple[int, int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return links between units whose pixels correlate most; unit i stands for pixel i, beyond the last for the first again."""
    pixels = len(correlations)
    check_pixels(shape, pixels)
    return _first(-np.tile(correlations, (shape[0] // pixels, shape[1] // pixels)), count, rng)


def _correlations(inputs: np.ndarray) -> np.ndarray:
    """Return the magnitudes of the correlations between pixels, rounded; 0 for a pixel with itself, and where all are alike."""
    centred = (inputs - inputs.mean(axis=0, dtype=np.float64)).astype(np.float32)
    products = (centred.T @ centred).astype(np.float64)
    deviation = np.sqrt(products.diagonal())
    with np.errstate(divide="ignore", invalid="ignore"):
        correlations = np.nan_to_num(np.abs(products / np.outer(deviation, deviation)), posinf=0.0)
    np.fill_diagonal(correlations, 0)
    return correlations.round(DECIMALS)


def _distances(shape: tuple[int, int]) -> np.ndarray:
    """Return the distances of all neurons from all inputs around a ring of length 1."""
    apart = np.abs(np.subtract.outer(np.arange(shape[0]) / shape[0], np.arange(shape[1]) / shape[1]))
    return np.minimum(apart, 1 - apart)


def _first(scores: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return where the smallest scores are, so many of them, and of equal ones any."""
    chosen = np.zeros(scores.size, bool)
    chosen[np.lexsort((rng.random(scores.size), scores.ravel()))[:count]] = True
    return chosen.reshape(scores.shape)


def _drawn(worth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return numbers of which the largest are drawn without putting them back, in proportion to their worth."""
    with np.errstate(divide="ignore"):
        return np.where(worth > 0, -rng.exponential(size=worth.shape) / worth, -np.inf)


NUMBERED = ("small-world", "receptive-field")
GRAPHS: dict[str, Any] = {
    "random": None,
    "small-world": _small_world,
    "scale-free": _scale_free,
    "receptive-field": _receptive_field,
    "correlated": _correlated,
}
