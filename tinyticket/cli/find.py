"""`tinyticket find`: the main job. Its options are made of the declarations of the settings."""

from __future__ import annotations

import re
from typing import Any

import click

from tinyticket.cli.common import callbacks, common, takes
from tinyticket.cli.own_model import load_model
from tinyticket.cli.show import show_result
from tinyticket.cli.waiting import waiting

EXAMPLES = """
\b
Examples:
  tinyticket find --out ticket.h5
      the digits, lenet-300-100, 8 rounds of pruning, 12 trials
  tinyticket find --data mnist --rounds 16 --iterations 50000 --trials 5 --out lenet.h5
      the paper's Lenet experiment
  tinyticket find --data my.npz --model mlp-20-64-32-2 --prune fc=0.3,output=0.1 --out mine.h5
      your own arrays (x_train, y_train, x_test, y_test) and layer sizes
  tinyticket find --data houses.csv --target price --loss mse --model mlp-8-64-1 --out houses.h5
      a table whose columns are named in its first line, and one of them to predict
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

Run the same command again to go on after an interruption; a larger --rounds or --trials extends a finished file.
"""

MORE = """
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
  srigl            rigl with equally many weights in each neuron of a layer; neurons of which less than
                   --salient is worth keeping lose all of theirs to the others
  rigl-sampled     rigl among some places drawn for each update, without the dense gradient. With
                   --one-shot 1 it, set and srigl move connections of layers that were never dense
  cht, cht-soft    grown where many paths of three links lead, without gradients: the highest scores, or
                   drawn in proportion to them
  cht-original     cht-soft as its authors' code: once an epoch, what stays is drawn too, dead ends go
                   (--first-graph and --first-weights scaled say how their networks start)
  set-original     SET as first published: once an epoch, by sign, with new random weights
  continuous       weights and the scores of a soft mask are trained together while it hardens; one round,
                   whose density --score-penalty and --score-start decide (see docs/supermasks.md)
  rigl-original    RigL as its authors' code: rounds down, updates at the first and last moment too
  early-bird       dense training until masks drawn every epoch stop changing, then the ticket's
  early-bird-original  the same, but only the newest mask is compared with those before it
"""

CONFIG = "Settings from a TOML file, as `tinyticket show FILE --config` writes it; options given beside it win."
WHOLE = "Show all options, and what recipes, controls, criteria and methods there are."
ALL = "tinyticket.help_all"  # in a context whose help is to show everything


class _Find(click.Command):
    """Makes its options when they are first asked for, as the settings import much, and has a short and a whole help."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if "out" not in {parameter.name for parameter in self.params}:
            from tinyticket.lottery.settings.document import BY_GROUP

            self.params = [*(_option(setting) for setting in BY_GROUP if setting.option != ""), *self.params]
        return super().get_params(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from tinyticket.lottery.settings.document import DECLARED

        sections: dict[str, list] = {}
        for parameter in self.get_params(ctx):
            setting = DECLARED.get(parameter.name or "")
            if ALL in ctx.meta:
                sections.setdefault(setting.group if setting else "Running", []).append(parameter.get_help_record(ctx))
            elif parameter.name == "help_all" or (setting and setting.common):
                sections.setdefault("Options", []).append(parameter.get_help_record(ctx))
        for group, records in sections.items():
            with formatter.section(group):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if ALL in ctx.meta:
            from tinyticket.lottery.controls import BESIDE, KINDS, known
            from tinyticket.lottery.recipes import RECIPES, describe

            with formatter.section("Recipes"):
                formatter.write_dl([(name, describe(name)) for name in RECIPES])
            with formatter.section("Controls, each of which differs from its ticket in one thing"):
                formatter.write_dl([*((name, known(name).words) for name in KINDS), *BESIDE.items()])
            with formatter.indentation():
                formatter.write_text(MORE)
        super().format_epilog(ctx, formatter)


def _option(setting: Any) -> click.Option:
    """Return the option that a setting is on the command line, which is None where it is not given."""
    name, more = setting.option or setting.name.replace("_", "-"), {"metavar": setting.form}
    help = re.sub(r"`(\w+)`", lambda named: f"--{named[1].replace('_', '-')}", setting.help)
    if setting.type == "bool":
        return click.Option([f"--{name}/--no-{name}", setting.name], default=None, help=help)
    if setting.default is not None and name != "workers":
        help += f"  [{setting.default}]"
    kind = {"int": int, "float": float}.get(setting.type, str)
    return click.Option([f"--{name}", setting.name], type=kind, required=name == "out", help=help, **more)


def say_size(given: dict[str, Any]) -> None:
    """Print how large a network by name is before it is made, where its name says that it was never dense."""
    from tinyticket.lottery.settings.table import SETTINGS
    from tinyticket.lottery.size import bytes_each, words

    each = bytes_each(given.get("controls"), given.get("method") or SETTINGS["method"].default)
    batch_size = int(given.get("batch_size") or SETTINGS["batch_size"].default)
    if found := words(str(given.get("model", "")), batch_size, each):
        click.echo(f"{given['model']}: {found}")


def _show_all(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        ctx.meta[ALL] = True
        click.echo(ctx.get_help())
        ctx.exit()


@click.command(cls=_Find, epilog=EXAMPLES)
@click.option("--config", metavar="FILE.toml", help=CONFIG)
@takes("log", "tensorboard")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, how large it is and how long it takes.")
@click.option("--help-all", is_flag=True, is_eager=True, expose_value=False, callback=_show_all, help=WHOLE)
@common
def find(
    config: str | None, log: str | None, tensorboard: str | None, dry_run: bool, quiet: bool, **options: Any
) -> None:
    """Find winning tickets: train, prune the smallest weights, reset the rest to their initial values, and again."""
    given = {name: value for name, value in options.items() if value is not None}
    with waiting(quiet, "loading the data and checking the experiment"):
        from tinyticket.lottery import Experiment
        from tinyticket.lottery.settings.defaults import merge
        from tinyticket.lottery.settings.toml import from_toml

        if config:
            given = merge(from_toml(config), given)
        given.setdefault("workers", None)  # as many as there are threads
        watchers = callbacks(quiet, log, tensorboard, given["out"])
        if dry_run:
            say_size(given)
        experiment = Experiment(**given, callbacks=watchers, load_model=load_model)
    if dry_run:
        from tinyticket.cli.dry_run import show_plan

        show_plan(experiment, quiet)
        return
    show_result(experiment.run(), quiet)
