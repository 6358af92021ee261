"""Forged result files are found out: by their digests, by what they contradict, and all of them by the digest that was published.

TINYTICKET_FUZZ_FORGERIES says how many are drawn and TINYTICKET_FUZZ_FIRST from which on; forgery i is always the same. If a
number is given, trainings are repeated too, and what contradicts nothing is printed.
"""

import os
import random
from collections import Counter
from functools import partial

from tests.fuzz.forgeries import forge, honest, made_consistent
from tests.lottery.experiments import DATA
from tinyticket.errors import InputError
from tinyticket.lottery.replay.verify import digest_checks, verify
from tinyticket.results import load

CASES = int(os.environ.get("TINYTICKET_FUZZ_FORGERIES", 15))
FIRST = int(os.environ.get("TINYTICKET_FUZZ_FIRST", 0))
CAMPAIGN = "TINYTICKET_FUZZ_FORGERIES" in os.environ
DIGESTS, CONTRADICTS, ONE, ALL, PUBLISHED = WAYS = ("digests", "contradicts", "1 again", "all again", "published")


def failing(path, content, check):
    """Return the claims of a file that fail, or what refuses it."""
    path.write_bytes(content)
    try:
        return [f"{found.what}: {found.failures[0]}" for found in check(load(path)) if found.failures]
    except InputError as error:
        return [str(error)]


def found_by(path, left, right, published, case):
    """Return what finds a forgery, of which the forger has left the digests as they were, or made all of it right."""

    def claims(content, retrain=0):
        return failing(path, content, partial(verify, retrain=retrain, seed=case, data=DATA, threads=1))

    found = {DIGESTS: failing(path, left, partial(digest_checks, published=None)) or claims(left)}
    found[CONTRADICTS] = claims(right)
    found[PUBLISHED] = failing(path, right, partial(digest_checks, published=published)) or found[CONTRADICTS]
    found[ONE] = found[CONTRADICTS] or (CAMPAIGN and claims(right, 1))
    found[ALL] = found[ONE] or (CAMPAIGN and claims(right, 99))
    return {way for way in WAYS if found[way]}


def test_forgeries_are_found(tmp_path):
    path, contents, published = tmp_path / "forged.h5", honest(tmp_path / "honest.h5"), {}
    for name, content in contents.items():
        path.write_bytes(content)
        published[name] = load(path).digest
        assert failing(path, content, partial(verify, digest=published[name], data=DATA, threads=1)) == []
    found, drawn, missed = Counter(), Counter(), []
    for case in range(FIRST, FIRST + CASES):
        dice = random.Random(case)
        name = dice.choice(list(contents))
        kind, how, content = forge(contents[name], dice)
        ways = found_by(path, content, made_consistent(content, path, published[name]), published[name], case)
        drawn[kind] += 1
        found.update((kind, way) for way in ways)
        if CONTRADICTS not in ways:
            print(f"{case}: {kind} of {name}, {how}: {', '.join(ways)}")
        missed += [f"{case}: {kind} of {name}, {how}, by {way}" for way in {DIGESTS, PUBLISHED} - ways]
    print(f"{'kind':12}{'drawn':>12}" + "".join(f"{way:>12}" for way in WAYS))
    for kind, count in sorted(drawn.items()):
        print(f"{kind:12}{count:12}" + "".join(f"{found[kind, way]:12}" for way in WAYS))
    print(f"{'all':12}{CASES:12}" + "".join(f"{sum(found[kind, way] for kind in drawn):12}" for way in WAYS))
    assert not missed, missed
