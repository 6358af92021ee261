"""How many weights every round removes: known exactly before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tinyticket.errors import InputError


def removed(survivors: int, fraction: float) -> int:
    """Return how many of `survivors` weights go: the nearest whole number to fraction * survivors, halves rounded up."""
    return math.floor(fraction * survivors + 0.5)


def plan_rounds(
    sizes: Mapping[str, int], rounds: Sequence[Mapping[str, float]], scope: str, iterative: bool = True
) -> list[int]:
    """Return the number of weights left after every round, the dense round 0 first.

    Parameters
    ----------
    sizes
        Number of weights of every layer that can be pruned.
    rounds
        For each round after the dense one, the fraction removed from every layer; 0 leaves a layer alone. In global scope
        those above 0 are one number.
    scope : {"layer", "global"}
    iterative
        Whether a round prunes what the round before left, or (one-shot) the dense network.

    Raises
    ------
    InputError
        If a round would remove nothing, from a layer of which it is to remove something or at all, or all of a layer; round, layer
        and numbers are named.
    """
    left = [sum(sizes.values())]
    now = dict(sizes)
    if scope == "global":  # which layer loses how many is not known yet: only the total can be planned
        pruned = {name for fractions in rounds for name, fraction in fractions.items() if fraction}
        now = {"the network": sum(size for name, size in sizes.items() if name in pruned)}
    untouched = left[0] - sum(now.values())
    start = dict(now)
    for number, fractions in enumerate(rounds, start=1):
        if not any(fractions.values()):
            raise InputError(
                f"round {number} would remove none of {left[0]} weights: prune to a density below 1, or a fraction above 0"
            )
        before = now if iterative else start
        now = {}
        for name, count in before.items():
            fraction = max(fractions.values()) if scope == "global" else fractions[name]
            gone = removed(count, fraction)
            if fraction and gone == 0:
                raise InputError(
                    f"round {number} would remove nothing from {name}: {fraction:.4g} of its {count} weights "
                    "rounds to 0; prune fewer rounds or a larger fraction"
                )
            if gone == count:
                raise InputError(
                    f"round {number} would remove all of {name}: {fraction:.4g} of its {count} weights rounds to "
                    f"{gone}; prune fewer rounds or a smaller fraction"
                )
            now[name] = count - gone
        left.append(sum(now.values()) + untouched)
    return left


def kept(size: int, density: float) -> int:
    """Return how many of `size` weights a density keeps: the nearest whole number to density * size, halves rounded up."""
    return math.floor(density * size + 0.5)
