"""The command line: one file a command. What it knows is how to ask and how to show; all work is the library's."""

from __future__ import annotations

import contextlib
import errno
import sys

import click

from tinyticket import interruption
from tinyticket._version import __version__
from tinyticket.cli.analyze import analyze
from tinyticket.cli.bench import bench
from tinyticket.cli.compare import compare
from tinyticket.cli.data import data
from tinyticket.cli.export import export
from tinyticket.cli.find import find
from tinyticket.cli.import_ import import_
from tinyticket.cli.learn import learn
from tinyticket.cli.list import list_
from tinyticket.cli.merge import merge
from tinyticket.cli.plot import plot
from tinyticket.cli.replay import replay
from tinyticket.cli.report import report
from tinyticket.cli.resume import extend, resume
from tinyticket.cli.show import show
from tinyticket.cli.sweep import sweep
from tinyticket.cli.verify import verify
from tinyticket.errors import InputError, WorkerError, printable

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""Errors of the system where there is no room, which are no bugs."""

EXAMPLES = """
\b
Examples:
  tinyticket find --out ticket.h5                    find tickets on the digits, in under a minute
  tinyticket show ticket.h5                          the table and the verdict again
  tinyticket plot ticket.h5 -o ticket.png            accuracy and early stopping against density
  tinyticket report ticket.h5 -o ticket.html         everything on one page, for a browser
  tinyticket data fetch mnist                        download MNIST
  tinyticket find --data mnist --out mnist.h5        the same experiment on it
"""


@click.group(epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="tinyticket %(version)s")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress and no remarks, as it does behind a command.")
def app(quiet: bool) -> None:
    """Find, prove and use winning lottery tickets on a CPU."""


COMMANDS = {
    find: "Find winning tickets, or go on with finding them.",
    resume: "Go on with an experiment by the settings in its file.",
    extend: "Train more trials, rounds or controls into a file.",
    merge: "Put the trials of several machines into one file.",
    sweep: "Run a grid or list of experiments.",
    list_: "List the results of a folder.",
    show: "Show a result: its table, verdict and digest.",
    plot: "Draw a result.",
    report: "Write a result, or a folder's, as one HTML page.",
    compare: "Set results side by side, with intervals.",
    analyze: "Look into networks: layers, overlap, movement, ...",
    replay: "Train one network again: do all bits agree?",
    verify: "Check whether a file keeps what it says.",
    export: "Write a network for other programs.",
    import_: "Read weights and masks of other programs.",
    data: "List, locate and download data sets.",
    bench: "Look at the compiled kernels of this machine.",
    learn: "Exercises beside the lessons.",
}
for command, words in COMMANDS.items():
    command.short_help = words
    app.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for a worker that died, 2 for bad input, 130 after Ctrl-C (128 + any signal).

    A bug shows its traceback.
    """
    try:
        code = app.main(arguments, prog_name="tinyticket", standalone_mode=False)
        sys.stdout.flush()
    except (InputError, WorkerError) as error:
        _say(str(error))
        return 2 if isinstance(error, InputError) else 1
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        return interruption.report(error.__cause__ or error)
    except BrokenPipeError:  # whoever read the output has left, as `| head` does
        return 1
    except OSError as error:
        if error.errno not in FULL:
            raise
        _say(f"{error.filename or 'the output'} cannot be written: {error.strerror}")
        return 2
    return code if isinstance(code, int) else 0  # of an answer that is no


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError):  # nobody can read it
        click.echo(f"tinyticket: {printable(sentence)}", err=True)
