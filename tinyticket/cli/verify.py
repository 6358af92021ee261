"""`tinyticket verify`: check what a result file says of itself."""

from __future__ import annotations

import time
from typing import Any

import click

from tinyticket.cli.common import callbacks, common
from tinyticket.cli.own_model import from_file
from tinyticket.cli.waiting import waiting
from tinyticket.errors import printable

SHOWN = 10  # failures of one check


@click.command(
    epilog="\b\nExamples:\n  tinyticket verify ticket.h5\n  tinyticket verify ticket.h5 --data-folder DIR --retrain 3\n\n"
    "The exit code is 0 if nothing failed, 1 if something did."
)
@click.argument("file", type=click.Path())
@click.option("--retrain", type=click.IntRange(0), default=0, help="Train so many networks again and compare all bits.")
@click.option("--digest", metavar="HEX", help="What its author published as its digest (tinyticket show prints it).")
@click.option("--seed", type=click.IntRange(0), help="Decides which are trained again.  [the clock]")
@from_file
@common
def verify(file: str, quiet: bool, retrain: int, seed: int | None, digest: str | None, **options: Any) -> None:
    """Check a result: its digests, theta_0, masks, counts, controls and histories, and with the data at hand the accuracies.

    Who changes a file can write new digests into it too: a digest that its author has published tells (--digest). Without one,
    learning rate, optimizer and rows in the middle of a history are checked by --retrain alone.
    """
    seed = time.time_ns() if seed is None else seed
    if retrain:
        click.echo(f"the trainings to repeat are those that --seed {seed} chooses")
    with waiting(quiet, f"checking {file}"):
        from tinyticket import load
        from tinyticket.lottery.replay.verify import verify as check

        checks = check(load(file), retrain, seed, digest, callbacks=callbacks(quiet), **options)
    if not quiet:
        for found in checks:
            places = f"{len(found.failures)} of {found.checked}" if found.failures else found.checked or ""
            click.echo(f"{found.standing:11} {places:>5}  {found.what}")
        for found in checks:
            if found.reason:
                click.echo(f"not checked, {found.what}: {printable(found.reason)}")
    failed = [found for found in checks if found.failures]
    for found in failed:
        for failure in found.failures[:SHOWN]:
            click.echo(f"failed, {found.what}: {printable(failure)}")
        if len(found.failures) > SHOWN:
            click.echo(f"failed, {found.what}: and {len(found.failures) - SHOWN} more")
    if failed:
        raise click.exceptions.Exit(1)
