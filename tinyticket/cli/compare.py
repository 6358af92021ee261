"""`tinyticket compare`: several results side by side."""

from __future__ import annotations

import json

import click

from tinyticket.cli.common import common, print_table, result_files, write_out


@click.command(
    epilog="\b\nExamples:\n  tinyticket compare magnitude.h5 random.h5\n  tinyticket compare a.h5 b.h5 c.h5 -o abc.png\n"
    "  tinyticket compare results                   every result in a folder, as of a sweep\n"
    "  tinyticket compare a.h5 b.h5 --network reinit --json"
)
@click.argument("files", type=click.Path(), nargs=-1, required=True, metavar="FILES|FOLDER...")
@click.option("--network", default="ticket", show_default=True, help="`ticket`, or a control that the results have.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON (docs/format.md says what it holds).")
@click.option("-o", "--output", type=click.Path(), help="A picture too: PNG, SVG or PDF, by its ending.")
@common
def compare(files: tuple[str, ...], network: str, as_json: bool, output: str | None, quiet: bool) -> None:
    """Set results on the same data side by side, density by density, each against the first.

    Differences in test accuracy have 95% intervals: of pairs of trials where seed and validation split are the same, of
    independent means elsewhere.
    """
    from tinyticket import load
    from tinyticket.results import compare as side_by_side

    results = [load(file) for file in result_files(files)]
    comparison = side_by_side(results, network)
    if output:
        from tinyticket.report.pictures.comparison import plot_comparison

        write_out(quiet, output, lambda path: plot_comparison(comparison, path))
    if as_json:
        click.echo(json.dumps(comparison.plain(), indent=1))
        return
    from tinyticket.report.table import comparison_table

    print_table(comparison_table(comparison))
    for name, kind in zip(comparison.names, comparison.kinds, strict=True):
        if kind:
            click.echo(f"{name}: {kind}")
