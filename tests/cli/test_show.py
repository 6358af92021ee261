"""`tinyticket show`."""

import contextlib
import csv
import io
import json
import re

import pytest

import tinyticket as tt
from tests.cli.commands import Terminal, one_sentence
from tests.lottery.experiments import contents, differing, find
from tinyticket import cli

SCALARS = {
    "density",
    "weights_left",
    "early_stop_iteration",
    "validation_loss",
    "test_accuracy",
    "final_test_accuracy",
    "seconds",
}


def refuse_constants(name):
    raise AssertionError(f"{name} is no JSON")


def test_json_has_exactly_the_keys_of_the_contract(command, ticket):
    outcome = command("show", ticket, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    shown = json.loads(outcome.out, parse_constant=refuse_constants)
    assert list(shown) == ["trials", "verdict", "config", "digest"]
    assert [set(trial) for trial in shown["trials"]] == [{"trial", "seed", "rounds"}] * 2
    for trial in shown["trials"]:
        for number, round in enumerate(trial["rounds"]):
            assert set(round) == {"round", "controls"} | SCALARS
            assert set(round["controls"]) == ({"reinit", "random"} if number else set())
            for control in round["controls"].values():
                assert set(control) == {"round"} | SCALARS
    assert set(shown["verdict"]) == {
        "text",
        "sought",
        "trials",
        "winning_rounds",
        "matching_rounds",
        "sooner_rounds",
        "smallest_winning_density",
        "accuracy_difference",
        "early_stop_ratio",
        "control_differences",
        "margin",
        "confidence",
        "densities",
    }


def test_json_says_what_the_library_says(command, ticket):
    shown, result = json.loads(command("show", ticket, "--json").out), tt.load(ticket)
    assert (shown["config"], shown["verdict"], shown["digest"]) == (result.config, result.verdict, result.digest)
    for said, trial in zip(shown["trials"], result.trials, strict=True):
        assert (said["trial"], said["seed"]) == (trial.number, result.seed)
        for numbers, round in zip(said["rounds"], trial.rounds, strict=True):
            assert numbers["round"] == round.number
            assert {name: numbers[name] for name in SCALARS} == round.scalars()
            for name, control in numbers["controls"].items():
                assert {key: control[key] for key in SCALARS} == round.controls[name].scalars()
    accuracies = [round["test_accuracy"] for trial in shown["trials"] for round in trial["rounds"]]
    assert all(0 <= accuracy <= 1 for accuracy in accuracies)


def test_csv_has_a_row_for_every_training(command, ticket):
    outcome = command("show", ticket, "--csv")
    assert (outcome.code, outcome.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert set(rows[0]) == {"trial", "round", "network"} | SCALARS
    networks = ["ticket", *["ticket", "reinit", "random"] * 2]
    assert [(row["trial"], row["network"]) for row in rows] == [(t, name) for t in "01" for name in networks]
    control = tt.load(ticket).trials[1].rounds[2].controls["random"]
    assert float(rows[-1]["test_accuracy"]) == control.test_accuracy
    assert int(rows[-1]["weights_left"]) == 225


def test_the_table_has_every_round_and_ends_with_verdict_and_digest(command, ticket):
    outcome = command("show", ticket)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [line.split()[:3] for line in lines if "%" in line and line.split()[0] in ("dense", "1", "2")] == [
        ["dense", "100.0%", "344"],
        ["1", "80.8%", "278"],
        ["2", "65.4%", "225"],
    ]
    result = tt.load(ticket)
    assert lines[-2:] == [result.verdict["text"], f"digest {result.digest}"]


def test_a_table_in_a_pipe_is_whole_however_many_controls_there_are(command, out):
    names = ["reinit", "random", "reinit-2", "reinit-3", "random-2", "random-3"]
    result = find(rounds=1, controls=names, out=out)
    shown = command("show", out).out
    assert "…" not in shown
    assert all(f"{name}:" in shown for name in names)
    for control in result.trials[0].rounds[1].controls.values():
        assert f"{100 * control.test_accuracy:.2f}" in shown


@pytest.mark.parametrize("width", [80, 40, 20])
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_narrow_terminal_cuts_no_number(ticket, monkeypatch, term, width):
    """What the main job shows: two controls, mean, smallest and largest."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", str(width))
    screen = Terminal()
    with contextlib.redirect_stdout(screen):
        assert cli.run(["show", str(ticket)]) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    result = tt.load(ticket)
    for name in ("ticket", "reinit", "random"):
        runs = [trial.rounds[2] if name == "ticket" else trial.rounds[2].controls[name] for trial in result.trials]
        accuracies = [100 * run.test_accuracy for run in runs]
        assert f"{sum(accuracies) / 2:.2f}" in text
        assert f"{min(accuracies):.1f}-{max(accuracies):.1f}" in text
    *_, table, _ = re.split(r"^(?=stop: )|^(?=not enough)", text, flags=re.M)
    assert max(map(len, table.splitlines()[1:])) <= max(width, 33)


def test_the_title_of_a_narrow_table_stays_on_its_line(command, out):
    find(rounds=1, trials=2, controls="none", out=out)
    assert "mlp-12-16-8-3 on clusters, 2 trials: mean, and from smallest to largest" in command("show", out).out


def test_an_unfinished_result_can_be_shown(command, out):
    find(rounds=0, out=out)
    outcome = command("show", out)
    assert outcome.code == 0
    assert "nothing has been pruned yet" in outcome.out
    assert json.loads(command("show", out, "--json").out)["verdict"]["smallest_winning_density"] is None


def test_the_configuration_repeats_the_experiment_and_what_is_given_beside_it_wins(
    command, ticket, npz, out, monkeypatch
):
    monkeypatch.chdir(npz.parent)  # where mine.npz is
    shown = command("show", ticket, "--config")
    assert (shown.code, shown.err) == (0, "")
    (out.parent / "that.toml").write_text(shown.out)
    assert command("find", "--config", out.parent / "that.toml", "--out", out, "--quiet").code == 0
    assert differing(contents(out), contents(ticket)) == []
    other = ["--out", out.parent / "other.h5", "--trials", 1, "--one-shot", 0.5, "--no-eager", "--quiet"]
    assert command("find", "--config", out.parent / "that.toml", *other).code == 0
    config = tt.load(out.parent / "other.h5").config
    assert (config["trials"], config["one_shot"], config["iterations"]) == (1, [0.5], 20)
    missing = one_sentence(command("find", "--config", "missing.toml", "--out", out))
    assert missing == "missing.toml cannot be read: No such file or directory"


def test_quiet_stands_before_a_command_or_behind_it(command, ticket, tmp_path):
    for arguments in (("-q", "plot", ticket), ("plot", ticket, "-q")):
        assert command(*arguments, "--force", "-o", tmp_path / "x.svg") == (0, "", "")


@pytest.mark.parametrize(("words", "found"), [("com", "compare"), ("find --masks", "--masks-from")])
def test_shells_complete_commands_and_options(words, found, monkeypatch, capsys):
    monkeypatch.setenv("_TINYTICKET_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"tinyticket {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    with pytest.raises(SystemExit):
        cli.run([])
    assert capsys.readouterr().out == f"plain,{found}\n"
