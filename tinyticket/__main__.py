"""The command `tinyticket`, also `python -m tinyticket`."""

import os
import sys

from tinyticket import interruption

NEEDS = {"click", "rich", "matplotlib", "jinja2"}


def main() -> None:
    """Run the command line, or say in one sentence that its packages are missing."""
    try:
        interruption.listen()
        _open_streams()
        with interruption.deferred():  # modules written in Cython swallow what is raised while they are imported
            from tinyticket.cli import run
        code = run()
    except ModuleNotFoundError as error:
        if error.name not in NEEDS:
            raise
        print(
            f"tinyticket: the command line needs the package {error.name}: pip install 'tinyticket[app]'",
            file=sys.stderr,
        )
        code = 2
    except KeyboardInterrupt as stop:  # while the rest was imported
        code = interruption.report(stop)
    interruption.let_go(code)
    _give_up_streams()
    sys.exit(code)


def _open_streams() -> None:
    """Open standard streams that were closed by whoever started the program: files would take their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            os.set_inheritable(number, True)  # `dup2` does that only where the numbers differ
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 - while the program runs


def _give_up_streams() -> None:
    """Let go of output that cannot be written, of which everybody has been told, lest the interpreter complains again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
