"""Result files that somebody has damaged, and everything that reads one: a program that `test_tickets` starts.

    python -m tests.fuzz.tickets FOLDER FIRST LAST

makes the cases FIRST to LAST - 1 of the files in FOLDER, and prints a line for each before it is read and one for how that went.
Case i is the same whenever it is made. If HDF5 takes the process with it, the program is started again behind that case.
"""

import contextlib
import io
import json
import random
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

from tests.fuzz.damage import damage
from tests.lottery.experiments import DATA, SMALL
from tinyticket import report
from tinyticket.errors import InputError
from tinyticket.lottery import extend, find, merge
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.transfer import Given, Network, OfResult, label
from tinyticket.report.analysis import analysis_table
from tinyticket.report.export import export
from tinyticket.report.table import comparison_table, table, title
from tinyticket.results import Result, compare, load
from tinyticket.results.analyses import ANALYSES

SECONDS = 20
"""A case that takes longer hangs."""

MEMORY = 400 << 20
"""Bytes that reading a file of 50 KB may take, all that Python, NumPy and HDF5 hold besides included."""


def seeds(folder: Path) -> None:
    """Write small files of several methods."""
    eager = {"eager": True, "rounds": 1, "iterations": 10}
    one_shot = {"rounds": None, "one_shot": [0.5]}
    for name, settings in {
        "tickets": {"controls": "reinit,random", "trials": 2},
        "rewound": {"rewind_to": 5, "controls": "none"},
        "continued": {"strategy": "continue", "controls": "none"},
        "frozen": {"mask_0": "freeze", "controls": "none"},
        "moving": {**one_shot, "method": "rigl", "update_every": 2, "controls": "static"},
        "early": {**one_shot, "method": "early-bird", "iterations": 60, "controls": "none"},
        "popup": {**one_shot, "method": "edge-popup", "controls": "none"},
        "compiled": {"eager": False, "controls": "none"},
    }.items():
        find("mlp-12-8-3", DATA, **{**SMALL, **eager, **settings}, out=folder / f"{name}.h5")
    with h5py.File(folder / "tickets.h5", "r+") as file:  # one with text as it was written before
        for group in (file, file["trials/0/rounds/00"], file["trials/1/rounds/01/controls/random"]):
            for key, value in group.attrs.items():
                if isinstance(value, bytes):
                    group.attrs[key] = value.decode()


def questions(result: Result, path: Path, folder: Path, whole: Path) -> dict[str, Callable]:
    """Return what can be asked of a result in milliseconds, by name."""
    trial, last = result.trials[0].number, result.trials[0].rounds[-1].number
    return {
        "json": lambda: json.dumps(report.summary(result)),
        "csv": lambda: report.to_csv(result),
        "show": lambda: (title(result), shown(table(result))),
        "compare": lambda: shown(comparison_table(compare([load(whole), result]))),
        **{name: lambda ask=ask: analysis_table(ask(result)) for name, ask in ANALYSES.items()},
        **{
            f"export {end}": lambda end=end: export(result, folder / f"export.{end}", trial, last)
            for end in ("npz", "onnx", "c")
        },
        "merge": lambda: merged([whole, path], folder / "merged.h5"),
        "model": lambda: result.model(trial, last, weights="start"),
        "rewind": lambda: result.rewind(trial),
        "label": lambda: (label(result), Network(result)(np.random.default_rng(0))),
        "masks": lambda: [
            Given(OfResult(result), t.number).prune(r.number, {}, {}) for t in result.trials for r in t.rounds
        ],
    }


def merged(files: list[Path], out: Path) -> None:
    """Merge files into one that is not there."""
    out.unlink(missing_ok=True)
    merge(files, out)


def long_questions(result: Result, path: Path, folder: Path) -> dict[str, Callable]:
    """Return what takes longer, of which every other case is asked one."""
    asked = {"verify": lambda: verify(result, data=DATA, threads=1)}
    settings = Settings.from_plain(result.config)
    if max(settings.iterations, settings.rounds, settings.trials) > 60:
        return asked  # what would take hours with an undamaged file too
    options = {**settings.to_plain(), "data": DATA, "model": "mlp-12-8-3", "schedule": settings.schedule}
    options |= {"prune": None, "rounds": None} if settings.one_shot else {"one_shot": None}
    options.pop("masks_from", None)
    options["threads"] = 1
    copy, more = {"controls": "none", "trials": 1, "dense_from": path}, {"trials": settings.trials + 1}
    if not settings.one_shot:
        copy["rounds"] = 0
    moved = {"masks_from": path, "iterations": 2, "evaluate_every": 1, "batch_size": 20, "validation": 40}
    moved |= {"trials": 1, "controls": "none", "eager": True, "threads": 1}
    return asked | {
        "dense from": lambda: find(**{**options, **copy}, out=folder / "dense.h5"),
        "masks from": lambda: find(data=DATA, **moved),
        "resume": lambda: find(**{**options, **more}, out=path),
        "extend": lambda: extend(path, data=DATA, controls="noise-1", threads=1),
    }


def shown(what: list[Table]) -> str:
    """Return tables as they stand on a terminal."""
    Console(file=(out := io.StringIO()), width=1000).print(*what)
    return out.getvalue()


def refused(path: Path, folder: Path, whole: Path, case: int | None = None) -> set[str]:
    """Ask a file everything, of what takes long all or the one that a case is asked, and return what was refused."""
    found = set()
    try:
        result = load(path)
        long = long_questions(result, path, folder)
    except InputError:
        return {"load"}
    if case is not None:
        chosen = list(long)[case // 2 % len(long)]
        long = {} if case % 2 else {chosen: long[chosen]}
    for name, ask in {**questions(result, path, folder, whole), **long}.items():
        try:
            ask()
        except InputError:
            found.add(name)
    return found


def main(folder: Path, first: int, last: int) -> None:
    """Make and read cases."""
    files = sorted(folder.glob("*.h5"))
    contents = [file.read_bytes() for file in files]
    with contextlib.redirect_stdout(io.StringIO()):
        work = folder / "work"
        work.mkdir(exist_ok=True)
        usual = []
        for file, content in zip(files, contents, strict=True):  # which imports all there is to import
            (work / "case.h5").write_bytes(content)
            usual.append(refused(work / "case.h5", work, file))
            for left in work.iterdir():
                left.unlink()
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for case in range(first, last):
        dice = random.Random(case)
        which = dice.randrange(len(files))
        for left in work.iterdir():
            left.unlink()
        print(f"making {case}", flush=True)
        how, content = damage(contents[which], dice, work)
        (work / "case.h5").write_bytes(content)
        print(f"case {case} {files[which].stem} {how!a}", flush=True)
        signal.alarm(SECONDS)
        try:
            new = refused(work / "case.h5", work, files[which], case) - usual[which]
            outcome = "refused" if new else "read"
        except Exception:
            outcome = "bug " + traceback.format_exc().replace("\n", "\x1f")
        signal.alarm(0)
        print(outcome, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
