"""Result files that somebody has damaged, and everything that reads one: a program that `test_tickets` starts.

    python -m tests.fuzz.tickets FOLDER FIRST LAST

makes the cases FIRST to LAST - 1 of the files in FOLDER, and prints a line for each before it is read and one for how that went.
Case i is the same whenever it is made. If HDF5 takes the process with it, the program is started again behind that case.

A file is asked what its damage can reach (`readings`): each question that is told something new, and now and then those that have
been told it often. One file of 64 is asked all that it might be, and if then something is refused that no damage seemed to reach,
that is a bug too.
"""

import contextlib
import io
import json
import random
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

from tests.fuzz.damage import damage
from tests.fuzz.readings import Reach, readings
from tests.lottery.experiments import DATA, SMALL
from tinyticket import report
from tinyticket.errors import InputError
from tinyticket.lottery import extend, find, merge
from tinyticket.lottery.record import write_round
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.settings import Settings
from tinyticket.lottery.transfer import Network, OfResult, label
from tinyticket.report.export import export
from tinyticket.report.table import analysis_table, comparison_table, table, title
from tinyticket.results import Result, compare, load
from tinyticket.results.analyses import ANALYSES
from tinyticket.store import Archive, layout

SECONDS = 20
"""A case that computes longer hangs, and so does one that waits ten times as long: the machine may have other work."""

MEMORY = 400 << 20
"""Bytes that reading a file of 50 KB may take, all that Python, NumPy and HDF5 hold besides included."""


ALL = 1 / 64
"""The share of files that are asked everything."""

LONG = 8
"""How many cases there are for one that is asked something that takes long."""

OFTEN, SELDOM = 3, 1 / 16
"""How often a thing is new to a question, and in which share of cases it is asked that is told nothing new."""

MODEL = "mlp-12-3"
MODELS = {"tickets": "mlp-12-8-3", "moving": "mlp-12-8-3", "connected": "sparse-mlp-12-8-3@0.3"}
"""Of several layers where these depend on each other, and each is as many objects in a file."""

WRITING = ("resume", "extend")
"""What adds to the file: where it reads nothing that has changed, only the adding is left to do ("commit")."""


def seeds(folder: Path) -> None:
    """Write small files of several methods, and in another folder for each one of a trial that may be merged with it."""
    eager = {"eager": True, "rounds": 1, "iterations": 10}
    one_shot = {"rounds": None, "one_shot": [0.5]}
    (folder / "others").mkdir()
    for name, settings in {
        "tickets": {"controls": "reinit,random", "trials": 2},
        "rewound": {"rewind_to": 5, "controls": "none"},
        "continued": {"strategy": "continue", "controls": "none"},
        "frozen": {"mask_0": "freeze", "controls": "none"},
        "moving": {**one_shot, "method": "rigl", "update_every": 2, "controls": "static"},
        "early": {**one_shot, "method": "early-bird", "iterations": 60, "controls": "none"},
        "popup": {**one_shot, "method": "edge-popup", "controls": "none"},
        "compiled": {"eager": False, "controls": "none"},
        "connected": {"controls": "none", "rewind_to": 5},
    }.items():
        settings, model = {**SMALL, **eager, **settings}, MODELS.get(name, MODEL)
        find(model, DATA, **settings, out=folder / f"{name}.h5")
        settings |= {"first_trial": settings["trials"], "trials": 1}
        find(model, DATA, **settings, out=folder / "others" / f"{name}.h5")
    move_connections(folder / "connected.h5")
    with h5py.File(folder / "tickets.h5", "r+") as file:  # one with text as it was written before
        for group in (file, file["trials/0/rounds/00"], file["trials/1/rounds/01/controls/random"]):
            for key, value in group.attrs.items():
                if isinstance(value, bytes):
                    group.attrs[key] = value.decode()


def move_connections(path: Path) -> None:
    """Let the last network of a file have other connections than theta_0, as methods that move them do."""
    with h5py.File(path, "r+") as file:
        columns = file["trials/0/init/fc1.columns"][()]
        file["trials/0/rounds/01/trained/fc1.columns"] = 11 - columns[::-1]
        file["trials/0/rounds/01/trained/fc1.starts"] = columns.size - file["trials/0/init/fc1.starts"][()][::-1]


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
        "model": lambda: result.model(trial, last, weights="start"),
        "rewind": lambda: result.rewind(trial),
        "label": lambda: (label(result), Network(result)(np.random.default_rng(0))),
        "masks": lambda: [OfResult(result).masks(t.number, r.number) for t in result.trials for r in t.rounds],
    }


def merged(files: list[Path], out: Path) -> None:
    """Merge files into one that is not there."""
    out.unlink(missing_ok=True)
    merge(files, out)


def long_questions(result: Result, path: Path, folder: Path, whole: Path) -> dict[str, Callable]:
    """Return the questions that take longer: verify, merge, resume, extend, masks-from, dense-from."""
    asked = {
        "verify": lambda: verify(result, data=DATA, threads=1),
        "merge": lambda: merged([path, whole.parent / "others" / whole.name], folder / "merged.h5"),
    }
    settings = Settings.from_plain(result.config)
    if max(settings.iterations, settings.rounds, settings.trials) > 60:
        return asked  # what would take hours with an undamaged file too
    options = {
        **settings.to_plain(),
        "data": DATA,
        "model": MODELS.get(whole.stem, MODEL),
        "schedule": settings.schedule,
    }
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


