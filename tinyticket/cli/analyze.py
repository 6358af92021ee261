"""`tinyticket analyze`: questions to a result file."""

from __future__ import annotations

import json

import click

from tinyticket.cli.common import common, print_table

QUESTIONS = """
\b
  layers     density of every layer, round by round
  overlap    how much of their masks trials share, against chance
  degrees    how evenly survivors are spread over inputs and outputs
  movement   how far kept and pruned weights moved, and how many changed sign
  cost       multiply-adds and bytes
  supermask  accuracy of initial weights, untrained, under masks of the trained network (needs the data)
"""


@click.command(
    epilog=f"\b\nWHAT is one of:{QUESTIONS}\n\b\nExamples:\n  tinyticket analyze ticket.h5 layers\n"
    "  tinyticket analyze ticket.h5 degrees -o degrees.png"
)
@click.argument("file", type=click.Path())
@click.argument("what")
@click.option("--json", "as_json", is_flag=True, help="The table as JSON.")
@click.option("-o", "--output", type=click.Path(), help="A picture too: PNG, SVG or PDF, by its ending.")
@click.option("--data", help="For supermask: the experiment's .npz file; other data sets are found by their names.")
@click.option("--data-folder", type=click.Path(), help="For supermask: where data sets lie, looked for there alone.")
@common
def analyze(
    file: str, what: str, as_json: bool, output: str | None, data: str | None, data_folder: str | None, quiet: bool
) -> None:
    """Analyse the networks of a result file."""
    from tinyticket import load
    from tinyticket.errors import InputError, near
    from tinyticket.lottery.analyses import ANALYSES, NEED_DATA

    if what not in ANALYSES:
        raise InputError(f"no analysis is called {what!r}{near(what, ANALYSES)}")
    given = {name: value for name, value in (("data", data), ("folder", data_folder)) if value is not None}
    if given and what not in NEED_DATA:
        raise InputError(f"--data and --data-folder are for {', '.join(NEED_DATA)}; {what} looks at no data")
    found = ANALYSES[what](load(file), **given)
    if output:
        from tinyticket.report.analysis import plot_analysis

        plot_analysis(found, output)
        if not quiet:
            click.echo(f"wrote {output}", err=True)
    if as_json:
        click.echo(json.dumps({"title": found.title, "rows": found.rows}, indent=1))
        return
    from tinyticket.report.analysis import analysis_table

    click.echo(found.title)
    print_table(analysis_table(found))
