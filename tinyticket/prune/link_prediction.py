"""Growth by link prediction: a mask that moves while the network trains, by its shape alone, without gradients.

A layer is a bipartite graph of its inputs and its neurons, whose links are the survivors. Cannistraci-Hebb theory expects a new
link where many paths of length three lead whose inner nodes have few links elsewhere. Zhang et al. (2025, arXiv 2501.19107) train
so: CHT drops the smallest magnitudes and grows the links that score highest; its soft rule, CHTs, draws them by their scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np

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
    if links.dtype != bool or links.ndim != 2:
        raise InputError(f"links are a boolean matrix (neurons, inputs), not {links.dtype} of shape {links.shape}")
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
        if soft:  # the first of exponential waiting times, at the scores' rates, are drawn in proportion to them
            with np.errstate(divide="ignore"):
                score = np.where(score > 0, np.log(chance) / score, -np.inf)
        left[empty[np.lexsort((chance, score))[len(empty) - count :]]] = True
        moved[name] = left.reshape(mask.shape)
    return moved


def _outside(graph: np.ndarray) -> np.ndarray:
    """Return 1 / sqrt(links that row j does not share with row i) at [i, j], and 0 where it shares none or all of them."""
    shared = graph @ graph.T
    outside = graph.sum(axis=1) - shared
    return np.where((shared > 0) & (outside > 0), 1 / np.sqrt(np.maximum(outside, 1)), 0)
