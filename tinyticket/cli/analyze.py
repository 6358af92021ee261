"""`tinyticket analyze`: questions to a result file."""

from __future__ import annotations

import json
from typing import Any

import click

from tinyticket.cli.common import callbacks, common, print_table, width, write_out, writes
from tinyticket.cli.own_model import from_file
from tinyticket.cli.waiting import waiting

QUESTIONS = """
\b
  layers       density of every layer, round by round
  overlap      how much of their masks trials share, against chance
  degrees      how evenly survivors are spread over inputs and outputs
  movement     how far kept and pruned weights moved, and how many changed sign
  signs        how many weights change sign, in a training and over the rounds
  fields       whether the pixels that a unit of the first layer still sees lie together
  cost         multiply-adds and bytes
  supermask    accuracy of initial weights, untrained, under masks of the trained network (needs the data)
  barriers     how far the error rises between a ticket and the one before it, or the dense network (needs the data)
  instability  the error barrier between two copies trained with different data orders;
               trains two networks a round, once: what it finds is kept in FILE
"""


@click.command(
    epilog=f"\b\nWHAT is one of:{QUESTIONS}\n\b\nExamples:\n  tinyticket analyze ticket.h5 layers\n"
    "  tinyticket analyze ticket.h5 degrees -o degrees.png\n"
    "  tinyticket analyze ticket.h5 instability --round 0 --round 4 -o line.png"
)
@click.argument("file", type=click.Path())
@click.argument("what")
@click.option("--json", "as_json", is_flag=True, help="The table as JSON.")
@writes("A picture too: PNG, SVG or PDF, by its ending.")
@click.option("--round", "rounds", type=int, multiple=True, help="Of instability and barriers: which rounds.  [all]")
@from_file
@common
def analyze(
    file: str, what: str, as_json: bool, output: str | None, rounds: tuple[int, ...], quiet: bool, **options: Any
) -> None:
    """Analyse the networks of a result file."""
    from tinyticket import load
    from tinyticket.errors import InputError, near
    from tinyticket.lottery.replay.barriers import barriers
    from tinyticket.lottery.replay.supermask import supermask
    from tinyticket.results.analyses import ANALYSES

    analyses = {**ANALYSES, "supermask": supermask}
    known = (*analyses, "barriers", "instability")
    if what not in known:
        raise InputError(f"no analysis is called {what!r}{near(what, known)}")
    if what == "instability":
        from tinyticket.lottery.replay.instability import instability

        with waiting(quiet, "loading the data and training copies"):
            found = instability(load(file), rounds or None, callbacks=callbacks(quiet), **options)
    elif what == "barriers":
        with waiting(quiet, "loading the data and evaluating networks"):
            found = barriers(load(file), rounds or None, **options)
    else:
        if rounds:
            raise InputError(f"--round is of instability and barriers; the analysis {what} is of all rounds")
        names = {} if what in ANALYSES else {"data": "data", "data_folder": "folder"}
        given = {name: value for name, value in options.items() if value is not None}
        if unused := given.keys() - names.keys():
            does = "trains nothing" if names else "looks at no data and trains nothing"
            raise InputError(f"the analysis {what} {does}: leave {', '.join(sorted(unused)).replace('_', '-')} out")
        with waiting(quiet, f"analysing {file}"):
            found = analyses[what](load(file), **{names[name]: value for name, value in given.items()})
    from tinyticket.report.table import analysis_table

    if output:
        with waiting(quiet, f"drawing {output}"):
            from tinyticket.report.pictures.analysis import plot_analysis

            write_out(quiet, output, lambda path: plot_analysis(found, path))
    if as_json:
        click.echo(json.dumps({"title": found.title, "rows": found.rows}, indent=1))
    else:
        click.echo(found.title)
        print_table(*analysis_table(found, width()))
