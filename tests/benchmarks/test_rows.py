"""The shape of a row, the file and the table."""

import json

import pytest

from benchmarks import rows
from benchmarks.processes import middle, without
from benchmarks.timing import Timing

OWN, PEER = Timing(1e-4, 0.9e-4, 1.2e-4, 100), Timing(2e-3, 1e-3, 3e-3, 50)


def test_the_keys_are_the_contracts():
    made = rows.row("step", "lenet-300-100", 0.1, 2, OWN, "torch", PEER, error=1e-6)
    assert list(made)[:8] == ["benchmark", "case", "density", "threads", "seconds", "peer", "peer_seconds", "ratio"]
    assert made["ratio"] == pytest.approx(made["peer_seconds"] / made["seconds"]) == pytest.approx(20)
    assert made["spread"] == [0.9e-4, 1.2e-4]
    assert made["peer_calls"] == 50


def test_without_a_peer_the_fields_are_null(tmp_path):
    path = tmp_path / "rows.json"
    rows.write(str(path), [rows.row("step", "lenet-300-100", 0.1, 2, OWN)])
    (read,) = json.loads(path.read_text())
    assert read["peer"] is read["peer_seconds"] is read["ratio"] is None
    assert rows.read(str(path)) == [read]


def test_the_table_names_what_is_missing():
    text = rows.table(
        [
            rows.row("step", "lenet", 0.1, 2, OWN, "torch", PEER),
            rows.row("step", "lenet", None, 2, OWN, "jax", None, note="failed: OSError: nothing there"),
        ]
    )
    _, first, second, note = text.splitlines()
    assert "20.00x" in first
    assert "100 us" in first
    assert "2.00 ms" in first
    assert second.endswith("failed")
    assert "nothing there" in note


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, ""),
        (4.56e-7, "456 ns"),
        (2.6e-8, "26.0 ns"),
        (1.5e-5, "15.0 us"),
        (0.0123, "12.3 ms"),
        (2.0, "2.00 s"),
        (1234.5, "1234 s"),
    ],
)
def test_durations(seconds, written):
    assert rows.duration(seconds) == written


def test_the_middle_of_three_processes_is_one_of_them():
    runs = [[rows.row("step", "m", 1, 2, own, "torch", peer)] for own, peer in ((1.0, 3.0), (2.0, 4.0), (1.0, 2.5))]
    (kept,) = middle(runs)
    assert kept["ratio"] == 2.5
    assert (kept["seconds"], kept["peer_seconds"], kept["processes"]) == (1.0, 2.5, 3)
    assert kept["ratios"] == [2.0, 2.5, 3.0]


def test_the_middle_without_peers_is_of_the_times():
    runs = [[rows.row("step", "m", 1, 2, seconds)] for seconds in (3.0, 1.0, 2.0)]
    assert middle(runs)[0]["seconds"] == 2.0


def test_a_childs_command_line():
    given = ["step", "--json", "a", "--plot=b", "--threads", "1", "--processes", "3"]
    assert without(given, ("--json", "--plot", "--processes")) == ["step", "--threads", "1"]
