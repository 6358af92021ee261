"""`tinyticket plot`: a result as a picture."""

from __future__ import annotations

import click

from tinyticket.cli.common import common, write_out, writes
from tinyticket.cli.waiting import waiting

KINDS = """
\b
  overview    accuracy and early stop side by side (the default)
  accuracy    test accuracy against density, with the verdict's intervals
  early-stop  early stop against density, relative to the dense network's
  curves      learning curves of a round beside the dense network's and the controls'
  masks       the masks of a round: input pixels, receptive fields, layers
  layers      the density of every layer
  fields      receptive fields of the first layer over the rounds, and how local they are
  cost        seconds, multiply-adds and bytes, dense against sparse
"""


@click.command(
    epilog=f"\b\nKinds:{KINDS}\n\b\nExamples:\n  tinyticket plot ticket.h5 -o ticket.png\n"
    "  tinyticket plot ticket.h5 --kind curves --round 3 -o curves.svg\n"
    "  tinyticket plot ticket.h5 --kind masks --round 8 --trial 1 -o masks.png"
)
@click.argument("file", type=click.Path())
@writes("The picture: PNG, SVG or PDF, by its ending.", required=True)
@click.option("--kind", default="overview", show_default=True, help="What it shows: see below.")
@click.option("--round", type=int, help="Of curves and masks.  [the smallest winning round, or the last]")
@click.option("--trial", type=int, help="Of curves and masks.  [the mean of all, or the first]")
@common
def plot(file: str, output: str, kind: str, round: int | None, trial: int | None, quiet: bool) -> None:
    """Draw a result: accuracy and early stop against density, learning curves, masks, layers, fields or cost."""
    with waiting(quiet, f"drawing {output}"):
        from tinyticket import load
        from tinyticket.report.plot import plot as draw

        write_out(quiet, output, lambda path: draw(load(file), path, kind, round, trial))
