"""What a file says about the experiment that it holds."""

import dataclasses

import tinyticket as tt
from tests.lottery.experiments import (
    MODEL,
    find,
)
from tinyticket.optim import MultiStep


def test_the_configuration_is_recorded_whole(out):
    schedule = MultiStep((10, 15), 0.5)
    changes = {
        "schedule": schedule,
        "weight_decay": 0.01,
        "optimizer": "nesterov",
        "controls": "reinit-2",
        "margin": 0.002,
    }
    config = find(out=out, **changes).config
    assert config == {
        "data": "clusters",
        "model": MODEL,
        "rounds": 2,
        "iterations": 20,
        "batch_size": 20,
        "lr": 0.01,
        "optimizer": "nesterov",
        "weight_decay": 0.01,
        "schedule": {"kind": "multistep", "milestones": [10, 15], "gamma": 0.5},
        "prune": {"conv": 0.2, "fc": 0.2, "output": 0.1},
        "one_shot": [],
        "scope": "layer",
        "trials": 1,
        "controls": ["reinit-2"],
        "seed": 0,
        "validation": 40,
        "evaluate_every": 5,
        "eager": False,
    }
    later = {
        field.name for field in dataclasses.fields(tt.lottery.Settings) if field.default is not dataclasses.MISSING
    }
    assert {field.name for field in dataclasses.fields(tt.lottery.Settings)} - later == set(config)


def test_later_settings_are_recorded_where_they_are_not_what_they_always_were():
    assert find(rounds=1, rewind_to=3).config["rewind_to"] == 3
    assert "rewind" not in find(rounds=1, rewind_to=3).config
