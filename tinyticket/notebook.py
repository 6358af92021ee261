"""What notebooks show instead of text: small tables as HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from tinyticket.errors import printable


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], below: str = "") -> str:
    """Return a table as HTML, and a sentence below it; all text is shown as it is."""
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    sentence = f"<p>{_text(below)}</p>" if below else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{sentence}"


def lines(text: str) -> str:
    """Return lines of text whose columns stay below each other."""
    return f"<pre>{escape(text)}</pre>"


def _text(text: str) -> str:
    return escape(printable(text))
