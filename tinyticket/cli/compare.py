"""`tinyticket compare`: several results side by side."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyticket.cli.common import common, print_table, width, write_out, writes
from tinyticket.cli.waiting import waiting
from tinyticket.errors import InputError


@click.command(
    epilog="\b\nExamples:\n  tinyticket compare magnitude.h5 random.h5\n  tinyticket compare a.h5 b.h5 c.h5 -o abc.png\n"
    "  tinyticket compare results                   every result in a folder, as of a sweep\n"
    "  tinyticket compare a.h5 b.h5 --network reinit --json"
)
@click.argument("files", type=click.Path(), nargs=-1, required=True, metavar="FILES|FOLDER...")
@click.option("--network", default="ticket", show_default=True, help="`ticket`, or a control that the results have.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON (docs/format.md says what it holds).")
@writes("A picture too: PNG, SVG or PDF, by its ending.")
@common
def compare(files: tuple[str, ...], network: str, as_json: bool, output: str | None, quiet: bool) -> None:
    """Set results on the same data side by side, density by density, each against the first.

    Differences in test accuracy have 95% intervals: of pairs of trials where seed and validation split are the same, of
    independent means elsewhere.
    """
    with waiting(quiet, "reading the results"):
        from tinyticket import load
        from tinyticket.results import compare as side_by_side

        results = [load(file) for file in _files(files)]
        comparison = side_by_side(results, network)
    if output is not None:
        with waiting(quiet, f"drawing {output}"):
            from tinyticket.report.plot import plot_comparison

            write_out(quiet, output, lambda path: plot_comparison(comparison, path))
    if as_json:
        click.echo(json.dumps(comparison.plain(), indent=1))
        return
    from tinyticket.report.table import comparison_table, key

    click.echo(key(comparison.metric))
    print_table(*comparison_table(comparison, width()))
    for name, kind in zip(comparison.names, comparison.kinds, strict=True):
        if kind:
            click.echo(f"{name}: {kind}")


def _files(given: tuple[str, ...]) -> list[str]:
    """Return files, in place of a folder those in it."""
    found = []
    for path in map(Path, given):
        inside = sorted(map(str, path.glob("*.h5"))) if path.is_dir() else [str(path)]
        if not inside:
            raise InputError(f"the folder {path} holds no result files (*.h5)")
        found += inside
    return found
