"""How a result shows itself: in a notebook, as a picture, as a page. What draws these lies above: it is imported when asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown:
    """What `Result` inherits to be looked at."""

    def plot(
        self: Any,
        path: str | os.PathLike | None = None,
        kind: str = "overview",
        round: int | None = None,
        trial: int | None = None,
    ) -> Figure:
        """Return a picture, and write it to a file if there is a path: see `tinyticket.report.plot.plot`."""
        from tinyticket.report.plot import plot

        return plot(self, path, kind, round, trial)

    def report(self: Any, path: str | os.PathLike | None = None) -> str:
        """Return an HTML page about everything, and write it to a file if there is a path: see `tinyticket.report.page.report`."""
        from tinyticket.report.page import report

        return report(self, path)

    def _repr_html_(self: Any) -> str:
        from tinyticket.report.notebook import result_html

        return result_html(self)
