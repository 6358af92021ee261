"""The probe notices a machine that is not free, whether it computes or copies slowly."""

import pytest

from benchmarks.probe import Probe


@pytest.mark.parametrize(("work", "slower"), [("computing", 1.25), ("memory", 1.9)])
def test_the_probe_notices_a_disturbed_machine(work, slower):
    ticks = iter(([0, 1.0] * 5 + [0, 0.5] * 5) + ([0, 1.1] * 5 + [0, 0.6] * 5))
    probe = Probe(1, rest=0, clock=lambda: next(ticks))
    assert probe.read() == pytest.approx({"computing": 1.0, "memory": 0.5})
    assert probe.read() == pytest.approx({"computing": 1.1, "memory": 0.6})
    assert not probe.disturbed
    assert "undisturbed" in probe.report()
    probe.readings[work].append(slower * probe.readings[work][0])
    assert probe.disturbed == [work]
    assert probe.report().startswith("WARNING: this run was disturbed")
    assert f"{work} by more than" in probe.report()


def test_the_probe_really_works():
    probe = Probe(2, rest=0)
    assert all(seconds > 0 for seconds in probe.read().values())
