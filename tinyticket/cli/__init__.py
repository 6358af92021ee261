"""The command line: one file a command. What it knows is how to ask and how to show; all work is the library's."""

from __future__ import annotations

import click

from tinyticket._version import __version__
from tinyticket.cli.analyze import analyze
from tinyticket.cli.bench import bench
from tinyticket.cli.compare import compare
from tinyticket.cli.data import data
from tinyticket.cli.export import export
from tinyticket.cli.find import find
from tinyticket.cli.replay import replay
from tinyticket.cli.show import plot, show
from tinyticket.cli.sweep import sweep
from tinyticket.cli.verify import verify
from tinyticket.errors import InputError, WorkerError, printable

EXAMPLES = """
\b
Examples:
  tinyticket find --out ticket.h5                    find tickets on the digits, in under a minute
  tinyticket show ticket.h5                          the table and the verdict again
  tinyticket plot ticket.h5 -o ticket.png            accuracy and early stopping against density
  tinyticket data fetch mnist                        download MNIST
  tinyticket find --data mnist --out mnist.h5        the same experiment on it
"""


@click.group(epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="tinyticket %(version)s")
def app() -> None:
    """Find, prove and use winning lottery tickets on a CPU."""


for command in (find, sweep, show, plot, compare, analyze, replay, verify, export, data, bench):
    app.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for a worker that died, 2 for bad input, 130 after Ctrl-C.

    A bug shows its traceback.
    """
    try:
        code = app.main(arguments, prog_name="tinyticket", standalone_mode=False)
    except (InputError, WorkerError) as error:
        click.echo(f"tinyticket: {printable(str(error))}", err=True)
        return 2 if isinstance(error, InputError) else 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("tinyticket: stopped", err=True)
        return 130
    except BrokenPipeError:  # whoever read the output has left, as `| head` does
        return 1
    return code if isinstance(code, int) else 0  # of an answer that is no
