"""Ticks of axes."""

from hypothesis import given
from hypothesis import strategies as st

from tinyticket.report.ticks import CHARACTER, GAP, apart, labels, ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low, span):
    found = ticks(low, low + span, 7)
    assert 1 <= len(found) <= 8
    assert all(low - 1e-6 * span <= value <= low + span + 1e-6 * span for value in found)


def test_labels_have_the_decimals_that_tell_ticks_apart():
    assert labels([0.0, 0.05, 0.1]) == ["0.00", "0.05", "0.10"]
    assert labels([0.0, 1000.0, 2000.0]) == ["0", "1,000", "2,000"]
    assert labels([-0.0, 1.0])[0] == "0"


@given(st.lists(st.floats(0, 400), min_size=1, max_size=30, unique=True))
def test_words_of_ticks_never_overprint(centres):
    centres, names = sorted(centres), ["13.5"] * len(centres)
    kept = apart(centres, names)
    assert 0 in kept
    gaps = [b - a for a, b in zip([centres[i] for i in kept], [centres[i] for i in kept][1:], strict=False)]
    assert all(gap >= 4 * CHARACTER + GAP - 1e-9 for gap in gaps)
