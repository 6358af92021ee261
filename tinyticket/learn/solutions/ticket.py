"""Prune, reset, and find a ticket: fill the holes, and `tinyticket learn check ticket`.

Masks are boolean arrays, True for weights that survive; everything comes by layer, in dicts of arrays.
"""

import numpy as np


def prune(weights, masks, fraction):
    """Return new masks without the smallest survivors of each layer (step 3).

    floor(fraction * survivors + 1/2) weights go in each layer, those of smallest magnitude, and of equal ones that with the higher
    flat index. What has been pruned before stays pruned and is not counted.
    """
    pruned = {}
    for name, mask in masks.items():
        # hole: the mask of one layer without its smallest survivors
        survivors = np.flatnonzero(mask)
        remove = int(np.floor(fraction * len(survivors) + 0.5))
        magnitude = np.abs(weights[name].ravel()[survivors])
        smallest = np.lexsort((-survivors, magnitude))[:remove]
        kept = mask.copy()
        kept.ravel()[survivors[smallest]] = False
        pruned[name] = kept
        # end
    return pruned


def reset(theta_0, masks):
    """Return the ticket: theta_0 with zeros where weights are pruned, parameters without a mask as they are (step 4).

    The arrays are new ones: training the ticket must not change theta_0.
    """
    # hole: the initial weights under the masks
    return {name: np.where(masks[name], value, 0) if name in masks else value.copy() for name, value in theta_0.items()}
    # end


def density(masks):
    """Return the share of all prunable weights that survive."""
    # hole: survivors over weights, of all layers together
    return sum(int(mask.sum()) for mask in masks.values()) / sum(mask.size for mask in masks.values())
    # end


def find_tickets(theta_0, prunable, train, rounds, fraction):
    """Return the masks of every round, those of the dense network first (iterative pruning).

    train(start, masks) -> trained weights by name, which trains from `start` and keeps pruned weights at zero.
    """
    # hole: train the dense network; then prune, reset and train, round after round
    masks = {name: np.ones(theta_0[name].shape, bool) for name in prunable}
    found = [masks]
    trained = train(reset(theta_0, masks), masks)
    for _ in range(rounds):
        masks = prune(trained, masks, fraction)
        trained = train(reset(theta_0, masks), masks)
        found.append(masks)
    return found
    # end
