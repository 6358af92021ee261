"""`tinyticket data`: what data sets there are, where they lie, and downloading them."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from tinyticket import data as datasets
from tinyticket.cli.common import common

folder_option = click.option("--data-folder", type=click.Path(), help="Look there alone (fetch: write there).")


@click.group()
def data() -> None:
    """List, locate and download data sets."""


@data.command("list")
@folder_option
@common
def list_(data_folder: str | None, quiet: bool) -> None:
    """List the data sets that have a name, and where they lie on this machine."""
    for name, description, path in datasets.describe(data_folder):
        click.echo(f"{name}: {description}\n    {path or f'not here: tinyticket data fetch {name}'}")


@data.command()
@click.argument("name")
@folder_option
@common
def path(name: str, data_folder: str | None, quiet: bool) -> None:
    """Print where a data set lies."""
    click.echo(datasets.path(name, data_folder))


@data.command()
@click.argument("name")
@folder_option
@common
def fetch(name: str, data_folder: str | None, quiet: bool) -> None:
    """Download a data set, checked against its published SHA-256 digests; resumes what was cut."""
    if quiet or not sys.stderr.isatty():
        folder = datasets.fetch(name, data_folder)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
            tasks: dict[str, object] = {}

            def progress(file: str, so_far: int, total: int | None) -> None:
                if file not in tasks:
                    tasks[file] = bars.add_task(file, total=total)
                bars.update(tasks[file], completed=so_far)  # type: ignore[arg-type]

            folder = datasets.fetch(name, data_folder, progress=progress)
    if not quiet:
        click.echo(f"{name} is in {folder}")
