"""The probe notices a machine that is not free or does not stay the same: computing, copying, meeting."""

import pytest

from benchmarks.probe import Probe


@pytest.mark.parametrize(("work", "slower"), [("computing", 1.25), ("memory", 1.9)])
def test_the_probe_notices_a_disturbed_machine(work, slower):
    ticks = iter(([0, 1.0] * 5 + [0, 0.5] * 5) + ([0, 1.1] * 5 + [0, 0.6] * 5))
    probe = Probe(1, rest=0, clock=lambda: next(ticks))
    assert probe.read() == pytest.approx({"computing": 1.0, "memory": 0.5})
    assert probe.read() == pytest.approx({"computing": 1.1, "memory": 0.6})
    assert probe.latest == pytest.approx({"computing": 1.1, "memory": 0.6})
    assert not probe.disturbed
    assert "undisturbed" in probe.report()
    probe.readings[work].append(slower * probe.readings[work][0])
    assert probe.disturbed == [work]
    assert probe.report().startswith("WARNING: this run was disturbed")
    assert f"{work} by more than" in probe.report()


def test_the_probe_really_works():
    probe = Probe(2, rest=0)
    read = probe.read()
    assert list(read) == ["computing", "memory", "meeting"]
    assert all(seconds > 0 for seconds in read.values())
    assert read["meeting"] < read["memory"]


def test_cores_that_have_moved_apart_are_noticed():
    probe = Probe(1, rest=0)
    probe.readings = {"computing": [1e-3, 1e-3], "memory": [2e-3, 2e-3], "meeting": [26e-9, 160e-9]}
    assert probe.disturbed == ["meeting"]
    assert "meeting took 26.0 ns to 160 ns" in probe.report()
