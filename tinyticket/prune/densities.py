"""Pruning to a target density: how it is shared among layers, and masks that meet it exactly.

A density is the share of weights that is kept. Given as one number it is the whole network's, and layers compete; given by layer,
each layer meets its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tinyticket.errors import InputError, near
from tinyticket.prune.counts import kept
from tinyticket.prune.selection import Arrays, Masks, check, drop_smallest

Shapes = Mapping[str, tuple[int, ...]]
ALLOCATIONS = ("global", "uniform", "uniform-first-dense", "uniform-last-dense", "erk")


def allocate(
    shapes: Shapes, density: float, allocation: str | Mapping[str, float] = "global"
) -> float | dict[str, float]:
    """Share a network's density among its layers.

    Parameters
    ----------
    shapes
        Shape of every layer's weight.
    density
        Of the whole network, in (0, 1].
    allocation
        "global": not shared beforehand, the network's density is returned and the scores decide. "uniform": every layer has the
        network's. "uniform-first-dense": every layer has it but the first, which stays dense, so that the network keeps more
        (Evci et al. 2020, "RigL", section 3, Uniform). "uniform-last-dense": the last one stays dense instead (Zhang et al.
        2024, Cannistraci-Hebb training). "erk": `erdos_renyi_kernel`. A mapping by layer is returned as it is, once checked: it
        then says everything, and `density` must be what it amounts to, within half a weight per layer.

    Raises
    ------
    InputError
        If a density is outside (0, 1], the allocation is unknown, or a mapping does not fit.
    """
    checked_density(density)
    if isinstance(allocation, Mapping):
        if allocation.keys() != shapes.keys():
            raise InputError(f"densities are given for {sorted(allocation)}, but the weights are {sorted(shapes)}")
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        total = sum(checked_density(allocation[name], name) * size for name, size in sizes.items())
        if abs(total - density * sum(sizes.values())) > len(sizes) / 2:
            raise InputError(
                f"the layers' densities amount to {total / sum(sizes.values()):.6g} of the network, not to {density:.6g}"
            )
        return dict(allocation)
    if allocation == "global":
        return density
    if allocation == "uniform":
        return dict.fromkeys(shapes, density)
    if allocation == "uniform-first-dense":
        return {name: density if number else 1.0 for number, name in enumerate(shapes)}
    if allocation == "uniform-last-dense":
        return {**dict.fromkeys(shapes, density), list(shapes)[-1]: 1.0}
    if allocation == "erk":
        return erdos_renyi_kernel(shapes, density)
    raise InputError(f"no allocation of densities is called {allocation!r}{near(str(allocation), ALLOCATIONS)}")


def erdos_renyi_kernel(shapes: Shapes, density: float) -> dict[str, float]:
    """Return densities proportional to (sum of shape) / (product of shape): small layers stay denser than large ones.

    For a fully-connected layer that is (n_in + n_out) / (n_in n_out), the Erdos-Renyi graph of SET (Mocanu et al. 2018); a
    kernel's rows and columns join both (Evci et al. 2020, "RigL", section 3, ERK). Layers that would come out above 1 are
    dense, and the scale of the others is solved for again, until all fit; the network then has `density` exactly.
    """
    checked_density(density)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    dense: set[str] = set()
    while len(dense) < len(sizes):
        budget = density * sum(sizes.values()) - sum(sizes[name] for name in dense)
        scale = budget / sum(sum(shape) for name, shape in shapes.items() if name not in dense)
        densities = {name: scale * sum(shape) / sizes[name] for name, shape in shapes.items()}
        above = {name for name, share in densities.items() if share > 1} - dense
        if not above:
            return {name: 1.0 if name in dense else share for name, share in densities.items()}
        dense |= above
    return dict.fromkeys(sizes, 1.0)


def keep_density(scores: Arrays, density: float | Mapping[str, float], masks: Arrays | None = None) -> Masks:
    """Keep the largest scores, exactly floor(density * weights + 1/2) of them, and of equal ones those of lower flat index.

    Parameters
    ----------
    scores
        By layer.
    density
        One number for all layers together, or one per layer. A density counts all weights, those pruned before included.
    masks
        What survives so far, True for survivors; None for everything. Pruned weights stay pruned.

    Raises
    ------
    InputError
        If names or shapes differ, a score is not a number, a density is outside (0, 1], keeps no weight of a layer (of the
        network), or keeps more than survive.

    Notes
    -----
    With one number for all, a layer may lose everything: `collapsed` names such layers.
    """
    scores = {name: np.asarray(score) for name, score in scores.items()}
    if masks is None:
        masks = {name: np.ones(score.shape, bool) for name, score in scores.items()}
    before = {name: np.asarray(mask) for name, mask in masks.items()}
    check(scores, before)
    if isinstance(density, Mapping):
        if density.keys() != scores.keys():
            raise InputError(f"densities are given for {sorted(density)}, but the weights are {sorted(scores)}")
        return {
            name: _keep(scores[name].ravel(), mask.ravel(), density[name], name).reshape(mask.shape)
            for name, mask in before.items()
        }
    flat = np.concatenate([scores[name].ravel() for name in before])
    together = _keep(flat, np.concatenate([mask.ravel() for mask in before.values()]), density, "the network")
    pieces = np.split(together, np.cumsum([mask.size for mask in before.values()])[:-1])
    return {name: piece.reshape(mask.shape) for (name, mask), piece in zip(before.items(), pieces, strict=True)}


def collapsed(masks: Arrays) -> list[str]:
    """Return the names of layers of which nothing is left, through which no signal passes (Tanaka et al. 2020, section 3)."""
    return [name for name, mask in masks.items() if not np.any(mask)]


def checked_density(density: float, name: str = "the network") -> float:
    """Return `density` if it is above 0 and at most 1; raise InputError if not."""
    if not 0 < density <= 1:
        raise InputError(f"a density is above 0 and at most 1; got {density} for {name}")
    return density


def _keep(scores: np.ndarray, mask: np.ndarray, density: float, name: str) -> np.ndarray:
    count, survivors = kept(mask.size, checked_density(density, name)), int(np.count_nonzero(mask))
    if count == 0:
        raise InputError(f"a density of {density:.4g} would keep none of the {mask.size} weights of {name}")
    if count > survivors:
        raise InputError(
            f"a density of {density:.4g} keeps {count} weights of {name}, but only {survivors} of {mask.size} survive"
        )
    return drop_smallest(scores, mask, survivors - count)
