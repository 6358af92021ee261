"""What --dry-run promises."""

import itertools
import time

import pytest

from tests.lottery.experiments import DATA, MODEL, SMALL, find
from tinyticket.lottery import Experiment
from tinyticket.lottery.estimate import STEPS, estimate


@pytest.mark.parametrize(
    ("changes", "trainings"),
    [
        ({}, 1 + 2 * 3),
        ({"trials": 3}, 3 * (1 + 2 * 3)),
        ({"controls": "none"}, 1 + 2),
        ({"rounds": 0}, 1),
        ({"rounds": None, "one_shot": [0.5], "controls": "reinit,reinit-2"}, 1 + 3),
        ({"strategy": "continue"}, 1 + 2 * 4),
        ({"rewind_to": 7}, 1 + 2 * 3),
        (
            {"rounds": None, "method": "edge-popup", "one_shot": (0.5, 0.3), "controls": "reinit,random,rewound"},
            1 + 2 * 2,
        ),
        ({"rounds": None, "method": "supermask"}, 1 + 1),
    ],
)
def test_trainings_are_counted(changes, trainings):
    assert estimate(Experiment(MODEL, DATA, **{**SMALL, **changes})).trainings == trainings


def test_the_time_grows_with_what_there_is_to_do():
    short, long = (estimate(Experiment(MODEL, DATA, **{**SMALL, "iterations": n})).seconds for n in (10, 100_000))
    assert 0 < short < long


def test_a_late_rewinding_costs_the_iterations_that_are_left_and_controls_drawn_anew_cost_all(monkeypatch):
    """Seconds are counted in steps, of which each takes one, and evaluations none."""

    def seconds(**changes):
        experiment = Experiment(MODEL, DATA, **{**SMALL, "iterations": 100, **changes})
        ticks = itertools.cycle((0, STEPS, 0, 0))
        with monkeypatch.context() as patched:
            patched.setattr(time, "perf_counter", lambda: next(ticks))
            return estimate(experiment).seconds

    assert seconds(controls="none") == 300
    assert seconds(controls="none", rewind_to=40) == 100 + 2 * 60
    assert seconds(controls="reinit,random", rewind_to=40) == 100 + 2 * (60 + 100 + 60)
    assert seconds(controls="none", strategy="continue", rewind_to=40) == 100 + 2 * (60 + 60)


def test_networks_after_the_dense_one_that_run_otherwise_have_their_own_time(monkeypatch):
    def seconds(**changes):
        experiment = Experiment(MODEL, DATA, **{**SMALL, "iterations": 100, **changes})
        ticks = itertools.cycle((0, STEPS, 0, 3 * STEPS, 0, 0))
        with monkeypatch.context() as patched:
            patched.setattr(time, "perf_counter", lambda: next(ticks))
            return estimate(experiment).seconds

    untrained = {"method": "edge-popup", "rounds": None, "one_shot": (0.5, 0.3)}
    assert seconds(**untrained, controls="reinit,random") == 100 + 2 * 300
    assert seconds(**untrained, controls="reinit,rewound") == 100 + 2 * (300 + 100)
    assert seconds(method="supermask", rounds=None) == 100 + 300
    assert seconds(mask_0="freeze", controls="random") == 100 + 4 * 300


def test_the_size_of_the_file_is_near(out):
    model, changes = "mlp-12-600-100-3", {"rounds": 2, "iterations": 2, "controls": "random"}
    expected = estimate(Experiment(model, DATA, **{**SMALL, **changes})).file_bytes
    find(model, out=out, **changes)
    assert 0.8 < out.stat().st_size / expected < 1.3


def test_a_model_is_measured_and_not_left_in_another_state_than_the_run_expects():
    experiment = Experiment(MODEL, DATA, **{**SMALL, "rounds": 0})
    estimate(experiment)
    run = experiment.run().trials[0].rounds[0]
    assert run.trained["fc1.weight"].tobytes() == find(rounds=0).trials[0].rounds[0].trained["fc1.weight"].tobytes()
