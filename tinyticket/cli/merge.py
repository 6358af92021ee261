"""`tinyticket merge`: the trials of several machines in one file."""

from __future__ import annotations

import click

from tinyticket.cli.common import common


@click.command(
    epilog="\b\nExample, of two machines:\n  tinyticket find --data mnist --trials 5 --out a.h5\n"
    "  tinyticket find --data mnist --trials 5 --first-trial 5 --out b.h5\n"
    "  tinyticket merge a.h5 b.h5 -o both.h5"
)
@click.argument("files", type=click.Path(), nargs=-1, required=True, metavar="FILES...")
@click.option("-o", "--output", type=click.Path(), required=True, help="The new result file.")
@common
def merge(files: tuple[str, ...], output: str, quiet: bool) -> None:
    """Put the trials of several files of one experiment into a new one, and judge them together."""
    from tinyticket.lottery.merge import merge as put_together

    result = put_together(files, output)
    if not quiet:
        click.echo(f"{output}: {len(result.trials)} trials", err=True)
    click.echo(result.verdict["text"])
