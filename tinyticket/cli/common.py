"""Options that every command has."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from tinyticket._version import __version__
from tinyticket.errors import InputError

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


def watched(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --log and --tensorboard to a command, for `callbacks`."""
    for option in (
        click.option(
            "--tensorboard", metavar="FOLDER", help="Write TensorBoard's event files (needs the extra tensorboard)."
        ),
        click.option("--log", metavar="FILE", help="Append a line to a CSV file for every evaluation."),
    ):
        command = option(command)
    return command


def callbacks(quiet: bool, log: str | None = None, tensorboard: str | None = None, out: str = "") -> list[Callback]:
    """Return the callbacks of the options --quiet, --log and --tensorboard.

    Raises
    ------
    InputError
        If one of them names a result file: `out`, or one of a sweep in the folder `out`.
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


def write_out(quiet: bool, output: str | None, write: Callable[[str], None]) -> None:
    """Write the file of the option --output, if there is one, and say so."""
    if output:
        write(output)
        if not quiet:
            click.echo(f"wrote {output}", err=True)


def one_of(asked: dict[str, bool]) -> str:
    """Return which of several flags that exclude each other is given, such as "json" for `as_json`; empty if none is."""
    given = [name.removeprefix("as_") for name, is_given in asked.items() if is_given]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(f'--{name}' for name in given)} exclude each other")
    return "".join(given)


def print_table(table: Table) -> None:
    """Print a table as wide as it needs to be: a number that is cut is worse than a line that wraps."""
    Console(width=10_000).print(table)
