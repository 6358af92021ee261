"""Analyses of a result file: each a function from a `Result` to a table, one idea a file.

To add one, write such a function and list it below; the command line and the pictures need nothing more.
"""

from collections.abc import Callable

from tinyticket.lottery.analyses.analysis import Analysis
from tinyticket.lottery.analyses.cost import cost
from tinyticket.lottery.analyses.degrees import degrees
from tinyticket.lottery.analyses.layers import layers
from tinyticket.lottery.analyses.movement import movement
from tinyticket.lottery.analyses.overlap import overlap
from tinyticket.lottery.analyses.supermask import supermask

ANALYSES: dict[str, Callable[..., Analysis]] = {
    "layers": layers,
    "overlap": overlap,
    "degrees": degrees,
    "movement": movement,
    "cost": cost,
    "supermask": supermask,
}
NEED_DATA = ("supermask",)  # these take the arguments `data` and `folder` of `find`

__all__ = ["ANALYSES", "NEED_DATA", "Analysis", "cost", "degrees", "layers", "movement", "overlap", "supermask"]
