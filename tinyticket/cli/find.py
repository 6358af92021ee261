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
      the digits, lenet-300-100, 8 rounds of pruning, 12 trials
  tinyticket find --data mnist --rounds 16 --iterations 50000 --trials 5 --out lenet.h5
      the paper's Lenet experiment
  tinyticket find --data my.npz --model mlp-20-64-32-2 --prune fc=0.3,output=0.1 --out mine.h5
      your own arrays (x_train, y_train, x_test, y_test) and layer sizes
  tinyticket find --model my_model.py:make --out mine.h5
      a network of your own: a function make(input_shape, classes, rng) that returns a tinyticket.nn.Module
  tinyticket find --recipe frankle-carbin/conv-2 --trials 1 --out conv2.h5
      a published experiment; what is given besides replaces its settings
  tinyticket find --one-shot 0.5,0.2,0.1 --out oneshot.h5
      prune the dense network once to each density
  tinyticket find --masks-from mnist.h5 --data fashion-mnist --out transfer.h5
      tickets that were found on other data
  tinyticket find --rewind-to 60 --controls reinit,reshuffle,prune-at-0 --out late.h5
      restart from iteration 60 instead of 0, beside other controls
  tinyticket find --rewind-to 60 --rewind lr --dense-from late.h5 --out lr.h5
      rewind the learning rate alone, of the same dense networks, which are not trained again

