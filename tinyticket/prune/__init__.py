"""Pruning: from dicts of arrays (weights) to dicts of masks, True where a weight survives. Any framework's arrays will do.

`selection` drops an exact number of the smallest scores; a criterion, such as `magnitude`, is what the score is. `counts` says
beforehand how many weights every round will remove, `allocation` which fraction each layer gets, `random` draws control masks.
"""

from tinyticket.prune.allocation import GROUPS, fractions_by_layer, one_shot_fractions, parse_fractions
from tinyticket.prune.counts import plan_rounds, removed
from tinyticket.prune.magnitude import magnitude
from tinyticket.prune.random import random
from tinyticket.prune.selection import keep_largest

__all__ = [
    "GROUPS",
    "fractions_by_layer",
    "keep_largest",
    "magnitude",
    "one_shot_fractions",
    "parse_fractions",
    "plan_rounds",
    "random",
    "removed",
]
