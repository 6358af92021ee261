"""Whoever waits is told for what, and nobody else."""

import threading

import pytest

from tinyticket.cli import waiting


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)


@pytest.fixture
def said(capsys):
    def said(quiet, seconds=5.0):
        with waiting.waiting(quiet, "drawing x.png"):
            for thread in threading.enumerate():
                if isinstance(thread, threading.Timer):
                    thread.join(seconds)
        return capsys.readouterr().err

    return said


def test_what_lasts_is_said(soon, said):
    assert said(quiet=False) == "tinyticket: drawing x.png ...\n"


def test_nothing_is_said_where_nobody_listens_or_it_is_quick(soon, said, monkeypatch):
    assert said(quiet=True) == ""
    monkeypatch.setattr(waiting, "PATIENCE", 600)
    assert said(quiet=False, seconds=0.0) == ""