class Whole:
    """A file as it was written: what each question reads there, and which are refused anyway.

    Attributes
    ----------
    reach : Reach
        What damage of the file changes for whom.
    names : two lists of str
        What is asked in milliseconds, and what takes longer.
    known : Counter
        How often a question was told a thing that the whole file does not tell, by the hash of the two.
    """

    def __init__(self, file: Path, folder: Path):
        self.path, self.content, path = file, file.read_bytes(), folder / "case.h5"
        path.write_bytes(self.content)
        reads, self.refused, self.known = {"load": readings(lambda: load(path))[0]}, set[str](), Counter[int]()
        result = load(path)
        self.names = [*questions(result, path, folder, file)], [*long_questions(result, path, folder, file)]
        for name in (*self.names[0], *self.names[1]):
            path.write_bytes(self.content)  # which the question before may have added to
            result = load(path)
            asked = questions(result, path, folder, file) | long_questions(result, path, folder, file)
            reads[name], is_refused = readings(asked[name])
            self.refused |= {name} if is_refused else set()
        path.write_bytes(self.content)
        self.reach = Reach(path, reads)
        result = load(path)
        self.header = {name: value for name, value in result.header.items() if name != "diverged"}
        self.initial, self.runs = result.init(0), [round.run() for round in result.trials[0].rounds]

    def is_new(self, question: str, told: frozenset, dice: random.Random) -> bool:
        """Whether a question is asked that is told such things: always if any is new, seldom if none is."""
        things = [hash((question, thing)) for thing in told]
        self.known.update(things)
        return any(self.known[thing] <= OFTEN for thing in things) or dice.random() < SELDOM


def commit(path: Path, whole: Whole) -> None:
    """Add what a whole file holds of a trial as another one, and as a control to each later round."""

    def write(file: h5py.File) -> None:
        layout.write_header(file, **whole.header)
        for number, run in enumerate(whole.runs):
            write_round(file, 90, number, whole.initial, {None: run}, before="")
            if number:
                write_round(file, 0, number, whole.initial, {None: run, "more": run}, before="")

    Archive(path).commit(write)


def examine(path: Path, folder: Path, whole: Whole, case: int, dice: random.Random) -> str:
    """Ask a damaged file what its damage reaches, of what takes long at most the one that a case is asked.

    All that is read, is in one opening of the file; where everything is asked, in as many as a user's commands have.
    """
    short, long = whole.names
    names = short if case % LONG else [*short, long[case // LONG % len(long)]]
    touched, archive, all_asked = whole.reach.touched(path.read_bytes()), Archive(path), dice.random() < ALL
    with contextlib.ExitStack() as opened:
        try:
            root = opened.enter_context(archive.read())
            result = Result(archive)
            asked = questions(result, path, folder, whole.path)
            if names != short:
                asked |= long_questions(result, path, folder, whole.path)
        except InputError:
            assert whole.reach.is_asked("load", touched), "it reads nothing that has changed"
            return "refused"
        changes = whole.reach.changes(root, touched, ["load", *names])
        if "load" in changes:
            changes = {name: changes["load"] | changes.get(name, frozenset()) for name in names}
        if all_asked:
            opened.close()
        found = set[str]()
        # First those that shall not notice anything, last what writes.
        for name in sorted(names, key=lambda name: (name in WRITING, name in changes)):
            is_new = name in changes and whole.is_new(name, changes[name], dice)
            if name in asked and (is_new or all_asked):
                found |= {name} if is_refused(asked[name]) else set()
            elif name in WRITING:
                is_refused(lambda: commit(path, whole))
    found -= whole.refused
    assert found <= changes.keys(), f"{found - changes.keys()} read nothing that has changed"
    return "refused" if found else "read"


def is_refused(ask: Callable) -> bool:
    """Ask a question, and return whether it is refused in a sentence."""
    try:
        ask()
    except InputError:
        return True
    return False


def main(folder: Path, first: int, last: int) -> None:
    """Make and read cases."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        wholes = [Whole(file, work) for file in sorted(folder.glob("*.h5"))]  # which imports all there is to import
        commit(work / "case.h5", wholes[-1])
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for case in range(first, last):
        dice = random.Random(case)
        whole = wholes[dice.randrange(len(wholes))]
        for left in work.iterdir():
            left.unlink()
        print(f"making {case}", flush=True)
        how, content = damage(whole.content, dice, work)
        (work / "case.h5").write_bytes(content)
        print(f"case {case} {whole.path.stem} {how!a}", flush=True)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(10 * SECONDS)
        try:
            outcome = examine(work / "case.h5", work, whole, case, dice)
        except Exception:
            outcome = "bug " + traceback.format_exc().replace("\n", "\x1f")
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        print(outcome, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
