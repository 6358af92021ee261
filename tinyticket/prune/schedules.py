"""Pruning gradually while training goes on (Zhu and Gupta 2017, "To prune, or not to prune", equation 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinyticket.errors import InputError
from tinyticket.prune.counts import kept
from tinyticket.prune.densities import checked_density


def cubic_density(iteration: int, final: float, begin: int, end: int, initial: float = 1.0) -> float:
    """Return the density at an iteration: final + (initial - final) (1 - (t - begin) / (end - begin))^3.

    It falls fast while there is much to spare, and slowly at the end; it is `initial` before `begin` and `final` from `end` on.

    Parameters
    ----------
    iteration, begin, end : int
        Iterations, counted from 0; begin < end.
    final, initial : float
        Densities in (0, 1], final <= initial.

    Raises
    ------
    InputError
        If densities or iterations are out of order.
    """
    if not 0 <= begin < end:
        raise InputError(f"gradual pruning begins at an iteration from 0 up and ends later; got {begin} and {end}")
    if checked_density(final) > checked_density(initial):
        raise InputError(f"gradual pruning goes from a density down to a lower one; got {initial} to {final}")
    left = 1 - min(max((iteration - begin) / (end - begin), 0.0), 1.0)
    return final + (initial - final) * left**3


@dataclass(frozen=True)
class Event:
    """One pruning of a gradual schedule.

    Attributes
    ----------
    iteration : int
        After how many training iterations it happens.
    density : float
        What it prunes to; `keep_density(scores, density_by_layer, masks)` does it.
    weights_left : dict
        Number of weights that each entry of `sizes` has then.
    """

    iteration: int
    density: float
    weights_left: dict[str, int]


def plan_gradual(
    sizes: Mapping[str, int], final: float, begin: int, end: int, every: int, initial: float = 1.0
) -> list[Event]:
    """Return the prunings from iteration `begin` to `end`, `every` so many iterations, with exact counts.

    Parameters
    ----------
    sizes
        Number of weights by layer; for pruning in global scope, one entry for all of them.
    final, begin, end, initial
        See `cubic_density`.
    every
        Iterations between prunings; it divides end - begin.

    Returns
    -------
    list of Event
        One for each of begin, begin + every, ..., end, each to floor(density * size + 1/2) weights of every entry. Those that
        remove nothing, such as the first one of a dense network, are left out.

    Raises
    ------
    InputError
        If `every` does not divide the span, or an entry would lose all its weights.
    """
    if every < 1 or (end - begin) % every:
        raise InputError(
            f"prunings come at a whole number of intervals: every {every} iterations does not divide {begin} to {end}"
        )
    events = []
    before = dict(sizes)
    for iteration in range(begin, end + 1, every):
        density = cubic_density(iteration, final, begin, end, initial)
        left = {name: kept(size, density) for name, size in sizes.items()}
        for name, count in left.items():
            if count == 0:
                raise InputError(
                    f"a density of {density:.4g} at iteration {iteration} would leave none of the {sizes[name]} "
                    f"weights of {name}"
                )
        if left != before:
            events.append(Event(iteration, density, left))
        before = left
    return events
