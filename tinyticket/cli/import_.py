"""`tinyticket import`: a network of another program, checked against a model, for use here."""

from __future__ import annotations

import functools
import math

import click
import numpy as np

from tinyticket.cli.common import common, write_out, writes
from tinyticket.errors import InputError


@click.command(
    "import",
    epilog="\b\nExamples:\n  tinyticket import pruned.pt --model lenet-300-100 -o ticket.safetensors\n"
    "  tinyticket import pruned.pt --model lenet-5 --in-order -o ticket.npz    layers have other names there\n"
    "  tinyticket find --masks-from ticket.safetensors --data mnist --out theirs.h5\n\n"
    "\b\nIn Python:\n  model = tinyticket.load_weights(model, 'ticket.safetensors')",
)
@click.argument("file", type=click.Path())
@click.option("--model", required=True, help="The network that it is: a name, or FILE.py:FUNCTION.")
@click.option("--input-shape", default="1,28,28", show_default=True, help="Shape of an example.")
@click.option("--classes", type=int, default=10, show_default=True, help="Outputs of the network.")
@click.option("--in-order", is_flag=True, help="Take the file's layers for those of the network in their order.")
@writes("A .safetensors or .npz file, by its ending.", required=True)
@common
def import_(file: str, model: str, input_shape: str, classes: int, in_order: bool, output: str, quiet: bool) -> None:
    """Read weights and masks of another program, check that they fit a network, and write them under its names.

    FILE is a state_dict that torch.save wrote (.pt, .pth; with the names of torch.nn.utils.prune or without), .safetensors or .npz.
    Nothing in it is run. Masks are NAME_mask beside NAME_orig, or mask/NAME; in a file without masks zeros are pruned weights.
    """
    from tinyticket.cli.own_model import OwnModel
    from tinyticket.nn import Module, models
    from tinyticket.store.weights import fitted, read_weights, write_weights

    shape = _shape(input_shape)
    make = OwnModel(model, shape, classes) if ":" in model else functools.partial(models.create, model, shape, classes)
    network = make(np.random.default_rng(0))
    if not isinstance(network, Module) or not network.prunable():
        raise InputError(f"{model} makes no Module with weights that can be pruned, but {type(network).__name__}")
    found = read_weights(file)
    try:
        weights = fitted(found, network, in_order)
    except InputError as error:
        hint = "" if in_order else " (--in-order takes layers in their order, whatever they are called)"
        raise InputError(f"{file} does not fit {model}: {error}{hint}") from None
    write_out(quiet, output, lambda path: write_weights(path, weights))
    left, count = (
        sum(map(size, weights.masks.values())) for size in (lambda mask: int(mask.sum()), lambda mask: mask.size)
    )
    what = f"{len(weights.state)} arrays and masks" if weights.state else "masks alone"
    click.echo(f"{what} of {model}: {left:,} of {count:,} weights are left, {left / count:.1%}")


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(map(int, text.split(",")))
    except ValueError:
        shape = (0,)
    if min(shape) < 1 or len(shape) > 8 or math.prod(shape) > 10**7:
        raise InputError(f"--input-shape is whole numbers such as 1,28,28, not {text[:60]!r}")
    return shape
