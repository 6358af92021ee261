"""Iterations cut into calls: none is left out, cuts are kept, and slow steps are taken in short calls."""

import pytest

from tinyticket.lottery import calls


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(calls.time, "perf_counter", lambda: now[0])
    return now


def cut(clock, seconds, first=0, last=200, others=(), device="cpu"):
    """Return the calls of a training whose steps take so many seconds."""
    found = []
    for call in calls.calls(first, last, 60, others, device):
        clock[0] += seconds * len(call)
        found.append(call)
    return found


@pytest.mark.parametrize("seconds", [0, 1e-5, 0.03, 7])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_iteration_is_in_one_call_and_no_call_goes_across_a_cut(seconds, device, clock):
    found = cut(clock, seconds, first=13, others=(20, 61, 300), device=device)
    assert [i for call in found for i in call] == list(range(13, 200))
    assert {20, 60, 61, 120, 180} <= {call.stop for call in found}


@pytest.mark.parametrize(("seconds", "longest"), [(1e-5, 25), (0.03, 8), (7, 1)])
def test_calls_last_a_quarter_of_a_second_or_a_step(seconds, longest, clock):
    found = cut(clock, seconds)
    assert len(found[0]) == 1
    assert max(map(len, found)) == longest


def test_the_host_of_another_device_waits_as_seldom_as_it_can(clock):
    assert cut(clock, 7, device="cuda") == [range(60), range(60, 120), range(120, 180), range(180, 200)]
