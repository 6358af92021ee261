"""One kernel of ours against whatever peers can do the same, as rows."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks import environment
from benchmarks.arguments import Options
from benchmarks.peers import Peers
from benchmarks.rows import Row, row
from benchmarks.timing import Discipline, interleave


def compare(
    case: str,
    density: float | None,
    calls: Mapping[str, Callable[[], Any]],
    options: Options,
    peers: Peers,
    discipline: Discipline,
    error: float,
) -> Iterator[Row]:
    """Time calls against each other, ours under the name "", and yield a row for each peer, missing ones included."""
    with environment.threads(options.threads):
        for call in calls.values():
            call()
        timings = interleave(calls, discipline)
    shared = ("kernels", case, density, options.threads, timings[""])
    for name in calls:
        if name:
            yield row(*shared, name, timings[name], error=error)
    for name, reason in peers.missing.items():
        yield row(*shared, name, None, error=error, note=reason)
    if len(calls) == 1 and not peers.missing:
        yield row(*shared, error=error)
