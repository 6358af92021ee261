"""`tinyticket export`: a ticket for use elsewhere."""

from __future__ import annotations

import click

from tinyticket.cli.common import common, write_out, writes
from tinyticket.cli.waiting import waiting


@click.command(
    epilog="\b\nExamples:\n  tinyticket export ticket.h5 --round 4 -o ticket.npz\n"
    "  tinyticket export ticket.h5 --trial 1 --round 4 --weights start -o start.h5\n\n"
    "\b\nIn PyTorch, a network whose layers have the same names:\n  ticket = numpy.load('ticket.npz')\n"
    "  state = {name: torch.from_numpy(ticket[name]) for name in ticket if not name.startswith('mask/')}\n"
    "  model.load_state_dict(state)"
)
@click.argument("file", type=click.Path())
@click.option("--trial", type=int, default=0, show_default=True, help="Counted from 0.")
@click.option("--round", type=int, required=True, help="Counted from 0; round 0 is the dense network.")
@click.option(
    "--weights",
    default="trained",
    show_default=True,
    help="`trained`; `start`: as its training began; `init`: theta_0, which that is unless rewound to later.",
)
@writes("A .npz or an .h5 file, by its ending.", required=True)
@common
def export(file: str, trial: int, round: int, weights: str, output: str, quiet: bool) -> None:
    """Write one network, weights and masks under their names, to a file that any program reads."""
    with waiting(quiet, f"exporting to {output}"):
        from tinyticket import load
        from tinyticket.report.export import export as write

        write_out(quiet, output, lambda path: write(load(file), path, trial, round, weights))
