"""What a user defines: a criterion, a control, a method and a recipe, in a script or in an installed package."""

import json

import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, MODEL, SMALL, contents, differing, find
from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.controls import KINDS
from tinyticket.lottery.methods import METHODS, Method
from tinyticket.lottery.pruning import CRITERIA
from tinyticket.lottery.recipes import RECIPES
from tinyticket.lottery.registry import _installed
from tinyticket.lottery.replay.replay import replay
from tinyticket.lottery.replay.verify import verify
from tinyticket.lottery.revision import Revision
from tinyticket.lottery.start import Start
from tinyticket.results.naming import Networks


@pytest.fixture(autouse=True)
def forgotten():
    """Forget afterwards what a test has registered."""
    tables = CRITERIA, KINDS, METHODS, RECIPES
    before = [dict(table.data) for table in tables]
    yield
    for table, was in zip(tables, before, strict=True):
        table.data = was


def far_from_the_median(final, initial):
    return np.abs(final - np.median(final))


def shifted(ticket, rng, origin):
    """Keep the ticket's weights and move its mask by one place."""
    masks = {name: np.roll(mask.ravel(), 1).reshape(mask.shape) for name, mask in ticket.start.masks.items()}
    weights = prune.apply_masks(ticket.source, masks)
    return Start(masks, weights, {"weights": "init", "mask": "shifted", "statistics": "init"})


class Halfway(Revision):
    """Keep every other weight from the middle of a training on."""

    def __init__(self, iteration):
        self.iterations = (iteration,)

    def __call__(self, iteration, weights, masks):
        return {name: np.arange(mask.size).reshape(mask.shape) % 2 == 0 for name, mask in masks.items()}

    def record(self):
        return {"halved": self.iterations[0]}


class HalfAtHalf(Method):
    name = "half-at-half"
    words = Networks("half a network", "matching network", "which was halved")
    own = ("drop",)

    def start(self, trial, round):
        return trial.dense_start(self.name, Halfway(trial.settings.iterations // 2))


def test_a_criterion_is_a_function_of_final_and_initial_weights(out):
    result = find(criterion=far_from_the_median, rounds=1, out=out)
    assert result.config["criterion"] == "far_from_the_median"
    dense, ticket = result.trials[0].rounds
    names = list(dense.masks)
    fractions = dict(zip(names, (0.2, 0.2, 0.1), strict=True))
    trained, initial = ({name: state[name] for name in names} for state in (dense.trained, result.init(0)))
    expected = prune.prune_by(far_from_the_median, trained, initial, dense.masks, fractions)
    for name, mask in ticket.masks.items():
        np.testing.assert_array_equal(mask, expected[name])
    assert replay(result, 0, 1, data=DATA).agrees
    assert find(criterion="far_from_the_median", rounds=2, out=out).trials[0].rounds[2:]  # it has a name now


def test_a_criterion_serves_gradual_pruning_in_other_processes(out):
    options = {"rounds": None, "one_shot": 0.5, "gradual": (5, 15, 5), "criterion": far_from_the_median, "trials": 2}
    find(**options, workers=2, out=out)
    assert not differing(contents(find(**options), out.parent), contents(out))


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (lambda final, initial: final[:3], "one score a weight"),
        (lambda final, initial: final * np.nan, "not a number"),
    ],
)
def test_a_criterion_that_gives_no_scores_is_named(scores, words):
    scores.__name__ = "mine"
    with pytest.raises(InputError, match=words):
        find(criterion=scores, rounds=1)


def test_a_control_is_a_function_of_the_ticket(out):
    result = find(controls=["reinit", shifted], rounds=1, out=out)
    ticket = result.trials[0].rounds[1]
    assert list(ticket.controls) == ["reinit", "shifted"]
    for name, mask in ticket.masks.items():
        np.testing.assert_array_equal(ticket.controls["shifted"].masks[name].ravel(), np.roll(mask.ravel(), 1))
        np.testing.assert_array_equal(ticket.controls["shifted"].start_masks[name].ravel(), np.roll(mask.ravel(), 1))
    assert all(check.standing != "failed" for check in verify(result, data=DATA))
    assert replay(result, 0, 1, "shifted", data=DATA).agrees


def test_a_control_that_is_its_ticket_is_refused():
    def same(ticket, rng, origin):
        return ticket.start

    with pytest.raises(InputError, match="control same came out equal to its ticket"):
        find(controls=same, rounds=1)


def test_a_method_is_an_object(out, tmp_path):
    result = find(method=HalfAtHalf(), rounds=None, one_shot=0.5, controls="reinit,rewound", out=out)
    assert result.config["method"] == "half-at-half"
    ticket = result.trials[0].rounds[1]
    assert ticket.origin["halved"] == 10
    assert all(mask.all() for mask in ticket.start_masks.values())
    assert all(mask.ravel()[::2].all() and not mask.ravel()[1::2].any() for mask in ticket.masks.values())
    assert replay(result, 0, 1, data=DATA).agrees
    workers = find(
        method=HalfAtHalf(), rounds=None, one_shot=0.5, controls="reinit,rewound", workers=2, out=tmp_path / "2.h5"
    )
    assert not differing(contents(out), contents(workers.path))
    METHODS.data.pop("half-at-half")  # who reads the file needs to know nothing of it
    assert tt.load(out).networks == HalfAtHalf.words
    assert "which was halved" in tt.load(out).verdict["text"]


def test_settings_of_other_methods_are_refused():
    with pytest.raises(InputError, match=r"update-every is a setting of the method set or .*, not of half-at-half"):
        find(method=HalfAtHalf(), rounds=None, one_shot=0.5, update_every=7)


def test_a_recipe_is_a_table_of_settings():
    RECIPES.register({**SMALL, "model": MODEL, "rounds": 1}, "me/clusters")
    assert find(None, recipe="me/clusters", rounds=None).config["recipe"] == "me/clusters"


@pytest.mark.parametrize("name", ["large_final", "snip"])
def test_the_names_of_tinyticket_are_taken(name):
    def own(final, initial):
        return final

    own.__name__ = name
    with pytest.raises(InputError, match=f"criterion '{name}' is one of tinyticket's"):
        find(criterion=own)


@pytest.mark.parametrize("given", [3, object(), "a b", lambda final, initial: final])
def test_what_has_no_usable_name_is_refused(given):
    with pytest.raises(InputError):
        find(criterion=given)


def test_an_installed_package_offers_its_own(tmp_path, monkeypatch):
    package = tmp_path / "plugin-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[tinyticket.criterion]\nlargest = plugin_of_a_test:largest\n")
    (tmp_path / "plugin_of_a_test.py").write_text("def largest(final, initial):\n    return final\n")
    monkeypatch.syspath_prepend(tmp_path)
    _installed.cache_clear()
    try:
        assert "largest" in list(CRITERIA)
        result = find(criterion="largest", rounds=1, controls="none")
        assert json.loads(json.dumps(result.config))["criterion"] == "largest"
    finally:
        _installed.cache_clear()
