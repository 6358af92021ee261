"""`tinyticket compare`: several results side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tinyticket.cli.common import common, one_of, print_table, result_files, width, write_out, writes
from tinyticket.cli.waiting import waiting
from tinyticket.errors import printable

if TYPE_CHECKING:
    from tinyticket.results.comparison import Comparison


@click.command(
    epilog="\b\nExamples:\n  tinyticket compare magnitude.h5 random.h5\n  tinyticket compare a.h5 b.h5 c.h5 -o abc.png\n"
    "  tinyticket compare results                   every result in a folder, as of a sweep\n"
    "  tinyticket compare a.h5 b.h5 --network reinit --json\n"
    "  tinyticket compare a.h5 b.h5 --latex > table.tex"
)
@click.argument("files", type=click.Path(), nargs=-1, required=True, metavar="FILES|FOLDER...")
@click.option("--network", default="ticket", show_default=True, help="`ticket`, or a control that the results have.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON (docs/format.md says what it holds).")
@click.option("--csv", "as_csv", is_flag=True, help="A row for every density of every result, comma-separated.")
@click.option("--markdown", "as_markdown", is_flag=True, help="A table in Markdown.")
@click.option("--latex", "as_latex", is_flag=True, help="A table for LaTeX.")
@writes("A picture too: PNG, SVG or PDF, by its ending.")
@common
def compare(files: tuple[str, ...], network: str, output: str | None, quiet: bool, **kinds: bool) -> None:
    """Set results on the same data side by side, density by density, each against the first.

    Differences in test accuracy have 95% intervals: of pairs of trials where seed and validation split are the same, of
    independent means elsewhere.
    """
    kind = one_of(kinds)
    with waiting(quiet, "reading the results"):
        from tinyticket import load
        from tinyticket.results import compare as side_by_side

        results = [load(file) for file in result_files(files)]
        comparison = side_by_side(results, network)
    if output is not None:
        with waiting(quiet, f"drawing {output}"):
            from tinyticket.report.pictures.comparison import plot_comparison

            write_out(quiet, output, lambda path: plot_comparison(comparison, path))
    if kind:
        click.echo(_text(comparison, kind), nl=False)
        return
    from tinyticket.report.table import comparison_table, key

    click.echo(key(comparison.metric))
    print_table(*comparison_table(comparison, width()))
    for name, words in zip(comparison.names, comparison.kinds, strict=True):
        if words:
            click.echo(printable(f"{name}: {words}"))


def _text(comparison: Comparison, kind: str) -> str:
    from tinyticket.report import compared, text

    if kind == "json":
        return json.dumps(comparison.plain(), indent=1) + "\n"
    if kind == "csv":
        return text.csv_text(compared.comparison_rows(comparison))
    return {"markdown": text.markdown, "latex": text.latex}[kind](*compared.comparison_cells(comparison))
