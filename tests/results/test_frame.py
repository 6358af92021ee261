"""A result as a DataFrame."""

import sys
from types import SimpleNamespace

import pytest

from tests.report.results import two_trials
from tinyticket.errors import InputError
from tinyticket.results.frame import frame, rows


def missing(monkeypatch, *names):
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)  # which makes importing it fail


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_row_for_every_training(library, monkeypatch):
    missing(monkeypatch, "pandas", "polars")
    monkeypatch.setitem(sys.modules, library, SimpleNamespace(DataFrame=lambda rows: (library, rows)))
    kind, found = frame(rows(two_trials()))
    assert kind == library
    assert [(row["trial"], row["round"], row["network"]) for row in found][:3] == [
        (0, 0, "ticket"),
        (0, 1, "ticket"),
        (0, 1, "reinit"),
    ]


def test_where_neither_is_installed(monkeypatch):
    missing(monkeypatch, "pandas", "polars")
    with pytest.raises(InputError, match="neither is installed: pip install pandas"):
        frame(rows(two_trials()))


@pytest.mark.extra
def test_pandas(small):
    pytest.importorskip("pandas", reason="tables need it: pip install 'tinyticket[export]'")
    table = small.to_frame()
    assert len(table) == 14
    assert table.groupby("network").test_accuracy.mean().between(0, 1).all()
    assert table.weights_left.dtype == "int64"
