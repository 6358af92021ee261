"""`tinyticket find`: the main job."""

import json
import os
import re

import numpy as np
import pytest

import tinyticket as tt
from tests.cli.commands import one_sentence
from tests.lottery.experiments import MODEL, contents, differing
from tinyticket.lottery import Experiment
from tinyticket.lottery.controls import BESIDE, KINDS
from tinyticket.lottery.methods import METHODS
from tinyticket.lottery.pruning import AFTER_TRAINING, AT_INIT
from tinyticket.lottery.rewinding import REWINDS, STRATEGIES
from tinyticket.lottery.settings.document import DECLARED
from tinyticket.nn import models


def test_it_leaves_a_file_and_shows_a_table_and_the_verdict(find_command, out, ticket):
    outcome = find_command(trials=2)
    assert outcome.code == 0
    assert differing(contents(out), contents(ticket)) == []  # the library's
    lines = outcome.out.splitlines()
    assert MODEL in lines[0]
    assert lines[-1] == tt.load(out).verdict["text"]
    assert os.listdir(out.parent) == [out.name]


def test_help_names_every_control_criterion_and_way_to_rewind(command):
    text = command("find", "--help-all").out
    for name in (*KINDS, *BESIDE, *METHODS, *REWINDS, *STRATEGIES, *AT_INIT):
        assert name in text
    for name in AFTER_TRAINING:
        assert name in text or name.removesuffix("_same_sign").removesuffix("_diff_sign") in text


def test_the_short_help_has_ten_options_and_names_the_whole_one(command):
    text = command("find", "--help").out
    assert re.findall(r"^  (--[\w-]+)", text, re.MULTILINE) == [
        "--data", "--model", "--trials", "--seed", "--iterations", "--rounds", "--prune", "--one-shot", "--controls", "--out",
        "--help-all",
    ]  # fmt: skip
    assert "tinyticket find --one-shot" in text
    assert "Recipes:" not in text


def test_the_whole_help_has_the_options_in_groups(command):
    text = command("find", "--help-all").out
    groups = ["Experiment", "Training", "Pruning", "Rewinding", "Controls", "Methods", "Running", "Recipes"]
    assert [line[:-1] for line in text.splitlines() if line[:-1] in groups] == groups
    assert text.index("Rewinding:") < text.index("--rewind-to ITERATION") < text.index("Methods:")


def test_options_of_rewinding_reach_the_experiment(find_command, out):
    options = {"rewind_to": 7, "criterion": "movement", "controls": "reshuffle,noise-0.5,inverted"}
    find_command(rounds=1, **options)
    ticket = tt.load(out).trials[0].rounds[1]
    assert (ticket.origin["weights"], ticket.origin["iteration"]) == ("rewind", 7)
    assert list(ticket.controls) == ["reshuffle", "noise-0.5", "inverted"]
    assert tt.load(out).config["criterion"] == "movement"
    again = find_command(rounds=1, **options)
    assert again.err.splitlines() == ["5 of 5 trainings are in the file already"]
    changed = find_command(rounds=1, **{**options, "rewind_to": 0})
    assert "rewind-to was 7 and is now 0" in one_sentence(changed)


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({"rewind": "lr"}, "[3/3] trial 0, round 2 (65.4%), ticket"),
        ({"rewind": "finetune", "rewind_to": 10}, "[3/3] trial 0, round 2 (65.4%), ticket"),
        ({"strategy": "continue"}, "[5/5] trial 0, round 2 (65.4%), continued"),
        ({"rounds": None, "one_shot": "0.5,0.3", "criterion": "snip"}, "[3/3] trial 0, round 2 (29.9%), ticket"),
        ({"rounds": None, "one_shot": "0.5,0.3", "scope": "erk"}, "[3/3] trial 0, round 2 ("),
        ({"rounds": None, "one_shot": "0.5,0.3", "gradual": "2,14,3"}, "[3/3] trial 0, round 2 (29.9%), ticket"),
        (
            {"rounds": None, "one_shot": "0.5,0.3", "method": "rigl", "update_every": 4, "drop": 0.2},
            "[3/3] trial 0, round 2 (",
        ),
        (
            {"rounds": None, "one_shot": "0.5", "method": "early-bird", "iterations": 54},
            "[2/2] trial 0, round 1 (50.0%), ticket",
        ),
    ],
)
def test_every_mode_runs_from_the_command_line(options, last, find_command, out):
    outcome = find_command(controls="none", **options)
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == tt.load(out).verdict["text"]
    assert outcome.err.splitlines()[-1].startswith(last)