\b
Criteria. Of a trained network, in every round or with --one-shot:
  magnitude (the paper's), large_final (another name for it), small_final, large_init, small_init,
  large_init_large_final, small_init_small_final, magnitude_increase, movement, random, and
  large_final and magnitude_increase with _same_sign or _diff_sign
Of initial weights, before they are trained, with --one-shot only:
  snip, grasp, synflow, magnitude-init

\b
Rewinding. Each of these trains a pruned network from iteration K to the last (K is --rewind-to):
  --rewind weights --rewind-to 0   restart from the initial weights (the default: the paper's reset)
  --rewind weights --rewind-to K   go back to iteration K of the dense training in everything
  --rewind lr --rewind-to K        keep the trained weights, repeat the learning rates from K on
  --rewind finetune --rewind-to K  keep the trained weights and the last learning rate
  --strategy continue              let one network keep its weights from round to round and choose
                                   the masks; the tickets beside it are rewound as said above

\b
Methods that learn a mask of weights which are never trained; controls are then evaluated without
training too (see docs/supermasks.md):
  supermask    each weight has a probability, which is learned; one round, whose density it finds
  edge-popup   each weight has a score, which is learned; the highest of each layer are kept, a share
               given by --one-shot

\b
Methods whose masks are found while one network trains (--one-shot gives the densities; see docs/dynamic.md):
  set, rigl, snfs  a random mask that moves: the smallest weights are dropped, and as many grown at
                   random, where gradients are largest, or where their momentum is (snfs also moves
                   weights between layers; snfs-grow does not); the control static runs beside it
  set-original     SET as first published: once an epoch, by sign, with new random weights
  early-bird       dense training until masks drawn every epoch stop changing, then the ticket's

Run the same command again to go on after an interruption; a larger --rounds or --trials extends a finished file.
"""


class _Find(click.Command):
    """Lists the recipes and controls in its help; they are looked up only then."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from tinyticket.lottery.controls import BESIDE, KINDS
        from tinyticket.lottery.recipes import RECIPES, describe

        with formatter.section("Recipes"):
            formatter.write_dl([(name, describe(name)) for name in RECIPES])
        with formatter.section("Controls, each of which differs from its ticket in one thing"):
            formatter.write_dl([*((name, kind.words) for name, kind in KINDS.items()), *BESIDE.items()])
        super().format_epilog(ctx, formatter)


@click.command(cls=_Find, epilog=EXAMPLES)
@click.option(
    "--recipe", metavar="NAME", help="A published experiment, listed below, whose settings hold where none are given."
)
@click.option("--data", help="A data set's name (see `tinyticket data list`) or an .npz file.  [digits]")
@click.option("--model", help=f"{', '.join(models.names())}, or FILE.py:FUNCTION.  [lenet-300-100]")
@click.option(
    "--rounds", type=int, help="How many times to prune after the dense training.  [digits: 8, larger data: 13]"
)
@click.option("--iterations", type=int, help="Length of every training.  [digits: 600, larger data: 10000]")
@click.option("--batch-size", type=int, help="Examples in a batch.  [60]")
@click.option("--lr", type=float, help="Learning rate.  [0.0012]")
@click.option(
    "--schedule",
    metavar="SCHEDULE",
    help="How the learning rate changes, in iterations: constant, step:20000,25000 (a tenth from each on), cosine:30000, "
    "warmup:10000, or warmup:10000+step:20000,25000.  [constant]",
)
@click.option("--optimizer", help="adam, sgd, momentum or nesterov (momentum 0.9).  [adam]")
@click.option("--weight-decay", type=float, help="L2 penalty added to the gradients.  [0]")
@click.option("--augment", help="none, or flip-crop: training images shifted by up to 4 pixels and mirrored.  [none]")
@click.option(
    "--prune",
    metavar="FRACTION",
    help="Fraction of the survivors removed every round (output layer: half of it), or conv=0.1,fc=0.2,output=0.1.  [0.2]",
)
@click.option(
    "--one-shot", metavar="DENSITY,...", help="Prune the dense network once to each density, instead of rounds."
)
@click.option(
    "--criterion", default="magnitude", show_default=True, help="What makes a weight worth keeping; see below."
)
@click.option(
    "--scope",
    help="Compare scores within each `layer` or in the `global` network; with --one-shot also `uniform` or `erk` densities.  "
    "[layer; global for criteria before training]",
)
@click.option("--trials", type=int, help="Independent repetitions.  [digits: 12, other small data: 3, larger data: 1]")
@click.option(
    "--controls",
    help="What runs beside every ticket, see below; reinit-2 is a second; or none.  [reinit,random; static where a mask moves]",
)
@click.option(
    "--rewind",
    default="weights",
    show_default=True,
    help="What goes back after pruning: `weights` (with optimizer, statistics and learning rate), `lr` (the learning rate alone), "
    "or `finetune` (nothing: training goes on at the last learning rate).",
)
@click.option(
    "--rewind-to",
    metavar="ITERATION",
    type=int,
    default=0,
    show_default=True,
    help="How far it goes back; all retrainings last from there to the last iteration.",
)
@click.option(
    "--strategy",
    default="reset",
    show_default=True,
    help="`reset` prunes what the last ticket became; `continue` a network that keeps its weights between prunings.",
)
@click.option(
    "--gradual",
    metavar="BEGIN,END,EVERY",
    help="With --one-shot: prune while training from the initial weights, from iteration BEGIN to END, every so many.",
)
@click.option(
    "--masks-from",
    metavar="FILE",
    type=click.Path(),
    help="Prune nothing: train the masks and initial weights of another result, on other data of the same shapes.",
)
@click.option(
    "--dense-from",
    metavar="FILE",
    type=click.Path(),
    help="Copy the dense training of another result, which differs in what follows it alone: in rewinding, densities, controls, "
    "method and the like.",
)
@click.option(
    "--mask-0",
    default="zero",
    show_default=True,
    help="What pruned weights are: `zero`, or frozen at their initial values, all (`freeze`) or those that had moved away from "
    "zero (`freeze-away`); these are trained eagerly.",
)
@click.option(
    "--method",
    default="tickets",
    show_default=True,
    help="What makes a round's network: pruning, or a method that finds its mask in one training, see below.",
)
@click.option("--update-every", type=int, help="Iterations between updates of a mask that moves.  [100]")
@click.option(
    "--drop", type=float, default=0.3, show_default=True, help="First fraction of a layer that an update drops."
)
@click.option(
    "--signed-constant", is_flag=True, help="Untrained weights are a constant of their layer, with their signs."
)
@click.option("--rescale", is_flag=True, help="Supermasks: multiply a layer's weights by size / sum of the mask.")
@click.option("--score-lr", type=float, help="Learning rate of a mask's scores.  [supermask: 100, edge-popup: 0.1]")
@click.option(
    "--early-bird-by",
    default="weights",
    show_default=True,
    help="What an early bird is made of: `weights`, or `channels` by the scale of their batch normalisation, of which --one-shot "
    "then gives the share.",
)
@click.option(
    "--scale-penalty",
    type=float,
    help="L1 penalty on these scales while an early bird's channels are drawn.  [1e-4]",
)
@click.option(
    "--margin",
    type=float,
    help="Accuracy (0.002: 0.2 points) by which a ticket may be below dense and still match.  [digits: 0.005, larger data: 0.002]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Where all randomness comes from.")
@click.option("--threads", type=int, help="Threads; never changes a result.  [all cores]")
@click.option(
    "--workers",
    type=int,
    help="Processes that train side by side and share the threads.  [as many as there are threads]",
)
@click.option(
    "--scheduler",
    "executor",
    metavar="tcp://HOST:PORT",
    help="Train on the workers of a Dask scheduler instead (needs the extra `cluster`).",
)
@click.option("--eager", is_flag=True, help="Train through the autograd instead of compiled kernels.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="cpu, or cuda: train on an NVIDIA GPU (needs the extra `cuda`; see docs/cuda.md).",
)
@click.option("--validation", type=int, help="Examples split off the training set.  [digits: 200, larger data: 5000]")
@click.option("--evaluate-every", type=int, help="Iterations between evaluations.  [digits: 20, larger data: 100]")
@click.option("--data-folder", type=click.Path(), help="Where data sets lie: looked for there alone.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, how large it is and how long it takes.")
@click.option("--out", type=click.Path(), required=True, help="The result file (HDF5); continued if it is there.")
@common
def find(recipe: str | None, one_shot: str | None, dry_run: bool, quiet: bool, out: str, **options: Any) -> None:
    """Find winning tickets: train, prune the smallest weights, reset the rest to their initial values, and again."""
    from tinyticket import data as datasets
    from tinyticket import lottery
    from tinyticket.cli.progress import watcher

    options["one_shot"] = _densities(one_shot)
    if options["masks_from"]:
        options["masks_from"] = source = lottery.load(options["masks_from"])
        options["model"] = options["model"] or lottery.transfer.Network(source)
    options = lottery.recipes.fill(recipe, options)
    options["data"] = dataset = datasets.load(options["data"], options.get("data_folder"))
    if isinstance(options["model"], str) and ":" in options["model"]:  # typed, not a name in a file
        options["model"] = load_model(options["model"], dataset)
    options |= {"recipe": recipe, "workers": options.get("workers")}  # none given: as many as threads
    experiment = lottery.Experiment(**options, out=out, progress=watcher(quiet))
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
