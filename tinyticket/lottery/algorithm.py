"""The algorithm of Frankle and Carbin (2019, section 1), as they number its steps.

    1. Randomly initialise a neural network f(x; theta_0).
    2. Train the network for j iterations, arriving at parameters theta_j.
    3. Prune p% of the parameters in theta_j, creating a mask m.
    4. Reset the remaining parameters to their values in theta_0, creating the winning ticket f(x; m * theta_0).

Done once this is one-shot pruning; done again and again, each round pruning what the last one left, it is iterative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tinyticket.prune import apply_masks

State = dict[str, np.ndarray]
Masks = dict[str, np.ndarray]


def find_tickets(
    initial: State,
    prunable: list[str],
    train: Callable[[int, State, Masks], State],
    prune: Callable[[int, State, Masks], Masks],
    rounds: int,
    iterative: bool = True,
    rewind: Callable[[State], State] | None = None,
) -> Iterator[tuple[int, Masks, State]]:
    """Yield (round, masks, trained weights) for the dense network, round 0, and for the ticket of every round after it.

    Parameters
    ----------
    initial
        theta_0 by name: the drawn weights (step 1), and whatever else the model keeps.
    prunable
        Names of the weights that may be pruned.
    train
        (round, start, masks) -> trained: train from `start`, keeping pruned weights at zero.
    prune
        (round, trained weights, masks) -> new masks, with fewer survivors.
    rounds
        How many times to prune.
    iterative
        False prunes the dense network anew in every round (one-shot, one density a round).
    rewind
        (trained) -> what the survivors go back to in step 4, theta_0 if not given: weights of a later iteration, or, to keep them
        as they are, the trained ones.
    """
    masks = {name: np.ones(initial[name].shape, bool) for name in prunable}
    trained = train(0, reset(initial, masks), masks)  # steps 1 and 2
    yield 0, masks, trained
    dense = trained, masks
    for round in range(1, rounds + 1):
        if not iterative:
            trained, masks = dense
        masks = prune(round, {name: trained[name] for name in prunable}, masks)  # step 3
        ticket = reset(rewind(trained) if rewind else initial, masks)  # step 4
        trained = train(round, ticket, masks)  # step 2, of the next round
        yield round, masks, trained


def reset(initial: State, masks: Masks) -> State:
    """Return a copy of theta_0 (or theta_k) in which pruned weights are +0.0: m * theta_0, without a product's -0.0."""
    return apply_masks(initial, masks)
