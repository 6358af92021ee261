"""Options that every command has."""

from __future__ import annotations

import functools
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from tinyticket._version import __version__
from tinyticket.errors import InputError
from tinyticket.report.blocks import WIDTH

if TYPE_CHECKING:
    from tinyticket.lottery.callbacks import Callback


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --quiet and --version to a command, which receives `quiet`; where it is stopped, note what of its --out is kept."""

    @functools.wraps(command)
    def with_logging(*args: Any, quiet: bool, **options: Any) -> Any:
        quiet = quiet or click.get_current_context().find_root().params.get("quiet", False)  # before the command
        logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, format="tinyticket: %(message)s")
        try:
            return command(*args, quiet=quiet, **options)
        except KeyboardInterrupt as stop:
            if out := options.get("out"):
                kept = Path(out).is_file() or any(Path(out).glob("*.h5"))
                stop.add_note(f"the finished rounds are in {out}" if kept else "no round was finished")
            raise click.Abort from stop  # which click passes on without a word

    with_logging = click.option("-q", "--quiet", is_flag=True, help="Show no progress and no remarks.")(with_logging)
    return click.version_option(__version__, message="tinyticket %(version)s")(with_logging)


OPTIONS = {
    name: click.option(f"--{name}", *more, help=help, **how)
    for name, more, help, how in (
        ("threads", (), "Threads; never changes a result.  [all cores]", {"type": int}),
        ("workers", (), "Processes that train side by side.  [as many as there are threads]", {"type": int}),
        ("scheduler", ("executor",), "Train on a Dask scheduler's workers.", {"metavar": "tcp://HOST:PORT"}),
        ("data-folder", (), "Where data sets lie: looked for there alone.", {"type": click.Path()}),
        ("log", (), "Append a line to a CSV file for every evaluation.", {"metavar": "FILE"}),
        ("tensorboard", (), "Write TensorBoard's event files (needs the extra tensorboard).", {"metavar": "FOLDER"}),
    )
}


def takes(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add some of the options that several commands have; a scheduler is received as `executor`."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            command = OPTIONS[name](command)
        return command

    return add


def callbacks(quiet: bool, log: str | None = None, tensorboard: str | None = None, out: str = "") -> list[Callback]:
    """Return the callbacks of the options --quiet, --log and --tensorboard.

    InputError says that one of them names a result file: `out`, or one of a sweep in the folder `out`.
    """
    from tinyticket.lottery.callbacks import CSVLog, ProgressBar, TensorBoard

    for option, path in (("--log", log), ("--tensorboard", tensorboard)):
        if path is not None and _is_result(path, out):
            raise InputError(f"{option} names the result file {path}; give it a name of its own")
    logs = ([] if log is None else [CSVLog(log)]) + ([] if tensorboard is None else [TensorBoard(tensorboard)])
    return [*logs, *([] if quiet else [ProgressBar()])]


def _is_result(path: str, out: str) -> bool:
    named, result = (Path(os.path.realpath(each)) for each in (path, out))
    return named == result or (named.parent == result and named.suffix == ".h5")


def writes(help: str, required: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add --output and --force to a command, which receives `output` when it has been checked that it may be written.

    A result file is never written over, another file only by force.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def checked(*args: Any, output: str | None, force: bool, **options: Any) -> Any:
            if output is not None:
                from tinyticket.store import check_free

                check_free(output, force)
            return command(*args, output=output, **options)

        replaces = "Replace the file of --output if it is there; a result file never."
        checked = click.option("--force", is_flag=True, help=replaces)(checked)
        return click.option("-o", "--output", type=click.Path(), required=required, help=help)(checked)

    return add


def result_files(given: Iterable[str]) -> list[str]:
    """Return the paths of result files, in place of a folder those in it; InputError if it holds none."""
    found = []
    for path in map(Path, given):
        inside = sorted(map(str, path.glob("*.h5"))) if path.is_dir() else [str(path)]
        if not inside:
            raise InputError(f"the folder {path} holds no result files (*.h5)")
        found += inside
    return found


def write_out(quiet: bool, output: str | None, write: Callable[[str], Any]) -> None:
    """Write the file of the option --output, if there is one, and say so."""
    if output is not None:
        write(output)
        if not quiet:
            click.echo(f"wrote {output}", err=True)


def one_of(asked: dict[str, bool]) -> str:
    """Return which of several flags that exclude each other is given, such as "json" for `as_json`; empty if none is."""
    given = [name.removeprefix("as_") for name, is_given in asked.items() if is_given]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(f'--{name}' for name in given)} exclude each other")
    return "".join(given)


def width() -> int:
    """Return how wide tables may be: as everywhere else, or as a narrower terminal is."""
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 25)).columns)


def print_table(*tables: Table) -> None:
    """Print tables as wide as they need to be: a number that is cut is worse than a line that wraps."""
    # With a height too, or rich takes a terminal of TERM=dumb to have 80 columns, whatever it is told.
    Console(width=10_000, height=25, emoji=False).print(*tables)
