"""Which fraction each layer loses: convolutions, fully-connected layers and the output layer have their own."""

from __future__ import annotations

from collections.abc import Mapping

from tinyticket.errors import InputError, near
from tinyticket.prune.selection import checked_fraction

GROUPS = ("conv", "fc", "output")


def parse_fractions(value: float | str | Mapping[str, float], scope: str = "layer") -> dict[str, float]:
    """Return the fraction removed per round from each group of layers.

    Parameters
    ----------
    value
        One fraction for all groups, of which the output layer gets half in layer scope (as in the paper); or one per group, as a
        mapping or as text such as "conv=0.1,fc=0.2,output=0.1". Without "output", the output layer gets half of "fc". A group
        at 0 is not pruned.
    scope : {"layer", "global"}
        In global scope all groups that are pruned share one fraction.

    Raises
    ------
    InputError
        If a group is unknown or a fraction is not in (0, 1).
    """
    if isinstance(value, str):
        value = _parse(value)
    halve = 1.0 if scope == "global" else 0.5
    if not isinstance(value, Mapping):
        fraction = checked_fraction(float(value))
        return {"conv": fraction, "fc": fraction, "output": halve * fraction}
    for group, fraction in value.items():
        if group not in GROUPS:
            raise InputError(f"no group of layers is called {group!r}{near(group, GROUPS)}")
        _ = fraction and checked_fraction(fraction)
    fractions = {group: float(fraction) for group, fraction in value.items()}
    if "fc" in fractions:
        fractions.setdefault("output", halve * fractions["fc"])
    if not any(fractions.values()):
        raise InputError("every group of layers has the fraction 0, so nothing would be pruned")
    if scope == "global" and len({fraction for fraction in fractions.values() if fraction}) > 1:
        raise InputError(f"in global scope the groups that are pruned share one fraction, or have 0; got {fractions}")
    return {group: fractions[group] for group in GROUPS if group in fractions}


def _parse(text: str) -> float | dict[str, float]:
    try:
        if "=" not in text:
            return float(text)
        return {group.strip(): float(number) for group, number in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise InputError(
            f"{text!r} is no fraction: write 0.2, or one for each group such as conv=0.1,fc=0.2,output=0.1"
        ) from None


def fractions_by_layer(groups: Mapping[str, str], fractions: Mapping[str, float]) -> dict[str, float]:
    """Return each layer's fraction from that of its group.

    Parameters
    ----------
    groups
        The group ("conv", "fc" or "output") of each layer.
    fractions
        The fraction of each group.

    Raises
    ------
    InputError
        If the model has layers of a group without a fraction.
    """
    for name, group in groups.items():
        if group not in fractions:
            raise InputError(
                f"the model has a layer {name} of the group {group!r}, for which no fraction is given; "
                f"write {group}=0 to leave it alone"
            )
    return {name: fractions[group] for name, group in groups.items()}


def one_shot_fractions(
    sizes: Mapping[str, int], groups: Mapping[str, str], density: float, scope: str = "layer"
) -> dict[str, float]:
    """Return each layer's fraction such that pruning once leaves the whole network at `density`.

    In layer scope the output layer loses half the fraction of the others, which is solved for: with n weights in all, of which
    n_out are the output layer's, fraction = (1 - density) n / (n - n_out / 2).

    Raises
    ------
    InputError
        If the density is not in (0, 1), or so low that the other layers would have to lose everything.
    """
    if not 0 < density < 1:
        raise InputError(f"a density lies between 0 and 1, both excluded; got {density}")
    halved = sum(size for name, size in sizes.items() if groups[name] == "output") if scope == "layer" else 0
    total = sum(sizes.values())
    fraction = (1 - density) * total / (total - halved / 2)
    if fraction >= 1:
        raise InputError(
            f"a density of {density} cannot be reached in one shot: with the output layer pruned at half the fraction, "
            f"at least {halved / 2 / total:.4g} of the weights stay"
        )
    return {name: fraction / 2 if groups[name] == "output" and scope == "layer" else fraction for name in sizes}
