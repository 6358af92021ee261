"""Tables as text for other programs: CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}
"""Characters that LaTeX obeys, and how they are written."""


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows, of which there is one at least, as comma-separated text with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, numbers to the right."""
    lines = [headings, ["--:"] * len(headings), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def latex(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a tabular of LaTeX, numbers to the right."""
    head, *body = (" & ".join(map(_escaped, line)) + r" \\" for line in (headings, *rows))
    return "\n".join([rf"\begin{{tabular}}{{{'r' * len(headings)}}}", head, r"\hline", *body, r"\end{tabular}", ""])


def _escaped(cell: str) -> str:
    return re.sub(r"[\\~^&%$#_{}]", lambda found: LATEX[found[0]], cell)
