"""`tinyticket report`: a result or a sweep as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from tinyticket.cli.common import common, result_files, write_out, writes
from tinyticket.cli.waiting import waiting


@click.command(
    epilog="\b\nExamples:\n  tinyticket report ticket.h5 -o ticket.html\n"
    "  tinyticket report results -o results.html    every result in a folder, as of a sweep"
)
@click.argument("path", type=click.Path(), metavar="FILE|FOLDER")
@writes("The page: an .html file.", required=True)
@common
def report(path: str, output: str, quiet: bool) -> None:
    """Write a result as one HTML page that needs no network: verdict, curves, masks, costs and where it comes from.

    Of a folder the page sets all results side by side.
    """
    with waiting(quiet, f"writing {output}"):
        from tinyticket import load
        from tinyticket.report.page import report as write

        found = [load(file) for file in result_files([path])]
        write_out(quiet, output, lambda page: write(found if Path(path).is_dir() else found[0], page))
