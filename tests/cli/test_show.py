"""`tinyticket show` and `tinyticket plot`."""

import contextlib
import csv
import io
import json

import matplotlib.image
import numpy as np
import pytest

import tinyticket as tt
from tests.cli.commands import Terminal, one_sentence
from tests.lottery.experiments import contents, differing, find
from tinyticket import cli
from tinyticket.report.plot import COLOURS

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
    assert list(shown) == ["trials", "verdict", "config"]
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
    assert (shown["config"], shown["verdict"]) == (result.config, result.verdict)
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


def test_the_table_has_every_round_and_ends_with_the_verdict(command, ticket):
    outcome = command("show", ticket)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [line.split()[:3] for line in lines if "%" in line and line.split()[0] in ("dense", "1", "2")] == [
        ["dense", "344", "100.0%"],
        ["1", "278", "80.8%"],
        ["2", "225", "65.4%"],
    ]
    assert lines[-1] == tt.load(ticket).verdict["text"]


def test_a_table_in_a_pipe_is_whole_however_many_controls_there_are(command, out):
    names = ["reinit", "random", "reinit-2", "reinit-3", "random-2", "random-3"]
    result = find(rounds=1, controls=names, out=out)
    shown = command("show", out).out
    assert "…" not in shown
    assert all(f"{name}:" in shown for name in names)
    for control in result.trials[0].rounds[1].controls.values():
        assert f"{100 * control.test_accuracy:.2f}" in shown


def test_a_narrow_terminal_cuts_no_number(ticket, monkeypatch):
    """What the main job shows on a terminal of the usual width: two controls, mean, smallest and largest."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    screen = Terminal()
    with contextlib.redirect_stdout(screen):
        assert cli.run(["show", str(ticket)]) == 0
    assert "…" not in screen.getvalue()
    for trial in tt.load(ticket).trials:
        for run in (trial.rounds[2], *trial.rounds[2].controls.values()):
            assert f"{100 * run.test_accuracy:.2f}" in screen.getvalue()


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


# -- plot


def colours_in(picture):
    """Return the colours, to two digits, that cover more than a few pixels."""
    pixels, counts = np.unique((picture[..., :3].reshape(-1, 3) * 100).astype(int), axis=0, return_counts=True)
    return {tuple(pixel) for pixel, count in zip(pixels.tolist(), counts, strict=True) if count > 50}


def test_a_picture_shows_tickets_and_controls_in_their_colours(command, ticket, tmp_path):
    outcome = command("plot", ticket, "-o", tmp_path / "picture.png")
    assert outcome == (0, "", f"wrote {tmp_path / 'picture.png'}\n")
    picture = matplotlib.image.imread(tmp_path / "picture.png")
    assert picture.shape[0] > 300
    assert picture.shape[1] > 800
    expected = {tuple(int(int(c[i : i + 2], 16) / 255 * 100) for i in (1, 3, 5)) for c in COLOURS.values()}
    assert len(expected) == 3
    assert expected <= colours_in(picture)


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_ending_decides_the_kind_of_picture(ending, start, command, ticket, tmp_path):
    path = tmp_path / f"picture.{ending}"
    assert command("plot", ticket, "-o", path, "--quiet") == (0, "", "")
    assert path.read_bytes().startswith(start)


def test_a_result_without_tickets_can_be_plotted(command, out, tmp_path):
    find(rounds=0, out=out)
    assert command("plot", out, "-o", tmp_path / "picture.png").code == 0


def test_quiet_stands_before_a_command_or_behind_it(command, ticket, tmp_path):
    for arguments in (("-q", "plot", ticket), ("plot", ticket, "-q")):
        assert command(*arguments, "-o", tmp_path / "x.svg") == (0, "", "")


@pytest.mark.parametrize(("words", "found"), [("com", "compare"), ("find --masks", "--masks-from")])
def test_shells_complete_commands_and_options(words, found, monkeypatch, capsys):
    monkeypatch.setenv("_TINYTICKET_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"tinyticket {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    with pytest.raises(SystemExit):
        cli.run([])
    assert capsys.readouterr().out == f"plain,{found}\n"
