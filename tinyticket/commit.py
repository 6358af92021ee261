"""The commit of its repository that this program is of: read from a checkout, or written down when it was built from one."""

from __future__ import annotations

import functools
import re
from pathlib import Path

HERE = Path(__file__).parent
BUILT = "COMMIT"
"""The file of an installed package that holds the commit; setup.py writes it."""


@functools.cache
def commit(package: Path = HERE) -> str:
    """Return the hash of the commit that is checked out around a package, or was when it was built; empty if nothing tells."""
    for read in (lambda: _checked_out(package.parent / ".git"), lambda: (package / BUILT).read_text().strip()):
        try:
            found = read()
        except (OSError, UnicodeDecodeError):
            continue
        if re.fullmatch(r"[0-9a-f]{40,64}", found):
            return found
    return ""


def _checked_out(git: Path) -> str:
    """Return what HEAD of a repository, or of one of its worktrees, stands for."""
    if git.is_file():
        git = git.parent / git.read_text().removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head
    name = head.removeprefix("ref:").strip()
    shared = git / (git / "commondir").read_text().strip() if (git / "commondir").exists() else git
    for loose in (git / name, shared / name):
        if loose.is_file():
            return loose.read_text().strip()
    packed = (line.split() for line in (shared / "packed-refs").read_text().splitlines())
    return next((words[0] for words in packed if words[1:] == [name]), "")
