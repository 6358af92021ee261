"""`tinyticket find --dry-run`: what would be done, how large it is, and how long it takes on this machine."""

from __future__ import annotations

import click
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from tinyticket.cli.common import print_table
from tinyticket.cli.waiting import waiting
from tinyticket.errors import printable
from tinyticket.lottery import Experiment
from tinyticket.lottery.estimate import estimate
from tinyticket.lottery.experiment import SLOWER
from tinyticket.lottery.jobs.executors import processes


def show_plan(experiment: Experiment, quiet: bool) -> None:
    """Print the rounds with their counts, then sizes and times."""
    settings, plan = experiment.settings, experiment.plan
    click.echo(f"{printable(settings.model)} on {printable(settings.data)}: nothing is trained yet")
    columns = (Column(heading, justify="right") for heading in ("round", "weights left", "density"))
    shown = Table(*columns, header_style="bold", box=SIMPLE_HEAD)
    for number, (left, density) in enumerate(zip(plan.weights_left, plan.densities, strict=True)):
        shown.add_row(str(number) if number else "dense", f"{left:,}", f"{density:.2%}")
    print_table(shown)
    parts = experiment.examples
    click.echo(
        f"examples: {len(parts.train[1]):,} training, {len(parts.validation[1]):,} validation, {len(parts.test[1]):,} test"
    )
    with waiting(quiet, "measuring some training steps and an evaluation"):
        expected = estimate(experiment)
    trained = [name for name in settings.controls if experiment.method.trains(name)]
    evaluated = [name for name in settings.controls if not experiment.method.trains(name)]
    click.echo(
        f"trainings: {expected.trainings} of {settings.iterations:,} iterations ({settings.trials} x dense and {settings.rounds} "
        f"rounds, controls: {', '.join(trained) or 'none'}"
        + (f", evaluated without training: {', '.join(evaluated)})" if evaluated else ")")
        + (f"; pruned networks start at iteration {settings.rewind_to:,}" if settings.rewind_to else "")
    )
    if experiment.eager_because:
        click.echo(f"trained eagerly, which takes {SLOWER}: {experiment.eager_because}")
    click.echo(
        f"memory: about {expected.memory_bytes / 1e6:,.0f} MB; result file: about {expected.file_bytes / 1e6:,.1f} MB"
    )
    workers = processes(experiment, settings.trials)
    beside = f", {workers} trainings side by side" if workers > 1 else ""
    click.echo(f"expected time: about {_words(expected.seconds)} on this machine{beside}")


def _words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
