"""`tinyticket show`: look at a result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tinyticket.cli.common import common, one_of, print_table, width
from tinyticket.cli.waiting import waiting

if TYPE_CHECKING:
    from tinyticket.results import Result


def show_result(result: Result, quiet: bool = False) -> None:
    """Print title, table and verdict, or the verdict alone."""
    if quiet:
        click.echo(result.verdict["text"])
        return
    from tinyticket.report.table import key, table, title

    click.echo(title(result))
    click.echo(key(result.metric))
    print_table(*table(result, width()))
    with waiting(False, "working out the verdict"):
        text = result.verdict["text"]
    click.echo(text)


@click.command(epilog="\b\nExamples:\n  tinyticket show ticket.h5\n  tinyticket show ticket.h5 --csv > ticket.csv")
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON (docs/format.md says what it holds).")
@click.option("--csv", "as_csv", is_flag=True, help="A row for every training, comma-separated.")
@click.option("--config", is_flag=True, help="The settings as TOML, for `tinyticket find --config`.")
@common
def show(file: str, quiet: bool, **kinds: bool) -> None:
    """Show a result as a table with its verdict and digest, or as JSON or CSV, or its settings."""
    kind = one_of(kinds)
    with waiting(quiet, f"reading {file}"):
        from tinyticket import load, report

        result = load(file)
    with result.archive.read():  # opened once, whatever is asked of it
        if kind == "config":
            from tinyticket.lottery.settings.toml import to_toml

            click.echo(to_toml(result.config), nl=False)
        elif kind == "json":
            click.echo(json.dumps(report.summary(result), indent=1))
        elif kind == "csv":
            click.echo(report.to_csv(result), nl=False)
        else:
            show_result(result)
            click.echo(f"digest {result.digest}")
