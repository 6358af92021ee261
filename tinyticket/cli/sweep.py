"""`tinyticket sweep`: many experiments from one file."""

from __future__ import annotations

from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from tinyticket.cli.common import callbacks, common, print_table, takes
from tinyticket.cli.own_model import load_model
from tinyticket.cli.waiting import waiting
from tinyticket.errors import InputError, near

PARTS = ("settings", "grid", "experiments")
EXAMPLE = """
\b
FILE is TOML: settings that all experiments share, and a grid of lists of which every combination is an
experiment, or a list of experiments (or both):
  [settings]
  data = "mnist"
  iterations = 4000
  [grid]
  criterion = ["magnitude", "random", "movement"]
  one-shot = [[0.5, 0.2, 0.1], [0.05]]
  seed = [0, 1, 2, 3]
  [[experiments]]
  name = "rigl"
  method = "rigl"
  one-shot = [0.2, 0.1]

\b
Examples:
  tinyticket sweep sweep.toml --out results            one file an experiment: results/NAME.h5
  tinyticket sweep sweep.toml --out results --dry-run  only list them
  tinyticket compare results                           all of them side by side

Run the same command again to go on after an interruption, or when experiments have been added to FILE.
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path())
@click.option("--out", type=click.Path(), required=True, help="The folder of the result files.")
@takes("threads", "workers", "scheduler", "data-folder", "log", "tensorboard")
@click.option("--dry-run", is_flag=True, help="Only list the experiments.")
@common
def sweep(
    file: str, out: str, log: str | None, tensorboard: str | None, dry_run: bool, quiet: bool, **options: Any
) -> None:
    """Run every experiment that a file describes; dense trainings that several share are done once."""
    with waiting(quiet, "loading the data and checking the experiments"):
        from tinyticket.lottery.sweep import Sweep

        options |= {"callbacks": callbacks(quiet, log, tensorboard, out), "load_model": load_model}
        found = Sweep(out, **_read(file), **options)
    if dry_run:
        numbers = (Column(heading, justify="right") for heading in ("trainings", "done"))
        shown = Table("experiment", *numbers, header_style="bold", box=SIMPLE_HEAD)
        for plan in found.planned:
            shown.add_row(escape(plan.name), str(plan.trainings), str(plan.done))
        print_table(shown)
        click.echo(f"{len(found.planned)} experiments; {found.shared} dense trainings are shared")
        return
    for name, result in found.run().items():
        click.echo(f"{name}: {result.verdict['text']}")


def _read(file: str) -> dict[str, Any]:
    from tinyticket.lottery.settings.toml import named, read_toml

    described = read_toml(file)
    for part in described:
        if part not in PARTS:
            raise InputError(f"{file} has a part {part!r}{near(part, PARTS)}")
    experiments = described.get("experiments", [])
    tables = [
        described.get("settings", {}),
        described.get("grid", {}),
        *(experiments if isinstance(experiments, list) else [None]),
    ]
    if not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{file}: settings and grid are tables, and experiments a list of tables, [[experiments]]")
    settings, grid, *experiments = map(named, tables)
    return {"settings": settings, "grid": grid, "experiments": experiments}
