"""`tinyticket replay`: repeat one training from its file and compare all bits."""

from __future__ import annotations

from typing import Any

import click

from tinyticket.cli.common import callbacks, common, print_table
from tinyticket.cli.own_model import from_file
from tinyticket.cli.waiting import waiting
from tinyticket.errors import printable


@click.command(
    epilog="\b\nExamples:\n  tinyticket replay ticket.h5 --round 3\n"
    "  tinyticket replay ticket.h5 --trial 1 --round 2 --control reinit\n\n"
    "The exit code is 0 if all bits agree, 1 if not."
)
@click.argument("file", type=click.Path())
@click.option("--trial", type=int, default=0, show_default=True, help="Counted from 0.")
@click.option("--round", type=int, default=0, show_default=True, help="Counted from 0; round 0 is the dense network.")
@click.option("--control", help="A control of the round, or `continued`, instead of the ticket.")
@from_file
@common
def replay(file: str, trial: int, round: int, control: str | None, quiet: bool, **options: Any) -> None:
    """Train one network of a result again and say whether weights, masks and history agree bit for bit."""
    from rich.box import SIMPLE_HEAD

    with waiting(quiet, f"loading the data and training trial {trial}, round {round} again"):
        from tinyticket import load
        from tinyticket.lottery.replay.replay import replay as repeat

        found = repeat(load(file), trial, round, control, callbacks=callbacks(quiet), **options)
    from rich.markup import escape
    from rich.table import Table

    for remark in found.remarks:
        click.echo(f"tinyticket: {printable(remark)}", err=True)
    if found.agrees:
        click.echo(f"{found.title}: all bits agree")
        return
    click.echo(f"{found.title}: differs from the file")
    shown = Table("what", "places", "largest difference", header_style="bold", box=SIMPLE_HEAD)
    for difference in found.differences:
        shown.add_row(escape(printable(difference.what)), f"{difference.places:,}", f"{difference.largest:.3g}")
    print_table(shown)
    raise click.exceptions.Exit(1)
