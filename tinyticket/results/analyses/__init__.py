"""Analyses of a result file: each a function from a `Result` to a table, one idea a file.

To add one, write such a function and list it below; the command line and the pictures need nothing more. Analyses that evaluate or
train networks are in `lottery/replay/`.
"""

import functools
from collections.abc import Callable
from typing import Any

from tinyticket.results.analyses.analysis import Analysis
from tinyticket.results.analyses.cost import cost
from tinyticket.results.analyses.degrees import degrees
from tinyticket.results.analyses.fields import fields
from tinyticket.results.analyses.layers import layers
from tinyticket.results.analyses.movement import movement
from tinyticket.results.analyses.overlap import overlap
from tinyticket.results.analyses.signs import signs
from tinyticket.results.result import Result


def _opening_once(analyse: Callable[..., Analysis]) -> Callable[..., Analysis]:
    """Let an analysis, which reads a network after the other, open the file once."""

    @functools.wraps(analyse)
    def opening(result: Result, *arguments: Any, **options: Any) -> Analysis:
        with result.archive.read():
            return analyse(result, *arguments, **options)

    return opening


ANALYSES: dict[str, Callable[..., Analysis]] = {
    each.__name__: _opening_once(each) for each in (layers, overlap, degrees, movement, signs, fields, cost)
}

__all__ = ["ANALYSES", "Analysis", "cost", "degrees", "fields", "layers", "movement", "overlap", "signs"]