def test_a_dense_training_of_another_file_is_copied(find_command, out, tmp_path):
    late, lr = tmp_path / "late.h5", {"rewind": "lr", "rewind_to": 5, "controls": "none"}
    find_command(rewind_to=5, controls="none", out=late)
    outcome = find_command("--dense-from", late, **lr)
    assert "1 of 3 trainings are in the file already" in outcome.err
    find_command(**lr, out=tmp_path / "itself.h5")
    assert differing(contents(out), contents(tmp_path / "itself.h5")) == []
    refused = find_command("--dense-from", late, **lr, lr=0.3, out=tmp_path / "other.h5")
    assert "is another than this experiment's: lr differ" in one_sentence(refused)


def test_the_margin_reaches_the_verdict(find_command, out):
    find_command("--margin", 0.03, rounds=1, controls="none")
    assert (tt.load(out).config["margin"], tt.load(out).verdict["margin"]) == (0.03, 0.03)


def test_the_penalty_of_scales_reaches_the_settings(find_command):
    refused = find_command("--scale-penalty", "0.01", rounds=None, one_shot="0.5", method="early-bird", controls="none")
    assert "scale-penalty is a setting of the method early-bird with early-bird-by channels" in one_sentence(refused)


def test_where_nobody_watches_progress_is_a_line_a_training(find_command):
    lines = find_command(rounds=1).err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "[0/4] trainings of 20 iterations begin",
        "[1/4] trial 0, round 0 (100.0%), dense",
        "[2/4] trial 0, round 1 (80.8%), ticket",
        "[3/4] trial 0, round 1 (80.8%), reinit",
        "[4/4] trial 0, round 1 (80.8%), random",
    ]


def test_a_progress_line_tells_what_the_file_does(find_command, out):
    _, line = find_command(rounds=0).err.splitlines()
    dense = tt.load(out).trials[0].rounds[0]
    assert f"early stop at {dense.early_stop_iteration}, test accuracy {dense.test_accuracy:.2%}" in line


def test_nothing_is_coloured_or_drawn_where_nobody_watches(find_command):
    outcome = find_command(rounds=1)
    assert "\x1b" not in outcome.out + outcome.err
    assert "\r" not in outcome.out + outcome.err


def test_quiet_leaves_the_verdict_alone(find_command, out):
    outcome = find_command("--quiet")
    assert outcome == (0, tt.load(out).verdict["text"] + "\n", "")


def test_the_same_command_goes_on_and_a_larger_one_extends(find_command, out, ticket):
    find_command(rounds=1)
    outcome = find_command(trials=2)
    assert outcome.err.splitlines()[0] == "4 of 14 trainings are in the file already"
    assert outcome.err.splitlines()[1].startswith("[5/14] trial 0, round 2")
    assert outcome.err.splitlines()[-1].startswith("[14/14] trial 1, round 2")
    assert differing(contents(out), contents(ticket)) == []
    again = find_command(trials=2)
    assert again.err.splitlines() == ["14 of 14 trainings are in the file already"]
    assert again.out == outcome.out


# -- every option does what it says

