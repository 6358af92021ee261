"""What the trials prove: every case, on results made by hand, and how often a verdict is wrong, on simulated ones."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.verdict import DRAWS, PAPER, TRUTHS, Truth, simulate, wrong
from tinyticket.lottery import verdict
from tinyticket.results.intervals import holm
from tinyticket.results.naming import networks_of
from tinyticket.results.verdict import judged, read
from tinyticket.store import HISTORY

DENSITIES = (1.0, 0.8, 0.64, 0.51, 0.41, 0.33, 0.26, 0.21, 0.17, 0.13, 0.11, 0.086, 0.069)


LAST = 10_000


def history(rows):
    """A history of (iteration, validation loss, test accuracy)."""
    table = np.zeros(len(rows), HISTORY)
    table["iteration"], table["validation_loss"], table["test_accuracy"] = zip(*rows, strict=True)
    return table


def run(number, accuracy, stop, controls=(), before=None, last=None):
    """A training that stops early at `stop`; up to then it has the accuracy `before`, if that is another."""
    rows = [(i, abs(i - stop) + 1, accuracy) for i in sorted({0, stop, LAST, *range(500, LAST, 500)})]
    if before is not None:
        rows = [(i, loss, before if i < stop else value) for i, loss, value in rows]
    if last is not None:
        rows[-1] = (*rows[-1][:2], last)
    return SimpleNamespace(
        number=number,
        density=DENSITIES[number],
        history=history(rows),
        origin={"drawn": 4000},
        controls={name: run(number, control, stop) for name, control in dict(controls).items()},
    )


def result(*trials, test=10_000, **config):
    """Make a result of trials, each a list of the arguments of `run` by round."""
    return SimpleNamespace(
        trials=[
            SimpleNamespace(number=t, rounds=[run(number, *numbers) for number, numbers in enumerate(rounds)])
            for t, rounds in enumerate(trials)
        ],
        config={"evaluate_every": 100, **config},
        networks=networks_of(config),
        data={"examples": {"test": test}},
    )


def judge(*trials, **config):
    return verdict(result(*trials, **config))


def five(dense, *rounds, spread=0.0005, controls=()):
    """Five trials of (accuracy, stop, ...) with small differences between trials."""
    wobble = (-1, -0.5, 0, 0.5, 1)
    return [
        [
            (
                accuracy + spread * w * (i > 0),
                round(stop * (1 + 0.05 * w * (i > 0))),
                {name: value - spread * w for name, value in dict(controls).items()} if i else (),
                *more,
            )
            for i, (accuracy, stop, *more) in enumerate((dense, *rounds))
        ]
        for w in wobble
    ]


def standings(found):
    return [density["standing"] for density in found["densities"]]


def test_nothing_pruned_yet():
    found = judge([(0.9, 5000)])
    assert found["text"] == "nothing has been pruned yet: there is no ticket to judge"
    assert found["smallest_winning_density"] is None
    assert found["densities"] == []


def test_a_winning_ticket_is_told_with_its_numbers_and_intervals():
    found = judge(*five((0.98, 5000), (0.983, 3100), controls={"reinit": 0.976, "random": 0.97}))
    assert (found["winning_rounds"], found["matching_rounds"], found["sooner_rounds"]) == ([1], [1], [1])
    assert found["smallest_winning_density"] == 0.8
    assert found["accuracy_difference"] == pytest.approx(0.003)
    assert found["early_stop_ratio"] == pytest.approx(0.62, abs=0.01)
    assert found["control_differences"] == {"reinit": pytest.approx(-0.004), "random": pytest.approx(-0.01)}
    assert found["text"] == (
        "winning ticket at 80.0%: +0.30 points [+0.25, +0.35] in no more iterations, and sooner, stops at 0.62x [0.59, 0.65], "
        "+0.70 [+0.60, +0.80] against re-initialised, random mask -1.00; 5 trials, 95% intervals, margin 0.20 points"
    )


@pytest.mark.parametrize("trials", [1, 2])
def test_one_trial_or_two_prove_nothing_but_their_numbers_are_told(trials):
    found = judge(*[[(0.90, 5000), (0.95, 2500)]] * trials)
    assert found["text"].startswith("not enough trials to tell: nearest to a winning ticket at 80.0%: +5.00 points")
    assert found["text"].endswith("; a verdict takes 3 trials at least")
    assert standings(found) == ["undecided"]
    if trials == 1:
        assert found["densities"][0]["accuracy_difference"] == {"mean": pytest.approx(0.05), "low": None, "high": None}
    json.dumps(found, allow_nan=False)


def test_one_trial_has_no_intervals():
    assert (
        "+5.00 points in no more iterations, stops at 0.50x; 1 trial; a" in judge([(0.90, 5000), (0.95, 2500)])["text"]
    )


@pytest.mark.parametrize(
    ("accuracy", "stop", "before", "standing"),
    [
        (0.9800, 3000, None, "winning"),
        (0.9790, 3000, None, "winning"),  # within the margin
        (0.9780, 3000, None, "undecided"),  # at the margin
        (0.9700, 3000, None, "losing"),
        (0.9900, 5000, None, "winning"),  # no sooner, which is not asked
        (0.9900, 7000, None, "winning"),  # it is even better later on
        (0.9900, 7000, 0.97, "losing"),  # as accurate only after more iterations than dense takes
    ],
)
def test_a_ticket_must_match_in_no_more_iterations(accuracy, stop, before, standing):
    found = judge(*five((0.98, 5000), (accuracy, stop, before)))
    assert standings(found) == [standing]
    assert found["winning_rounds"] == ([1] if standing == "winning" else [])


def test_a_training_is_read_at_its_smallest_loss_among_the_evaluations_that_count():
    one = SimpleNamespace(
        history=history([(0, 5, 0.1), (10, 2, 0.5), (20, 2, 0.6), (30, np.nan, 0.0), (40, 3, 0.7), (50, 1, 0.9)])
    )
    assert read(one) == (50, 0.9)
    assert read(one, until=49) == read(one, until=20) == (10, 0.5)  # the first of equals; NaN is never smallest
    assert read(one, until=49, since=25) == (40, 0.7)
    assert read(one, until=5, since=20) == (20, 0.6)  # the first that counts, at least


def test_diverged_networks():
    """A ticket that diverged is as bad as can be; trials whose dense network did are left out."""
    trials = five((0.98, 5000), (0.983, 3000))
    assert standings(judge(*trials[:4], [trials[4][0], (math.nan, 3000)])) == ["undecided"]
    found = judge(*trials, [(math.nan, 5000), (0.983, 3000)])
    assert standings(found) == ["winning"]
    assert found["densities"][0]["trials"] == 5
    json.dumps(found, allow_nan=False)


def test_the_mask_alone_wins_nothing():
    """Where re-initialised networks do as well the words "winning ticket" are not used."""
    found = judge(*five((0.98, 5000), (0.983, 3100), controls={"reinit": 0.983}))
    assert (standings(found), found["winning_rounds"], found["matching_rounds"]) == (["matching"], [], [1])
    assert found["smallest_winning_density"] is None
    assert found["text"].startswith(
        "as accurate as dense, but not shown to owe it to the initialisation, at 80.0%: +0.30 points"
    )


def test_where_no_reinitialised_control_was_run_the_sentence_says_so():
    found = judge(*five((0.98, 5000), (0.983, 3100), controls={"random": 0.97}))
    assert found["winning_rounds"] == [1]
    assert "; no re-initialised control was run: the mask alone may have done it" in found["text"]


def test_controls_are_read_within_the_same_iterations():
    """A control that gets there later than dense does not do as well as the ticket."""
    made = result(*five((0.98, 5000), (0.983, 3100), controls={"reinit": 0}))
    for trial in made.trials:
        trial.rounds[1].controls["reinit"] = run(1, 0.99, 8000, before=0.96)
    assert standings(verdict(made)) == ["winning"]


def test_equal_values_by_chance_are_no_certainty():
    """Accuracies come in steps of one test example: three trials that agree to the digit still have an interval."""
    (density,) = judge(*[[(0.9, 5000), (0.8981, 2000)]] * 3)["densities"]
    assert density["accuracy_difference"]["low"] < -0.0019
    assert 0.01 < density["p"]["matches"] < 0.02


def test_the_margin_is_a_setting_and_at_least_a_test_example():
    trials = five((0.98, 5000), (0.977, 3000))
    assert standings(judge(*trials)) == ["losing"]
    assert standings(judge(*trials, margin=0.005)) == ["winning"]
    found = judge(*trials, test=200)
    assert found["margin"] == 0.005
    assert judge(*trials, test=100_000)["margin"] == 0.002


def test_one_unlucky_density_hides_no_others():
    rounds = [(0.983, 3000)] * 12
    rounds[2] = rounds[6] = (0.979, 3000, None)
    rounds[6] = (0.97, 3000)
    found = judge(*five((0.98, 5000), *rounds))
    assert found["winning_rounds"] == [n for n in range(1, 13) if n != 7]
    assert found["smallest_winning_density"] == 0.069
    assert "; winning too at 80.0%, 64.0%, 51.0%, 41.0%, 33.0%, 26.0%, 17.0%, 13.0%, 11.0%, 8.6%; 5" in found["text"]


def test_when_all_are_worse_there_is_no_ticket():
    found = judge(*five((0.98, 5000), (0.97, 3000), (0.96, 3000)))
    assert standings(found) == ["losing", "losing"]
    assert found["smallest_winning_density"] is None
    assert found["text"].startswith(
        "no winning ticket: every one is less accurate than dense by then; the most accurate at 80.0%"
    )


def test_what_is_undecided_says_what_would_decide():
    found = judge(*five((0.98, 5000), (0.979, 3000), spread=0.002))
    assert standings(found) == ["undecided"]
    needed = re.search(
        r"; (\d+) trials like these would probably prove it; within a margin of (.*) points", found["text"]
    )
    assert 5 < int(needed[1]) < 50
    low = found["densities"][0]["accuracy_difference"]["low"]
    assert float(needed[2]) == pytest.approx(-100 * low, abs=0.011)  # a single density is tested at 97.5%
    assert standings(judge(*five((0.98, 5000), (0.979, 3000), spread=0.002), margin=float(needed[2]) / 100)) == [
        "winning"
    ]
    hopeless = judge(*five((0.98, 5000), (0.9775, 3000), spread=0.002))["text"]
    assert "trials like these" not in hopeless
    assert "within a margin" in hopeless


def test_trainings_that_stop_at_their_last_iteration_are_called_too_short():
    found = judge(*five((0.98, LAST), (0.983, LAST)))
    made = result(*[[(0.98, LAST), (0.983 + 0.0001 * t, LAST)] for t in range(5)])
    found = verdict(made)
    assert standings(found) == ["winning"]  # it matches after as many iterations
    assert found["sooner_rounds"] == []
    assert found["early_stop_ratio"] == 1
    assert found["text"].endswith("; trainings too short: 10 of 10 stop at their last iteration")
    assert "too short" not in judge(*five((0.98, 5000), (0.983, 3000)))["text"]


def test_trainings_that_made_nothing_better_are_called_in_vain():
    text = judge(*five((0.1, 0), (0.1, 0)))["text"]
    assert "; trained in vain: 10 of 10 are best before their first step, as with too large a learning rate" in text
    assert "in vain" not in judge(*five((0.98, 5000), (0.983, 3000)))["text"]


def test_a_sanity_check_asks_for_the_last_iteration():
    """A ticket that matches an early stop, but not the dense network that was trained to the end."""
    trials = [[(0.98, 5000, (), None, 0.99), (0.983 + 0.0001 * t, 3000, (), None, 0.983)] for t in range(5)]
    found = judge(*trials)
    assert found["winning_rounds"] == [1]
    assert (
        "; a sanity check would ask for longer trainings: after the last iteration it is at -0.70 points"
        in found["text"]
    )
    assert found["densities"][0]["final_difference"]["mean"] == pytest.approx(-0.007)


def test_several_controls_of_a_kind_are_averaged_within_a_trial():
    found = judge(*five((0.98, 5000), (0.983, 3000), controls={"reinit": 0.97, "reinit-2": 0.98}))
    assert found["control_differences"] == {"reinit": pytest.approx(-0.005)}
    against = found["densities"][0]["controls"]["reinit"]["ticket_minus_control"]
    assert against["mean"] == pytest.approx(0.008)
    assert against["low"] < 0.008 < against["high"]


def test_trials_are_compared_with_their_own_dense_networks():
    """Trials differ by points, a ticket from its dense network by a tenth of one: only pairs show that."""
    trials = [[(level, 5000), (level + 0.001 + 0.0001 * t, 3000)] for t, level in enumerate((0.90, 0.94, 0.97, 0.92))]
    assert judge(*trials)["winning_rounds"] == [1]


def test_a_round_is_compared_in_the_trials_that_have_it():
    found = judge(*five((0.98, 5000), (0.983, 3000)), [(0.5, 100)])
    assert found["densities"][0]["trials"] == 5
    assert found["accuracy_difference"] == pytest.approx(0.003)


def test_a_dense_network_that_never_improves_has_no_ratio():
    found = judge(*[[(0.3, 0), (0.3, 0)]] * 3)
    assert found["densities"][0]["early_stop_ratio"] is None
    assert found["sooner_rounds"] == []


@pytest.mark.parametrize(
    "setting", [{"gradual": [1000, 6050, 500]}, {"method": "early-bird"}, {"method": "early-bird-original"}]
)
def test_a_network_that_has_its_mask_only_later_cannot_match_in_as_many_iterations(setting):
    assert standings(judge(*five((0.98, 7000), (0.983, 3000)), **setting)) == ["winning"]
    assert standings(judge(*five((0.98, 3000), (0.983, 3000)), **setting)) == ["undecided"]


def test_networks_that_keep_their_weights_are_judged_by_accuracy_alone():
    found = judge(*five((0.98, 5000), (0.983, 6000, 0.1), controls={"reinit": 0.99}), rewind="lr")
    assert (found["winning_rounds"], found["early_stop_ratio"]) == ([1], None)
    assert found["text"].startswith(
        "matching network, whose weights were not rewound, at 80.0%: +0.30 points [+0.25, +0.35], re-initialised +1.00; 5"
    )


@pytest.mark.parametrize("method", ["supermask", "edge-popup"])
def test_where_nothing_was_trained_nothing_is_called_a_ticket(method):
    def say(*trials):
        return judge(*trials, method=method)

    controls = {"rewound": 0.985, "random": 0.1}
    found = say(
        *five((0.98, 5000), (0.983, 9000), controls=controls)
    )  # iterations in which a mask was learned do not count
    assert (found["winning_rounds"], found["early_stop_ratio"]) == ([1], None)
    assert found["sought"] == "matching network, whose weights were never trained"
    assert found["text"] == (
        "matching network, whose weights were never trained, at 80.0%: +0.30 points [+0.25, +0.35], weights trained under its "
        "mask +0.50, random mask -88.00; 5 trials, 95% intervals, margin 0.20 points"
    )
    assert say(*five((0.98, 5000), (0.95, 3000)))["text"].startswith(
        "no matching network, whose weights were never trained: every one is less accurate than dense; the most"
    )
    assert say([(0.98, 5000), (0.95, 3000)])["text"].startswith(
        "not enough trials to tell: nearest to a matching network, whose weights were never trained, at 80.0%: -3.00"
    )
    assert say([(0.98, 5000)])["text"] == "nothing has been found yet but the dense network: there is none to judge"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"method": "rigl"}, "winning network, whose mask moved while it trained, at 80.0%: +0.30"),
        ({"method": "early-bird"}, "winning network, which was dense until it was drawn, at 80.0%: +0.30"),
        ({"gradual": [1, 2, 1]}, "winning network, which was pruned while it trained, at 80.0%: +0.30"),
        ({"rewind": "finetune"}, "matching network, whose weights were not rewound, at 80.0%: +0.30"),
        ({"criterion": "snip", "one_shot": [0.8]}, "winning ticket at 80.0%: +0.30"),
    ],
)
def test_a_network_that_was_not_trained_from_the_start_under_its_mask_is_no_ticket(setting, words):
    assert judge(*five((0.98, 5000), (0.983, 3100)), **setting)["text"].startswith(words)


def test_a_result_judges_itself(small):
    assert small.verdict == verdict(small)
    assert small.verdict["trials"] == 2


# -- calibration: experiments with a known truth (benchmarks.verdict has them all)

SIMULATED = 400
ALLOWED = 0.05 + 3 * np.sqrt(0.05 * 0.95 / SIMULATED)


@pytest.mark.parametrize("kind", ["at the margin", "initialisation null", "no sooner", "a third of each"])
@pytest.mark.parametrize(
    ("trials", "draw", "examples", "dense_spread"),
    [(3, "normal", 10_000, 0.1), (5, "heavy", 10_000, 0.4), (10, "even", 1_000, 0.1)],
)
def test_false_claims_are_rare(kind, trials, draw, examples, dense_spread):
    """True nulls of every kind; noise that is not normal, shared by all densities, or rounded to coarse test sets."""
    rng, whole = np.random.default_rng(trials), TRUTHS[kind]
    truth = Truth(whole.accuracy[:4], whole.over_control[:4], whole.ratio[:4])
    found = [simulate(rng, truth, trials, DRAWS[draw], examples, dense_spread) for _ in range(SIMULATED)]
    assert np.mean([wrong(judged(each), truth) for each in found]) <= ALLOWED


def test_tickets_like_the_paper_s_are_found():
    """Five trials prove most densities from 51% to 10%, and nothing that a re-initialised network does as well."""
    rng = np.random.default_rng(0)
    found = [judged(simulate(rng, PAPER, 5, DRAWS["normal"])) for _ in range(60)]
    won = np.mean([[each.standing == "winning" for each in densities] for densities in found], axis=0)
    assert won[3:10].mean() > 0.75


def test_claims_are_tested_at_the_level_that_is_left():
    assert holm([], 0.05, 0.025) == ([], 0.025)
    assert holm([0.024], 0.05, 0.025) == ([True], 0.025)
    assert holm([0.03], 0.05, 0.025) == ([False], 0.025)
    assert holm([0.9, 0.01, 0.02, 0.03], 0.05, 0.05) == ([False, True, False, False], pytest.approx(0.05 / 3))
