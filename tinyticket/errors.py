"""What goes wrong through bad input, as opposed to a bug.

The command line answers these with their one sentence and exit code 2; anything else is a bug and shows its traceback.
"""

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class InputError(ValueError):
    """Something the caller gave cannot be used; the message is one sentence that says what, where and what was expected."""


class DivergenceError(InputError):
    """Training produced a loss that is not a finite number."""


class DeviceMemoryError(InputError):
    """A device's memory does not hold what is to be trained."""


class WorkerError(RuntimeError):
    """A process that trained beside this one has died: killed, or out of memory."""


@contextlib.contextmanager
def about(what: object) -> Iterator[None]:
    """Begin the sentence of an InputError that comes up in a block with what it is about, such as "ticket.npz: ..."."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}: {error}") from None


def near(name: str, known: Iterable[str]) -> str:
    """Return the known names as words, the nearest to a mistyped `name` first: " (did you mean 'mnist'? known: ...)"."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f" ({hint}known: {', '.join(known)})"


def printable(text: str) -> str:
    """Return text as it may be shown on a terminal: characters that cannot be printed, such as an escape, are written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
