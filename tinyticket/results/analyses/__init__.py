"""Analyses of a result file: each a function from a `Result` to a table, one idea a file.

To add one, write such a function and list it below; the command line and the pictures need nothing more. Analyses that evaluate or
train networks are in `lottery/replay/`.
"""

from collections.abc import Callable

from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.analyses.cost import cost
from tinyticket.results.analyses.degrees import degrees
from tinyticket.results.analyses.fields import fields
from tinyticket.results.analyses.layers import layers
from tinyticket.results.analyses.movement import movement
from tinyticket.results.analyses.overlap import overlap
from tinyticket.results.analyses.signs import signs

ANALYSES: dict[str, Callable[..., Analysis]] = {
    each.__name__: each for each in (layers, overlap, degrees, movement, signs, fields, cost)
}

__all__ = ["ANALYSES", "Analysis", "cost", "degrees", "fields", "layers", "movement", "overlap", "signs"]
