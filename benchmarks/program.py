"""What `python -m benchmarks` does: measure, show, write."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import arguments, environment, kernels, memory, peers, plots, processes, rows, run, step
from benchmarks.arguments import Options
from benchmarks.check import WrongResultError
from benchmarks.probe import Probe
from benchmarks.rows import Row
from benchmarks.timing import QUICK, Discipline
from tinyticket.errors import InputError

MEASURES: dict[str, Any] = {
    "kernels": kernels.measure,
    "step": step.measure,
    "run": run.measure,
    "memory": memory.measure,
}


def main(given: Sequence[str] | None = None, discipline: Discipline | None = None) -> int:
    """Run a benchmark and return the exit code: 0, 1 for a wrong result, 2 for bad input."""
    try:
        options = arguments.parse(given)
        if options.plot:
            plots.require()
        if options.processes > 1:
            found = processes.middle_of_many(options, list(sys.argv[1:] if given is None else given))
        else:
            found = measure(options, discipline or (QUICK if options.quick else Discipline()))
        _deliver(options, found)
    except InputError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except WrongResultError as error:
        print(f"benchmarks: WRONG RESULT: {error}", file=sys.stderr)
        return 1
    return 0


def measure(options: Options, discipline: Discipline) -> list[Row]:
    """Measure in this process and return the rows, saying on the way what is measured and by what."""
    asked = peers.resolve(options.benchmark, list(options.peers), options.threads, options.device)
    for line in environment.describe(asked.versions):
        print(line)
    if options.device != "cpu":
        from tinyticket.kernels.cuda import toolkit

        print(*(f"{name}: {words}" for name, words in toolkit.describe().items()), sep="\n")
    many = rows.threads_in_words(options.threads)
    print(f"{many}; medians of {discipline.blocks} alternating blocks of at least {discipline.calls} calls")
    for name, reason in asked.missing.items():
        print(f"peer {name}: {reason}")
    for name in asked.elsewhere:
        print(f"peer {name}: {options.benchmark} does not compare with it")
    sys.stdout.flush()
    probe = Probe(options.threads, discipline.rest)
    probe.read()
    found = []
    for each in _until_stopped(MEASURES[options.benchmark](options, asked, discipline, probe)):
        each["probe"] = probe.latest
        found.append(each)
        print(rows.line(each), file=sys.stderr, flush=True)  # at once: the table comes at the end
    probe.read()
    for each in found:
        each["probe_variation"] = {work: round(varied, 3) for work, varied in probe.variation.items()}
        if each["peer"] in peers.PACKAGES and (version := asked.versions.get(peers.PACKAGES[each["peer"]])):
            each["peer_version"] = version
    print(probe.report() if discipline.rest else "")
    return found


def _until_stopped(measured: Iterator[Row]) -> Iterator[Row]:
    """Pass rows on until Ctrl-C: what was measured by then is shown and written."""
    try:
        yield from measured
    except KeyboardInterrupt:
        print("benchmarks: stopped; these are the rows so far", file=sys.stderr)


def _deliver(options: Options, found: list[Row]) -> None:
    print(rows.table(found))
    if options.benchmark == "memory":
        print(*memory.remarks(found), sep="\n")
    if options.benchmark == "run":
        print(*run.remarks(found), sep="\n")
    if options.quick:
        print("--quick: these figures mean nothing")
    if options.json:
        rows.write(options.json, found)
    if options.plot:
        for path in plots.draw(options, found):
            print(f"wrote {path}")
