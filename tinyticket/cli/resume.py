"""`tinyticket resume` and `tinyticket extend`: go on with a file by its own settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from tinyticket.cli.common import callbacks, common, takes
from tinyticket.cli.own_model import from_file
from tinyticket.cli.show import show_result


def _goes_on(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add to a command about a file the options of how it is run, and run the experiment that it returns."""

    @functools.wraps(command)
    def run(file: str, quiet: bool, log: str | None, tensorboard: str | None, **options: Any) -> None:
        running = {"workers", "executor"}
        given = {name: value for name, value in options.items() if value is not None or name not in running}
        given.setdefault("workers", None)  # as many as there are threads
        show_result(command(file, callbacks=callbacks(quiet, log, tensorboard, file), **given).run(), quiet)

    run = click.option("--masks-from", metavar="FILE", help="Where the masks are from, if the file's were given.")(run)
    return common(takes("log", "tensorboard")(from_file(takes("workers", "scheduler")(run))))


@click.command(epilog="\b\nExample:\n  tinyticket resume ticket.h5")
@click.argument("file", type=click.Path())
@_goes_on
def resume(file: str, **options: Any) -> Any:
    """Go on with an experiment that was stopped, by the settings in its file.

    Options say how it is run, which changes no result, and where things are that the file does not hold.
    """
    from tinyticket.lottery.extend import continued

    return continued(file, **options)


@click.command(
    epilog="\b\nExamples:\n  tinyticket extend ticket.h5 --controls reshuffle,noise-1\n"
    "  tinyticket extend ticket.h5 --trials 10 --rounds 15"
)
@click.argument("file", type=click.Path())
@click.option("--trials", type=int, help="How many trials there are then.")
@click.option("--rounds", type=int, help="How many rounds of pruning there are then.")
@click.option("--controls", default="none", metavar="NAME,...", help="Controls that come to those that the file has.")
@_goes_on
def extend(file: str, **options: Any) -> Any:
    """Train what a file lacks of more trials, rounds or controls.

    It holds then what it would have held had it been asked for them from the start.
    """
    from tinyticket.lottery.extend import extended

    return extended(file, **options)
