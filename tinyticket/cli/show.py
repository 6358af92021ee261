"""`tinyticket show`: look at a result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tinyticket.cli.common import common, print_table

if TYPE_CHECKING:
    from tinyticket.results import Result


def show_result(result: Result) -> None:
    """Print title, table and verdict."""
    from tinyticket.report.table import table, title

    click.echo(title(result))
    print_table(table(result))
    click.echo(result.verdict["text"])


@click.command(epilog="\b\nExamples:\n  tinyticket show ticket.h5\n  tinyticket show ticket.h5 --csv > ticket.csv")
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON (docs/format.md says what it holds).")
@click.option("--csv", "as_csv", is_flag=True, help="A row for every training, comma-separated.")
@click.option("--config", is_flag=True, help="The settings as TOML, for `tinyticket find --config`.")
@common
def show(file: str, as_json: bool, as_csv: bool, config: bool, quiet: bool) -> None:
    """Show a result as a table with its verdict, or as JSON or CSV, or its settings."""
    from tinyticket import load, report

    asked = [f"--{name}" for name, is_asked in {"json": as_json, "csv": as_csv, "config": config}.items() if is_asked]
    if len(asked) > 1:
        raise click.UsageError(f"{' and '.join(asked)} exclude each other")
    result = load(file)
    if config:
        from tinyticket.lottery.settings.toml import to_toml

        click.echo(to_toml(result.config), nl=False)
    elif as_json:
        click.echo(json.dumps(report.summary(result), indent=1))
    elif as_csv:
        click.echo(report.to_csv(result), nl=False)
    else:
        show_result(result)
