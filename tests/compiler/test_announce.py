"""Compiling that takes a while is announced, whatever is cached already."""

import logging

import pytest
from numba.core.event import Event, EventStatus

from tinyticket.compiler import announce


@pytest.fixture
def hear(monkeypatch, caplog):
    """Tell an announcement of passes at given seconds, and return how often it was made."""
    announcement = announce.Announcement()

    def passes(seconds, module="tinyticket.kernels.cpu.linear"):
        caplog.clear()
        for now in seconds:
            monkeypatch.setattr(announce.time, "monotonic", lambda now=now: now)
            announcement.notify(Event("numba:run_pass", EventStatus.START, {"module": module}))
        return [record.getMessage() for record in caplog.records].count(announce.COMPILING)

    with caplog.at_level(logging.WARNING):
        yield passes


def test_what_takes_longer_than_a_second_is_announced_once(hear):
    assert hear([100, 100.5, 100.9]) == 0
    assert hear([101.1, 102]) == 1
    assert hear([200, 203]) == 0


def test_a_little_now_and_then_is_not(hear):
    assert hear([100, 100.5, 110, 110.5, 120, 120.5]) == 0


def test_neither_is_what_other_programs_compile(hear):
    assert hear([100, 101, 102], module="somebody.else") == 0
