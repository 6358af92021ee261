"""`tinyticket compare`."""

import csv
import json

import matplotlib.image
import pytest

from tests.lottery.experiments import find


@pytest.fixture(scope="module")
def other(npz, tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "other.h5"
    find(data=str(npz), trials=2, controls="reinit", lr=0.01, out=path)
    return path


def test_a_table_with_each_result_and_its_difference(command, ticket, other):
    outcome = command("compare", ticket, other)
    assert outcome.code == 0
    assert "100.0%" in outcome.out
    assert "against first," in outcome.out
    assert f"{other.name}:" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_json_and_a_picture(command, ticket, other, tmp_path):
    picture = tmp_path / "both.png"
    outcome = command("compare", ticket, other, "--network", "reinit", "--json", "-o", picture)
    assert (outcome.code, outcome.err) == (0, f"wrote {picture}\n")
    shown = json.loads(outcome.out)
    assert shown["results"] == [str(ticket), str(other)]
    assert [len(row) for row in shown["densities"]] == [2, 2]
    assert matplotlib.image.imread(picture).std() > 0


def test_what_is_no_ticket_is_told(command, ticket, npz, tmp_path):
    path, picture = tmp_path / "edge.h5", tmp_path / "both.svg"
    find(data=str(npz), trials=2, method="edge-popup", rounds=None, one_shot=0.5, controls="rewound,random", out=path)
    outcome = command("compare", ticket, path, "-o", picture)
    assert outcome.out.splitlines()[-1] == f"{path}: untrained weights, learned mask"
    assert json.loads(command("compare", ticket, path, "--json").out)["kinds"] == [
        "",
        "untrained weights, learned mask",
    ]
    said = command("compare", ticket, path, "--network", "random").out.splitlines()[-1]
    assert said == f"{path}: weights never trained"
    assert command("compare", ticket, path, "--network", "rewound").out.count("trained") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((), "at least two"), (("--network", "nothing"), "no"), (("missing.h5",), "missing.h5")],
)
def test_bad_input_is_one_sentence(command, ticket, arguments, words):
    files = [ticket, ticket] if "--network" in arguments else [ticket]
    outcome = command("compare", *files, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


def test_tables_for_other_programs(command, ticket, other):
    rows = list(csv.DictReader(command("compare", ticket, other, "--csv").out.splitlines()))
    shown = json.loads(command("compare", ticket, other, "--json").out)["densities"]
    assert [(row["result"], row["row"]) for row in rows] == [
        (str(f), str(i)) for i in range(3) for f in (ticket, other)
    ]
    assert float(rows[3]["low"]) == shown[1][1]["difference"]["low"]
    assert (rows[0]["difference"], rows[3]["paired"], rows[3]["trials"]) == ("", "True", "2")
    table = command("compare", ticket, other, "--markdown").out.splitlines()
    assert (len(table), table[0].count("|"), table[2].startswith("| 100.0% | ")) == (5, 7, True)
    assert f"| {ticket.name}: accuracy % |" in table[0]
    assert r"100.0\% & " in command("compare", ticket, other, "--latex").out
    assert "--csv and --latex exclude each other" in command("compare", ticket, other, "--csv", "--latex").err
