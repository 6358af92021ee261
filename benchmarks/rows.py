"""A measurement as a row: what the JSON file holds and the table shows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import Timing
from tinyticket.store import check_free, replace

KEYS = ("benchmark", "case", "density", "threads", "seconds", "peer", "peer_seconds", "ratio")
"""What every row has, in this order; a ratio above 1 means that tinyticket is faster."""

Row = dict[str, Any]


def row(
    benchmark: str,
    case: str,
    density: float | None,
    threads: int,
    own: Timing | float,
    peer: str | None = None,
    theirs: Timing | float | None = None,
    **extra: Any,
) -> Row:
    """Make a row; `extra` says what the fixed keys have no room for.

    Of timings it keeps the quartiles ("spread", "peer_spread") and the number of calls too.
    """
    seconds, details = _seconds(own, "")
    peer_seconds, peer_details = _seconds(theirs, "peer_")
    values = (benchmark, case, density, threads, seconds, peer, peer_seconds, _ratio(seconds, peer_seconds))
    return {**dict(zip(KEYS, values, strict=True)), **details, **peer_details, **extra}


def _seconds(timing: Timing | float | None, prefix: str) -> tuple[float | None, Row]:
    if not isinstance(timing, Timing):
        return timing, {}
    return timing.median, {
        f"{prefix}spread": [timing.lower, timing.upper],
        f"{prefix}calls": timing.calls,
    }


def _ratio(seconds: float | None, peer_seconds: float | None) -> float | None:
    return peer_seconds / seconds if seconds and peer_seconds else None


def check_writable(path: str | None) -> str | None:
    """Say what is wrong with a place for a file before minutes have been spent on filling it."""
    if path is None:
        return None
    if Path(path).is_dir():
        return f"--json {path} is a folder; expected a file"
    check_free(path, force=True)
    if not Path(path).absolute().parent.is_dir():
        return f"--json {path}: there is no folder {Path(path).absolute().parent}"
    return None


def write(path: str, rows: Sequence[Row]) -> None:
    """Write rows as a JSON list; InputError if a result file is there, which is not overwritten."""
    replace(Path(path), (json.dumps(rows, indent=1) + "\n").encode())


def read(path: str) -> list[Row]:
    """Read what `write` wrote."""
    return json.loads(Path(path).read_text())


def table(rows: Sequence[Row]) -> str:
    """Lay rows out for people; a peer that could not be measured has its reason in place of its time, in full below."""
    lines = [
        ("case", "density", "threads", "tinyticket", "quartiles", "peer", "its time", "quartiles", "ratio", "error")
    ]
    for r in rows:
        lines.append(
            (
                r["case"],
                "" if r["density"] is None else f"{r['density']:.4g}",
                str(r["threads"]),
                duration(r["seconds"]),
                _spread(r.get("spread")),
                r["peer"] or "",
                duration(r["peer_seconds"]) or r.get("note", "").partition(":")[0],
                _spread(r.get("peer_spread")),
                "" if r["ratio"] is None else f"{r['ratio']:.2f}x",
                "" if r.get("error") is None else f"{r['error']:.0e}",
            )
        )
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    notes = [f"{r['peer'] or r['case']} {r['note']}" for r in rows if ":" in r.get("note", "")]
    notes += [f"{r['case']}: {r['own_note']}" for r in rows if "own_note" in r]
    return "\n".join([*(_align(line, widths) for line in lines), *dict.fromkeys(notes)])


def line(r: Row) -> str:
    """Say one row, as it is measured."""
    density = "" if r["density"] is None else f" at {r['density']:.4g}"
    sizes = [f"peak {r['peak_bytes'] / 2**20:.1f} MiB"] if "peak_bytes" in r else []
    own = ", ".join([duration(r["seconds"])] * bool(r["seconds"]) + sizes)
    theirs = duration(r["peer_seconds"]) or r.get("note", "").partition(":")[0]
    beside = f"; {r['peer']} {theirs}".rstrip() if r["peer"] else ""
    return f"{r['case']}{density}: {own}{beside}" + (f", {r['ratio']:.2f}x" if r["ratio"] else "")


def _align(line: Sequence[str], widths: Sequence[int]) -> str:
    words = 0, 5  # case and peer; the other columns hold numbers
    cells = enumerate(zip(line, widths, strict=True))
    return "  ".join(cell.ljust(w) if i in words else cell.rjust(w) for i, (cell, w) in cells).rstrip()


def duration(seconds: float | None) -> str:
    """Write seconds in the unit that suits them, to three digits."""
    if seconds is None:
        return ""
    if seconds >= 100:
        return f"{seconds:.0f} s"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        if seconds >= size or unit == "ns":
            return f"{seconds / size:#.3g}".rstrip(".") + f" {unit}"
    return ""


def threads_in_words(count: int) -> str:
    """Return a number of threads with its noun."""
    return f"{count} thread" + "s" * (count > 1)


def _spread(quartiles: Sequence[float] | None) -> str:
    return "" if quartiles is None else f"{duration(quartiles[0])}-{duration(quartiles[1])}"
