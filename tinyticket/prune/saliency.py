"""What makes an untrained weight worth keeping: scores at initialisation, from weights and derivatives by layer.

Where the derivatives come from is `gradients`' matter; any framework's arrays will do. The largest scores are kept. Scores
are in float64, so that products of small numbers neither vanish nor tie.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyticket.errors import InputError
from tinyticket.prune.densities import allocate, keep_density
from tinyticket.prune.selection import Arrays, Masks


def snip_scores(weights: Arrays, gradients: Arrays) -> Masks:
    """|g w| over its sum (Lee, Ajanthan and Torr 2019, "SNIP"): the connection sensitivity.

    It says to first order how much removing a weight changes the loss. The sum runs over all layers; it makes scores comparable
    between batches and changes no order.
    """
    scores = {name: np.abs(product) for name, product in _products(weights, gradients).items()}
    total = sum(score.sum() for score in scores.values())
    return {name: score / total if total > 0 else score for name, score in scores.items()}


def grasp_scores(weights: Arrays, products: Arrays) -> Masks:
    """W * (H g), of which the smallest are removed (Wang, Zhang and Grosse 2020, "GraSP").

    H g is the product of the Hessian of the loss with its gradient. Removing a weight w changes the squared norm of the gradient by
    -2 w (H g) to first order; the paper removes the largest -w (H g), those without which the gradient grows most.
    """
    return _products(weights, products)


def synflow_scores(weights: Arrays, gradients: Arrays) -> Masks:
    """|w dR/dw| (Tanaka, Kunin, Yamins and Ganguli 2020, "SynFlow", synaptic saliency of R_SF): the flow through a weight.

    R = 1^T (product of all |w|) 1 is the sum of the outputs for an input of ones when every parameter has its absolute value.
    """
    return {name: np.abs(product) for name, product in _products(weights, gradients).items()}


def snip(
    weights: Arrays,
    gradients: Arrays,
    density: float,
    masks: Arrays | None = None,
    allocation: str | Mapping[str, float] = "global",
) -> Masks:
    """Prune to a density by `snip_scores`; arguments and errors as `allocate` and `keep_density`."""
    return keep_density(snip_scores(weights, gradients), allocate(_shapes(weights), density, allocation), masks)


def grasp(
    weights: Arrays,
    products: Arrays,
    density: float,
    masks: Arrays | None = None,
    allocation: str | Mapping[str, float] = "global",
) -> Masks:
    """Prune to a density by `grasp_scores`; arguments and errors as `allocate` and `keep_density`."""
    return keep_density(grasp_scores(weights, products), allocate(_shapes(weights), density, allocation), masks)


def _products(weights: Arrays, others: Arrays) -> Masks:
    if weights.keys() != others.keys():
        raise InputError(f"derivatives are given for {sorted(others)}, but the weights are {sorted(weights)}")
    for name, weight in weights.items():
        if np.shape(weight) != np.shape(others[name]):
            raise InputError(f"{name} has shape {np.shape(weight)}, its derivative {np.shape(others[name])}")
    return {name: np.asarray(weight, np.float64) * np.asarray(others[name]) for name, weight in weights.items()}


def _shapes(weights: Arrays) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(weight) for name, weight in weights.items()}
