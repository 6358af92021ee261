"""Whether a file is as it was written, by its digests, and whether it is the one that somebody has published."""

from __future__ import annotations

import re

from tinyticket.errors import InputError
from tinyticket.lottery.replay.check import Check
from tinyticket.lottery.replay.file import DAMAGE, in_a_line
from tinyticket.results.result import Result
from tinyticket.store.digest import FILE, Examined

RECORDED = "nothing was changed since its digest was written"
PUBLISHED = "it is the file that was published"


def digest_checks(result: Result, published: str | None) -> list[Check]:
    """Compute all digests of a file, and compare them with those in it and with the published one of the whole, if it is given."""
    if published is not None and not re.fullmatch("[0-9a-f]{64}", published.lower()):
        raise InputError(f"a digest is 64 hexadecimal digits, as `tinyticket show` prints them, not {published!r:.80}")
    try:
        examined = result.digests
    except DAMAGE as error:
        damaged = [f"damaged: {in_a_line(error)}"]
        return [Check(what, 1, damaged) for what in (RECORDED, PUBLISHED)[: 1 if published is None else 2]]
    checks = [_recorded(examined)]
    if published is not None:
        found = examined.found[FILE]
        other = [] if found == published.lower() else [f"its digest is {found}, and not {published.lower()}"]
        checks.append(Check(PUBLISHED, 1, other))
    return checks


def _recorded(examined: Examined) -> Check:
    if not any(examined.recorded.values()):
        when = "before files had digests, or controls have come to it and the run has not ended"
        reason = f"it was written {when}; that of all it holds is {examined.found[FILE]}"
        return Check(RECORDED, 0, [], reason)
    failures = []
    for place, recorded in examined.recorded.items():
        if recorded != examined.expected[place]:
            where = place if place != FILE else "the whole file"
            failures.append(f"{where}: {'it holds something else' if recorded else 'it has no digest'}")
    return Check(RECORDED, len(examined.recorded), failures)
