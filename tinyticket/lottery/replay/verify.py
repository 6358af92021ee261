"""Check whether what a result file says of itself is true: by the file, by evaluating its networks, and by training some again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from tinyticket.errors import DivergenceError, InputError
from tinyticket.lottery.pruning import AT_INIT
from tinyticket.lottery.replay import claims, evaluated, whole
from tinyticket.lottery.replay.again import OtherDataError
from tinyticket.lottery.replay.file import DAMAGE, File, Training, in_a_line, unless_damaged
from tinyticket.lottery.replay.replay import repeat
from tinyticket.lottery.rewinding import kept_iteration
from tinyticket.results.result import Result
from tinyticket.store.digest import FILE, Examined


@dataclass(frozen=True)
class Check:
    """One thing that was looked at everywhere in the file."""

    what: str  # the claim, in words
    checked: int  # in how many places, mostly trainings; 0 if it could not be
    failures: list[str]  # where it is false, and how
    reason: str = ""  # why it could not be checked

    @property
    def standing(self) -> str:
        """Whether it "passed", "failed" or was "not checked"."""
        return "failed" if self.failures else "passed" if self.checked else "not checked"


class Claim(NamedTuple):
    """A claim in words, the trainings to which it applies, and what says why it is false of one of them.

    `needs` is the attribute of a `File` without which it cannot be checked; `otherwise` says why it may apply to none.
    """

    what: str
    where: Callable[[File], Sequence[Training]]
    wrong: Callable[[File, Training], str | None]
    needs: str = "settings"
    otherwise: str = "nothing to check"


_EVERYTHING, _DENSE, _CONTROLS = map(attrgetter, ("trainings", "dense", "controls"))


def _planned(file: File) -> Sequence[Training]:
    return file.tickets if file.method.is_planned(file.settings) else ()


def _nested(file: File) -> Sequence[Training]:
    return () if file.settings.one_shot else file.tickets


def _rewound(file: File) -> Sequence[Training]:
    return file.dense if kept_iteration(file.settings) else ()


def _pruned(file: File) -> Sequence[Training]:
    if file.settings.criterion in AT_INIT or file.settings.masks_from != "none":
        return ()
    return [found for found in file.tickets if found.run.origin.get("mask") == "ticket"]


THETA_0 = "they go back to theta_0, or not at all"
DENSE, GIVEN = "each round was pruned from the dense network", "they were given, or chosen by examples or in training"
CLAIMS = (
    Claim("trials are counted from 0 without a gap", _DENSE, claims.numbered),
    Claim("no trial is another one again", _DENSE, claims.distinct),
    Claim("theta_0 is what the seed draws", _DENSE, claims.drawn, "draw"),
    Claim("masks and weights are complete, and survivors finite", _EVERYTHING, claims.complete),
    Claim("what tickets rewind to is of the iteration that the settings say", _DENSE, claims.rewound),
    Claim("density and weights left are those of the masks", _EVERYTHING, claims.counts),
    Claim("the history goes from the start to the last iteration", _EVERYTHING, claims.history),
    Claim("early stop and accuracies follow from the history", _EVERYTHING, claims.scalars),
    Claim("every round has as many weights as planned", _planned, claims.as_planned, "plan", "training decides it"),
    Claim("a ticket's weights are among those of the round before", _nested, claims.nested, otherwise=DENSE),
    Claim("masks follow from the weights before them", _pruned, claims.follows, "plan", GIVEN),
    Claim("controls differ from their tickets in what they claim", _CONTROLS, claims.differs, otherwise="no controls"),
    Claim("networks start as the settings and the rounds before say", _EVERYTHING, evaluated.start, "again"),
    Claim("what tickets rewind to is the dense network then", _rewound, evaluated.rewound, "again", THETA_0),
    Claim("the final accuracies are those of the networks", _EVERYTHING, evaluated.end, "again"),
)


WHOLE = (
    ("the file holds what its format has and nothing else", whole.specified, "settings"),
    ("seed and words are those of the settings", whole.consistent, "method"),
    ("the network is what its name says", whole.named, "named"),
    ("the data are those that the file describes", whole.described, "data"),
)

RECORDED = "nothing was changed since its digest was written"
PUBLISHED = "it is the file that was published"


def verify(result: Result, retrain: int = 0, seed: int = 0, digest: str | None = None, **options: Any) -> list[Check]:
    """Check everything in a result that can be checked without training, and train some of it again.

    Parameters
    ----------
    result
    retrain : int
        How many trainings to repeat and to compare bit for bit, each a check of its own.
    seed : int
        Decides which.
    digest : str, optional
        What somebody published as the digest of the file, to be compared with that of all that it holds.
    **options
        Those of `Again`. Without the data set at hand, what needs it stays unchecked.

    Returns
    -------
    list of Check
    """
    file = File(result, options)
    with threadpool_limits(1, user_api="blas"):  # as masks were chosen
        checks = [_check(file, claim) for claim in CLAIMS] + [_check_whole(file, *claim) for claim in WHOLE]
    checks += digest_checks(result, digest)
    several = np.random.default_rng(seed).permutation(len(file.trainings))[:retrain]
    return checks + [_retrained(file, file.trainings[place]) for place in sorted(several)]


def _check(file: File, claim: Claim) -> Check:
    try:
        getattr(file, claim.needs)
        trainings = claim.where(file)
    except InputError as error:
        return Check(claim.what, 0, [], str(error))
    found = [(training, unless_damaged(claim.wrong, file, training)) for training in trainings]
    failures = [f"{training}: {wrong}" for training, wrong in found if wrong]
    return Check(claim.what, len(trainings), failures, "" if trainings else claim.otherwise)


def _check_whole(file: File, what: str, wrong: Callable[[File], str | None], needs: str) -> Check:
    try:
        getattr(file, needs)
    except OtherDataError as error:
        return Check(what, 1, [str(error)])
    except InputError as error:
        return Check(what, 0, [], str(error))
    found = unless_damaged(wrong, file)
    return Check(what, 1, [found] if found else [])


def _retrained(file: File, found: Training) -> Check:
    what = f"{found} comes out the same when it is trained again"
    try:
        again = repeat(file.again, found.trial, found.run.number, found.control)
    except DivergenceError as error:
        return Check(what, 1, [str(error)])
    except InputError as error:
        return Check(what, 0, [], str(error))
    differences = [f"{one.what} ({one.places})" for one in again.differences]
    words = f"{', '.join(differences)} differ; {'; '.join(again.remarks)}".rstrip("; ")
    return Check(what, 1, [words] if differences else [])


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
