"""Whether a verdict is right: beside tinyticket's intervals."""

from types import ModuleType

import numpy as np

from tinyticket.results import intervals

TICKET = [0.981, 0.979, 0.984, 0.980, 0.983, 0.981]
DENSE = [0.980, 0.977, 0.981, 0.981, 0.980, 0.979]


def check_paired(module: ModuleType) -> None:
    """Differences are taken trial by trial, in points."""
    found = module.paired([0.9, 0.8], [0.7, 0.85])
    assert np.allclose(found, [20, -5]), f"0.9 - 0.7 and 0.8 - 0.85 are 20 and -5 points, not {found}"


def check_interval(module: ModuleType) -> None:
    """The interval is Student's, as tinyticket computes it."""
    differences = 100 * (np.array(TICKET) - np.array(DENSE))
    want = intervals.interval(differences)
    found = module.interval(differences)
    assert np.allclose(found, (want.mean, want.low, want.high)), f"it is {want.low:.3f} to {want.high:.3f}, not {found}"


def check_few(module: ModuleType) -> None:
    """Fewer trials make wider intervals, by more than the root of their number."""
    few, many = (module.interval(np.tile([0.0, 1.0], n)) for n in (1, 8))
    ratio = (few[2] - few[1]) / (many[2] - many[1])
    assert ratio > 8, f"two trials should reach much further than sixteen, and it is {ratio:.1f} times"


def check_matches(module: ModuleType) -> None:
    """A ticket matches if its whole interval lies above minus the margin."""
    worse = [accuracy - 0.004 for accuracy in DENSE]
    assert module.matches(TICKET, DENSE, 0.2), "better by 0.15 points, and it says that this is no match"
    assert not module.matches(worse, DENSE, 0.2), (
        "worse by 0.4 points with a margin of 0.2, and it says that they match"
    )


def check_no_proof(module: ModuleType) -> None:
    """Where trials scatter nothing is proved, however good the mean is."""
    assert not module.matches([0.99, 0.90, 0.99], [0.95, 0.95, 0.95], 0.2), "three trials that scatter prove nothing"


def check_holm(module: ModuleType) -> None:
    """Several claims together err in 5% at most, by Holm's rule."""
    for p, want in (
        ([0.01, 0.04, 0.03], [True, False, False]),
        ([0.01, 0.02, 0.03], [True, True, True]),
        ([0.04, 0.001], [True, True]),
        ([0.02, 0.02, 0.02], [False, False, False]),
    ):
        found = module.holm(np.array(p))
        assert list(found) == want, f"of p-values {p} these are proved: {want}, not {list(map(bool, found))}"