OPTIONS = {
    "rounds": ("1", 1),
    "iterations": ("7", 7),
    "batch_size": ("10", 10),
    "lr": ("0.5", 0.5),
    "optimizer": ("momentum", "momentum"),
    "schedule": ("step:5,7", {"kind": "multistep", "milestones": [5, 7], "gamma": 0.1}),
    "weight_decay": ("0.1", 0.1),
    "prune": ("fc=0.3,output=0.1", {"fc": 0.3, "output": 0.1}),
    "scope": ("global", "global"),
    "criterion": ("movement", "movement"),
    "rewind": ("finetune", "finetune"),
    "rewind_to": ("11", 11),
    "strategy": ("continue", "continue"),
    "mask_0": ("freeze-away", "freeze-away"),
    "trials": ("2", 2),
    "controls": ("random,random-2", ["random", "random-2"]),
    "seed": ("3", 3),
    "validation": ("50", 50),
    "evaluate_every": ("6", 6),
    "test_at": ("minima", "minima"),
    "model": ("mlp-12-9-8-3", "mlp-12-9-8-3"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_reaches_the_experiment(name, find_command, out):
    text, expected = OPTIONS[name]
    assert find_command(**{"rounds": 0, name: text}).code == 0
    assert tt.load(out).config[name] == expected


def test_eager_goes_through_the_autograd_and_the_file_says_so(find_command, out):
    assert find_command("--eager", rounds=0).code == 0
    assert tt.load(out).trials[0].rounds[0].plan == {"mode": "eager"}
    assert "eager was True and is now False" in find_command(rounds=0).err


def test_masks_of_untrained_weights(find_command, out):
    options = {"rounds": None, "method": "supermask", "score_lr": "50", "controls": "random"}
    assert find_command("--signed-constant", "--rescale", **options).code == 0
    config = tt.load(out).config
    names = ("method", "score_lr", "signed_constant", "rescale", "rounds")
    assert [config[name] for name in names] == ["supermask", 50, True, True, 1]
    again = find_command("--signed-constant", **options)
    assert (again.code, "rescale was True and is now False" in again.err) == (2, True)


def test_a_recipe_fills_in_what_is_not_given(find_command, out, command):
    assert find_command(rounds=0, lr=None, recipe="frankle-carbin/conv-6").code == 0
    config = tt.load(out).config
    assert (config["recipe"], config["lr"], config["iterations"]) == ("frankle-carbin/conv-6", 3e-4, 20)
    assert config["controls"] == ["reinit", "reinit-2", "reinit-3"]
    words = " ".join(command("find", "--help-all").out.split())
    for name in tt.lottery.recipes.RECIPES:
        assert name in words
    assert "did you mean 'frankle-carbin/lenet'" in find_command(recipe="frankle-carbin/lent").err


def test_images_can_be_augmented(find_command, out, tmp_path):
    x = np.random.default_rng(0).normal(size=(260, 1, 4, 3)).astype(np.float32)
    np.savez(tmp_path / "images.npz", x=x, y=np.arange(260) % 3)
    assert find_command(data=tmp_path / "images.npz", rounds=0, augment="flip-crop").code == 0
    assert tt.load(out).config["augment"] == "flip-crop"
    assert "wants images" in find_command(augment="flip-crop", out=tmp_path / "other.h5").err


def test_without_eager_the_file_names_every_layers_kernel(find_command, out):
    assert find_command(rounds=1).code == 0
    dense, ticket = tt.load(out).trials[0].rounds
    executed = {"mode": "compiled", "subnormals": "zero", "kernels": dict.fromkeys(dense.masks, "dense")}
    assert dense.plan == executed
    assert ticket.plan["kernels"].keys() == ticket.masks.keys()


def test_every_setting_is_an_option(command):
    explained = command("find", "--help-all").out
    options = re.findall(r"^ +(?:-\w, )?--([\w-]+)", explained.partition("Recipes:")[0], re.MULTILINE)
    named = {
        setting.name.replace("_", "-") if setting.option is None else setting.option for setting in DECLARED.values()
    }
    assert named - {""} | {"config", "dry-run", "quiet", "help", "help-all", "version"} <= set(options)
    assert len(options) == len(set(options))


def test_the_help_names_every_network(command):
    explained = "".join(command("find", "--help-all").out.split())
    assert f"{','.join(models.names())},orFILE.py:FUNCTION" in explained


def test_the_only_rate_is_the_learning_rate(command):
    """Published code said "prune rate" for the share that stays in one place and for the share that goes in another."""
    explained = command("find", "--help-all").out
    assert {word.strip().lower() for word in re.findall(r"(\S+\s+)?\brates?\b", explained)} == {"learning"}
    assert "Fraction of the survivors removed every round" in " ".join(explained.split())


def test_one_shot_takes_densities(find_command, out):
    assert find_command(rounds=None, one_shot="0.5,0.2").code == 0
    result = tt.load(out)
    assert result.config["one_shot"] == [0.5, 0.2]
    assert [round(r.density, 2) for r in result.trials[0].rounds] == [1.0, 0.5, 0.2]


def test_threads_reach_the_experiment_and_change_nothing_in_the_file(find_command, out, monkeypatch, ticket):
    used = []
    original = Experiment.run
    monkeypatch.setattr(Experiment, "run", lambda self: used.append(self.threads) or original(self))
    find_command(trials=2, threads=3)
    assert used == [3]
    assert differing(contents(out), contents(ticket)) == []


def test_no_controls_make_a_table_without_them(find_command, out):
    outcome = find_command(controls="none")
    assert "reinit" not in outcome.out
    assert all(round.controls == {} for round in tt.load(out).trials[0].rounds)


def test_the_data_folder_is_where_data_are_looked_for(find_command, tmp_path):
    assert str(tmp_path / "mnist") in one_sentence(find_command(data="mnist", data_folder=tmp_path))


def test_the_digits_are_the_default(command, out):
    outcome = command(
        "find", "--iterations", 1, "--rounds", 0, "--trials", 1, "--model", "mlp-64-10", "--quiet", "--out", out
    )
    assert outcome.code == 0
    assert tt.load(out).config["data"] == "digits"


# -- --dry-run


def test_a_dry_run_trains_nothing_and_writes_nothing(find_command, out, monkeypatch):
    monkeypatch.setattr(Experiment, "run", lambda self: pytest.fail("it ran"))
    outcome = find_command("--dry-run", trials=3)
    assert (outcome.code, outcome.err) == (0, "")
    assert os.listdir(out.parent) == []
    for words in ("nothing is trained yet", "344", "278", "225", "100.00%", "80.81%", "65.41%"):
        assert words in outcome.out
    for words in ("160 training, 40 validation, 60 test", "trainings: 21 of 20 iterations", "expected time", "memory"):
        assert words in outcome.out


def test_a_dry_run_counts_what_is_trained(find_command):
    said = find_command("--dry-run", method="edge-popup", one_shot=0.5, rounds=None, controls="reinit,rewound").out
    assert "trainings: 3 of 20 iterations" in said
    assert "controls: rewound, evaluated without training: reinit)" in said
    assert "round 1 would remove none of 344 weights" in one_sentence(
        find_command("--dry-run", method="edge-popup", one_shot=1, rounds=None)
    )


def test_a_dry_run_prints_the_papers_counts(command, out):
    """Lenet-300-100 of MNIST's size, from arrays that have nothing but the shape."""
    rng = np.random.default_rng(0)
    np.savez(out.with_name("shaped.npz"), x=rng.random((100, 784), np.float32), y=np.arange(100) % 10)
    outcome = command(
        "find", "--data", out.with_name("shaped.npz"), "--rounds", 16, "--batch-size", 10, "--dry-run", "--out", out
    )
    assert outcome.code == 0
    for percent in ("51.28%", "21.07%", "13.52%", "3.58%", "2.87%"):
        assert percent in outcome.out
    assert "266,200" in outcome.out


def test_a_dry_run_refuses_what_the_run_would_refuse(find_command):
    assert "round 16 would remove nothing" in one_sentence(find_command("--dry-run", rounds=20))


# -- a model of one's own

OWN_MODEL = """
from __future__ import annotations

from dataclasses import dataclass

from tinyticket import nn


@dataclass
class Sizes:
    hidden: int = 9


class Net(nn.Module):
    def __init__(self, inputs, classes, rng):
        self.first = nn.Linear(inputs, Sizes().hidden, rng=rng)
        self.act = nn.Tanh()
        self.last = nn.Linear(Sizes().hidden, classes, rng=rng)

    def forward(self, x):
        return self.last(self.act(self.first(x)))


def make(input_shape, classes, rng):
    return Net(input_shape[0], classes, rng)


def too_wide(input_shape, classes, rng):
    return nn.Sequential(nn.Linear(13, classes, rng=rng))


def unfinished(input_shape, classes, rng):
    raise ZeroDivisionError("in the user's code")


def of_images(input_shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3))


number = 5
"""


@pytest.fixture
def own_model(tmp_path):
    path = tmp_path / "my_model.py"
    path.write_text(OWN_MODEL)
    return path


def test_a_model_of_ones_own_comes_from_a_function_in_a_file(find_command, own_model, out, caplog):
    for _ in range(2):  # the second goes on
        outcome = find_command("--quiet", model=f"{own_model}:make", rounds=1)
        assert outcome.code == 0
    eager = "eagerly, which takes several times as long: Net is a class of your own"
    assert caplog.messages == [f"training runs {eager}"]  # not where nothing is trained any more
    assert f"trained {eager}\n" in find_command("--dry-run", model=f"{own_model}:make", rounds=1).out
    result = tt.load(out)
    assert result.config["model"] == "my_model.py:make"
    assert {name: mask.shape for name, mask in result.trials[0].rounds[1].masks.items()} == {
        "first.weight": (9, 12),
        "last.weight": (3, 9),
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing.py:make", "names no Python file"),
        ("{}:build", "has no function 'build'"),
        ("{}:number", "has no function 'number'"),
        ("{}:of_images", "of_images is called with (input_shape, classes, rng), but takes (input_shape)"),
        ("{}:Sizes", "Sizes is called with (input_shape, classes, rng), but takes (hidden: 'int' = 9)"),
        ("{}:too_wide", "cannot take examples of shape (12,)"),
    ],
)
def test_a_model_that_is_not_there_or_does_not_fit_is_refused(name, words, find_command, own_model):
    assert words in one_sentence(find_command(model=name.format(own_model)))


def test_an_error_in_the_users_code_keeps_its_traceback(find_command, own_model):
    with pytest.raises(ZeroDivisionError, match="in the user's code"):
        find_command(model=f"{own_model}:unfinished")


def test_the_config_is_what_show_prints(find_command, command, out):
    find_command("--quiet", rounds=0)
    assert json.loads(command("show", out, "--json").out)["config"] == tt.load(out).config
