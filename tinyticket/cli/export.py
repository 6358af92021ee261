"""`tinyticket export`: a ticket for use elsewhere."""

from __future__ import annotations

import click

from tinyticket.cli.common import common, write_out, writes
from tinyticket.cli.waiting import waiting


class _Export(click.Command):
    """Lists the formats in its help, which are imported then only."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from tinyticket.report.export import FORMATS

        with formatter.section("Formats, by the ending of --output unless --to says which"):
            formatter.write_dl([(f"{name} ({format.ending})", format.words) for name, format in FORMATS.items()])
        super().format_epilog(ctx, formatter)


@click.command(
    cls=_Export,
    epilog="\b\nExamples:\n  tinyticket export ticket.h5 --round 4 -o ticket.npz\n"
    "  tinyticket export ticket.h5 --trial 1 --round 4 --weights start -o start.safetensors\n"
    "  tinyticket export ticket.h5 --round 4 -o ticket.c         then: gcc -std=c99 -O2 -c ticket.c\n"
    "  tinyticket export ticket.h5 --round 4 --to scipy -o sparse.npz\n\n"
    "\b\nIn PyTorch, a network whose layers have the same names:\n"
    "  model.load_state_dict(torch.load('ticket.pt', weights_only=True))\n"
    "or of an .npz:\n  ticket = numpy.load('ticket.npz')\n"
    "  state = {name: torch.from_numpy(ticket[name]) for name in ticket if not name.startswith('mask/')}\n"
    "  model.load_state_dict(state)",
)
@click.argument("file", type=click.Path())
@click.option("--trial", type=int, default=0, show_default=True, help="Counted from 0.")
@click.option("--round", type=int, required=True, help="Counted from 0; round 0 is the dense network.")
@click.option("--control", metavar="NAME", help="The control beside the ticket instead, such as reinit.")
@click.option(
    "--weights",
    default="trained",
    show_default=True,
    help="`trained`; `start`: as its training began; `init`: theta_0, which that is unless rewound to later.",
)
@click.option("--to", metavar="FORMAT", help="npz, h5, safetensors, torch, scipy, onnx or c.  [by the ending]")
@writes("The file.", required=True)
@common
def export(
    file: str, trial: int, round: int, control: str | None, weights: str, to: str | None, output: str, quiet: bool
) -> None:
    """Write one network to a file that other programs read or run."""
    with waiting(quiet, f"exporting to {output}"):
        from tinyticket import load
        from tinyticket.report.export import export as write

        write_out(quiet, output, lambda path: write(load(file), path, trial, round, weights, control=control, to=to))
