"""What people look at, each made of a `Result`.

summary     JSON values and CSV rows; `table` a terminal's, `notebook` a notebook's
plot        pictures by name; `pictures/` draws them
page/       one HTML page with everything: `tinyticket.report(result, "ticket.html")`, for this module can be called
export      a network for other programs

What pages and pictures share is data: `charts`, made of `series`, `against_dense`, `curves` and `layers`; `masks`; `styles`,
`ticks`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType

from tinyticket.report.summary import rows, summary, to_csv
from tinyticket.results import Result

__all__ = ["rows", "summary", "to_csv"]


class _Report(ModuleType):
    """The class of this module, which is a function too: the page is what most people want of it."""

    def __call__(self, results: Result | Sequence[Result], path: str | os.PathLike | None = None) -> str:
        """Return a result, or several, as an HTML page, and write it to a file if there is a path: see `page.report`."""
        from tinyticket.report.page import report

        return report(results, path)


sys.modules[__name__].__class__ = _Report
