"""`tinyticket find`: the main job."""

from __future__ import annotations

from typing import Any

import click

from tinyticket.cli.common import common
from tinyticket.cli.own_model import load_model
from tinyticket.cli.show import show_result
from tinyticket.errors import InputError
from tinyticket.nn import models

EXAMPLES = """
\b
Examples:
  tinyticket find --out ticket.h5
      the digits, lenet-300-100, 8 rounds of pruning, 3 trials
  tinyticket find --data mnist --rounds 16 --iterations 50000 --trials 5 --out lenet.h5
      the paper's Lenet experiment
  tinyticket find --data my.npz --model mlp-20-64-32-2 --prune fc=0.3,output=0.1 --out mine.h5
      your own arrays (x_train, y_train, x_test, y_test) and layer sizes
  tinyticket find --model my_model.py:make --out mine.h5
      a network of your own: a function make(input_shape, classes, rng) that returns a tinyticket.nn.Module
  tinyticket find --one-shot 0.5,0.2,0.1 --out oneshot.h5
      prune the dense network once to each density

Run the same command again to go on after an interruption; a larger --rounds or --trials extends a finished file.
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--data",
    default="digits",
    show_default=True,
    help="A data set's name (see `tinyticket data list`) or an .npz file.",
)
@click.option(
    "--model",
    default="lenet-300-100",
    show_default=True,
    help=f"{', '.join(models.names())}, or FILE.py:FUNCTION.",
)
@click.option(
    "--rounds", type=int, help="How many times to prune after the dense training.  [digits: 8, larger data: 13]"
)
@click.option("--iterations", type=int, help="Length of every training.  [digits: 600, larger data: 10000]")
@click.option("--batch-size", type=int, default=60, show_default=True, help="Examples in a batch.")
@click.option("--lr", type=float, default=1.2e-3, show_default=True, help="Learning rate.")
@click.option("--optimizer", default="adam", show_default=True, help="adam, sgd, momentum or nesterov (momentum 0.9).")
@click.option("--weight-decay", type=float, default=0.0, show_default=True, help="L2 penalty added to the gradients.")
@click.option(
    "--prune",
    metavar="FRACTION",
    help="Fraction of the survivors removed every round (output layer: half of it), or conv=0.1,fc=0.2,output=0.1.  [0.2]",
)
@click.option(
    "--one-shot", metavar="DENSITY,...", help="Prune the dense network once to each density, instead of rounds."
)
@click.option("--scope", default="layer", show_default=True, help="Compare magnitudes within each layer, or `global`.")
@click.option("--trials", type=int, help="Independent repetitions.  [digits: 3, larger data: 1]")
@click.option(
    "--controls",
    default="reinit,random",
    show_default=True,
    help="What runs beside every ticket; reinit-2 is a second; or none.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Where all randomness comes from.")
@click.option("--threads", type=int, help="Threads; never changes a result.  [all cores]")
@click.option("--eager", is_flag=True, help="Train through the autograd instead of compiled kernels.")
@click.option("--validation", type=int, help="Examples split off the training set.  [digits: 200, larger data: 5000]")
@click.option("--evaluate-every", type=int, help="Iterations between evaluations.  [digits: 20, larger data: 100]")
@click.option("--data-folder", type=click.Path(), help="Where data sets lie: looked for there alone.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, how large it is and how long it takes.")
@click.option("--out", type=click.Path(), required=True, help="The result file (HDF5); continued if it is there.")
@common
def find(
    data: str, model: str, prune: str | None, one_shot: str | None, dry_run: bool, quiet: bool, out: str, **options: Any
) -> None:
    """Find winning tickets: train, prune the smallest weights, reset the rest to their initial values, and again."""
    from tinyticket import data as datasets
    from tinyticket import lottery
    from tinyticket.cli.progress import watcher

    dataset = datasets.load(data, options["data_folder"])
    experiment = lottery.Experiment(
        load_model(model, dataset) if ":" in model else model, dataset, out=out, progress=watcher(quiet),
        prune=prune, one_shot=_densities(one_shot), **options,
    )  # fmt: skip
    if dry_run:
        from tinyticket.cli.dry_run import show_plan

        show_plan(experiment)
        return
    try:
        result = experiment.run()
    except KeyboardInterrupt:
        kept = f"the finished rounds are in {out}. Run" if experiment.archive.exists else "no round was finished. Run"
        click.echo(f"\nstopped; {kept} the same command again to go on.", err=True)
        raise
    if quiet:
        click.echo(result.verdict["text"])
    else:
        show_result(result)


def _densities(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--one-shot wants densities between 0 and 1, such as 0.5,0.2,0.1; got {text!r}") from None
