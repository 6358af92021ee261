"""The temporary folder that trials side by side share, and what killed runs have left of theirs.

A run that ends removes its folder, however it ends; one that is killed cannot. Whose owner is gone is known by a lock, which the
system takes from a process with its life: it says nothing wrong where numbers of processes are used again.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tinyticket.errors import InputError
from tinyticket.filesystem import LOCKS, lock, rename_open

log = logging.getLogger(__name__)

PREFIX, OWNER = "tinyticket-trials-", "owner"


@contextlib.contextmanager
def shared_folder() -> Iterator[Path]:
    """Make a folder for as long as this process needs it; raise InputError if it cannot be made."""
    with contextlib.ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)))
            owner = stack.enter_context(open(folder / "unlocked", "w"))
            lock(owner)
            rename_open(owner, folder / "unlocked", folder / OWNER)  # nobody sees it under this name without its lock
        except OSError as error:
            raise full(error) from None
        yield folder


def full(error: OSError) -> InputError:
    """Return the one sentence about a temporary folder that cannot be written."""
    where = f"the temporary folder {tempfile.tempdir} cannot be written" if tempfile.tempdir else "no temporary folder"
    return InputError(f"{where}: {error.strerror}; trainings side by side need it, and TMPDIR names another one")


def remove_abandoned() -> None:
    """Remove the folders whose owner is gone; others, and what is not ours to remove, stay."""
    if not LOCKS:  # what killed runs have left stays
        return
    try:
        parent = Path(tempfile.gettempdir())
    except OSError:  # there is no room for one, and none is needed yet
        return
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            with open(folder / OWNER, "r+") as owner:
                if not lock(owner):
                    continue
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # of another user, just being made, or removed by somebody else
            continue
        log.info("removed %s, which a killed run had left", folder)
