"""Growth by link prediction: a mask that moves while the network trains, by its shape alone, without gradients.

A layer is a bipartite graph of its inputs and its neurons, whose links are the survivors. Cannistraci-Hebb theory expects a new
link where many paths of length three lead whose inner nodes have few links elsewhere. Zhang et al. (2025, arXiv 2501.19107) train
so: CHT drops the smallest magnitudes and grows the links that score highest; its soft rule, CHTs, draws them by their scores, and
in its authors' code what stays as well. That code also takes away the links of neurons that lead nowhere.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import scipy.sparse

from tinyticket.errors import InputError
from tinyticket.prune.counts import removed
from tinyticket.prune.selection import Arrays, Masks, check, checked_fraction, drop_smallest


def ch3_l3_scores(links: np.ndarray) -> np.ndarray:
    """Return the CH3-L3 score of every place without a link, and 0 where there is one.

    The score of the nodes u and v is the sum over all paths u, c, r, v of 1 / sqrt((1 + e_c) (1 + e_r)), where e of an inner node
    counts its links to neither u, v nor an inner node of any of these paths (Muscoloni, Michieli and Cannistraci 2020, "Adaptive
    network automata modelling of complex networks"; the rule of CHT).

    Parameters
    ----------
    links : ndarray of bool, shape (neurons, inputs)

    Returns
    -------
    ndarray of float64, shape (neurons, inputs)

    Notes
    -----
    A neuron r next to v has the inner nodes that it shares with u as its inner neighbours, whatever v is, so that 1 + e_r is the
    links of r less those that it shares with u; and likewise for inputs. For a neuron u it is then a product of matrices over the
    neurons that share an input with it, which are few in sparse layers: about neurons * inputs * (links of a node)**2 steps.
    """
    _check_links(links)
    graph = links.astype(np.float64)
    of_neurons, of_inputs = _outside(graph), _outside(graph.T).T
    scores = np.zeros(graph.shape)
    for u, row in enumerate(graph):
        others, inputs = np.flatnonzero(of_neurons[u]), np.flatnonzero(row)
        from_inputs = graph[np.ix_(others, inputs)] @ of_inputs[inputs]
        scores[u] = of_neurons[u, others] @ (graph[others] * from_inputs)
    scores[links] = 0
    return scores


def cht_masks(weights: Arrays, masks: Arrays, fraction: float, rng: Any, soft: bool = False) -> Masks:
    """Drop the smallest magnitudes and grow where the CH3-L3 score of the links that are left is highest (CHT).

    Parameters
    ----------
    weights, masks
        By layer, of equal shapes (neurons, ...); a convolution's places in the kernel are inputs of their own.
    fraction
        Of a layer's survivors that is dropped, in (0, 1): floor(fraction * survivors + 1/2) of them.
    rng : Generator or int
        Decides between equal scores, such as 0 where no path leads, and draws the links of the soft rule.
    soft
        Draw links without putting them back, with probabilities in proportion to their scores (CHTs, at temperature 1). Once
        places with a score are used up, the rest is drawn from the others.
    """
    check(weights, masks)
    checked_fraction(fraction)
    generator, moved = np.random.default_rng(rng), {}
    for name, mask in masks.items():
        count = removed(int(np.count_nonzero(mask)), fraction)
        left = drop_smallest(np.abs(weights[name]).ravel(), mask.ravel(), count)
        empty = np.flatnonzero(~left)
        score = ch3_l3_scores(left.reshape(len(mask), -1)).ravel()[empty]
        chance = generator.random(len(empty))
        left[empty[_largest(_waiting(score, chance) if soft else score, chance, count)]] = True
        moved[name] = left.reshape(mask.shape)
    return moved


def original_cht_masks(weights: Arrays, masks: Arrays, fraction: float, rng: Any, power: float = 1.0) -> Masks:
    """Draw the weights that stay, drop the links of dead ends, and draw links by their CH2-L3n scores (the authors' CHTs).

    Parameters
    ----------
    weights, masks
        As in `cht_masks`; layers in the order in which they follow each other.
    fraction
        Of a layer's survivors, in (0, 1): all but floor(fraction * survivors + 1/2) are drawn, in proportion to |weight|**power,
        without putting them back. Then dead ends go (`without_dead_ends`), and the layer grows back to its size.
    power
        The inverse of the temperature at which what stays is drawn; the authors' rises from 1 to 3.
    """
    check(weights, masks)
    checked_fraction(fraction)
    generator, left = np.random.default_rng(rng), {}
    for name, mask in masks.items():
        survivors = np.flatnonzero(mask)
        magnitude, chance = (
            np.abs(weights[name].ravel()[survivors]).astype(np.float64),
            generator.random(len(survivors)),
        )
        stays = len(survivors) - removed(len(survivors), fraction)
        kept = np.zeros(mask.size, bool)
        kept[survivors[_largest(_waiting(magnitude**power, chance), chance, stays)]] = True
        left[name] = kept.reshape(mask.shape)
    left = without_dead_ends(left)
    for name, mask in left.items():
        empty = np.flatnonzero(~mask)
        score, chance = ch2_l3n_scores(mask.reshape(len(mask), -1)).ravel()[empty], generator.random(len(empty))
        count = int(np.count_nonzero(masks[name]) - np.count_nonzero(mask))
        mask.ravel()[empty[_largest(_waiting(score, chance), chance, count)]] = True
    return left


def ch2_l3n_scores(links: np.ndarray) -> np.ndarray:
    """Return the CH2-L3n score of every place without a link, and 0 where there is one.

    The score of the nodes u and v is the sum over all nodes r that are linked to v and share i > 0 nodes with u, and likewise over
    those linked to u that share i > 0 with v, of (1 + i) / (1 + e); e counts the other links of r, to neither v nor what it shares
    (the code of Zhang et al. 2025). It sums over nodes where `ch3_l3_scores` sums over paths, in the time of a sparse product.

    Parameters
    ----------
    links : ndarray of bool, shape (neurons, inputs)

    Returns
    -------
    ndarray of float64, shape (neurons, inputs)
    """
    _check_links(links)
    graph = scipy.sparse.csr_array(links.astype(np.float64))
    scores = (_sharing(graph) @ graph + (_sharing(graph.T.tocsr()) @ graph.T).T).toarray()
    scores[links] = 0
    return scores


def without_dead_ends(masks: Arrays) -> Masks:
    """Return masks without the links to neurons that have none to the next layer, and from those that have none from the last.

    Two layers follow each other where both are fully connected, stand side by side, and one has as many neurons as the next has
    inputs.
    """
    left = {name: mask.copy() for name, mask in masks.items()}
    pairs = [
        (left[before], left[after])
        for before, after in itertools.pairwise(left)
        if left[before].ndim == left[after].ndim == 2 and len(left[before]) == left[after].shape[1]
    ]
    for before, after in reversed(pairs):
        before[~after.any(axis=0)] = False
    for before, after in pairs:
        after[:, ~before.any(axis=1)] = False
    return left


def _check_links(links: np.ndarray) -> None:
    if links.dtype != bool or links.ndim != 2:
        raise InputError(f"links are a boolean matrix (neurons, inputs), not {links.dtype} of shape {links.shape}")


def _waiting(rates: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return negative exponential waiting times: the largest are drawn in proportion to the rates, without putting them back."""
    with np.errstate(divide="ignore"):
        return np.where(rates > 0, np.log(chance) / rates, -np.inf)


def _largest(scores: np.ndarray, chance: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the largest scores, and of equal ones of those with the larger chance."""
    if not count:
        return np.zeros(0, np.intp)
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    some = np.flatnonzero(scores >= least)  # few, of which to sort alone is quicker
    return some[np.lexsort((chance[some], scores[some]))[len(some) - count :]]


def _sharing(graph: Any) -> Any:
    """Return (1 + what rows i and j share) / (1 + other links of j but one) at [i, j], and nothing where they share nothing."""
    shared = (graph @ graph.T).tocoo()
    others = np.maximum(graph.sum(axis=1)[shared.col] - shared.data, 1)
    return scipy.sparse.csr_array(((1 + shared.data) / others, (shared.row, shared.col)), shape=shared.shape)


def _outside(graph: np.ndarray) -> np.ndarray:
    """Return 1 / sqrt(links that row j does not share with row i) at [i, j], and 0 where it shares none or all of them."""
    shared = graph @ graph.T
    outside = graph.sum(axis=1) - shared
    return np.where((shared > 0) & (outside > 0), 1 / np.sqrt(np.maximum(outside, 1)), 0)
