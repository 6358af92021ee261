"""`tinyticket list`: the result files of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from tinyticket.cli.common import common, print_table, result_files
from tinyticket.errors import InputError, printable

if TYPE_CHECKING:
    from tinyticket.results import Result


@click.command("list", epilog="\b\nExamples:\n  tinyticket list\n  tinyticket list results")
@click.argument("folder", type=click.Path(), default=".")
@common
def list_(folder: str, quiet: bool) -> None:
    """List the result files (.h5) of a folder: what was trained on what, how far it is, and the verdict in short.

    Files that are damaged, or something else, are named with what is wrong.
    """
    from tinyticket import load

    if not Path(folder).is_dir():
        raise InputError(f"{folder} is no folder")
    shown = Table("file", "model", "data", "trials", "rounds", "verdict", header_style="bold", box=SIMPLE_HEAD)
    for file in map(Path, result_files([folder])):
        try:
            cells = _cells(load(file))
        except InputError as error:
            cells = ["", "", "", "", str(error).replace(f"{file} ", "", 1)]
        shown.add_row(*(escape(printable(cell)) for cell in (file.name, *cells)))
    print_table(shown)


def _cells(result: Result) -> list[str]:
    config, finished = result.config, [len(trial.rounds) - 1 for trial in result.trials]
    whole = sum(count >= config["rounds"] for count in finished)
    rounds = (
        str(config["rounds"]) if whole == config["trials"] else f"{min(finished)}-{max(finished)} of {config['rounds']}"
    )
    trials = str(whole) if whole == config["trials"] else f"{whole} of {config['trials']}"
    return [config["model"], config["data"], trials, rounds, result.verdict["text"].split(":")[0].split(";")[0]]
