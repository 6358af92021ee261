"""Options that every command has."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from tinyticket._version import __version__

if TYPE_CHECKING:
    from tinyticket.lottery.callbacks import Callback


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --quiet and --version to a command; it receives `quiet`."""

    @functools.wraps(command)
    def with_logging(*args: Any, quiet: bool, **options: Any) -> Any:
        logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, format="tinyticket: %(message)s")
        return command(*args, quiet=quiet, **options)

    with_logging = click.option("-q", "--quiet", is_flag=True, help="Show no progress and no remarks.")(with_logging)
    return click.version_option(__version__, message="tinyticket %(version)s")(with_logging)


def callbacks(quiet: bool, log: str | None = None, tensorboard: str | None = None) -> list[Callback]:
    """Return the callbacks of the options --quiet, --log and --tensorboard."""
    from tinyticket.lottery.callbacks import CSVLog, ProgressBar, TensorBoard

    logs = ([] if log is None else [CSVLog(log)]) + ([] if tensorboard is None else [TensorBoard(tensorboard)])
    return [*logs, *([] if quiet else [ProgressBar()])]


def write_out(quiet: bool, output: str | None, write: Callable[[str], None]) -> None:
    """Write the file of the option --output, if there is one, and say so."""
    if output:
        write(output)
        if not quiet:
            click.echo(f"wrote {output}", err=True)


def print_table(table: Table) -> None:
    """Print a table as wide as it needs to be: a number that is cut is worse than a line that wraps."""
    Console(width=10_000).print(table)
