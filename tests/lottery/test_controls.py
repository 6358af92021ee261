"""Controls share everything with their ticket but the one thing they are about, and in that they really differ."""

import numpy as np
import pytest

from tests.lottery.experiments import MODEL
from tinyticket.errors import InputError
from tinyticket.lottery import reset
from tinyticket.lottery.controls import kind_of, parse_controls, random, reinit
from tinyticket.nn import models


def draw(rng):
    return models.create(MODEL, (12,), 3, rng).state_dict()


THETA_0 = draw(np.random.default_rng(0))
MASKS = {name: np.random.default_rng(1).random(THETA_0[name].shape) < 0.5 for name in ("fc1.weight", "fc2.weight")}
ORIGIN = {"stream": [0, 0, "a control", 1]}


def begin(control, draw=draw, seed=2):
    return control(MASKS, THETA_0, draw, np.random.default_rng(seed), ORIGIN)


def equal_bytes(first, second):
    return first.keys() == second.keys() and all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_reinit_has_the_tickets_mask_and_other_weights_in_every_layer():
    control, ticket = begin(reinit), reset(THETA_0, MASKS)
    assert equal_bytes(control.masks, MASKS)
    for name in ("fc1.weight", "fc2.weight", "output.weight"):
        kept = MASKS.get(name, np.ones(THETA_0[name].shape, bool))
        assert np.count_nonzero(control.weights[name][kept] == ticket[name][kept]) == 0
        assert control.weights[name][~kept].tobytes() == ticket[name][~kept].tobytes()  # +0.0


def test_reinit_draws_from_the_initial_distribution():
    drawn, theirs = begin(reinit).weights["output.weight"], THETA_0["output.weight"]
    assert 0.5 < drawn.std() / theirs.std() < 2
    assert not begin(reinit).weights["output.bias"].any()


def test_random_has_the_tickets_weights_and_counts_under_another_mask():
    control = begin(random)
    for name, mask in MASKS.items():
        assert control.masks[name].sum() == mask.sum()
        assert 0.3 < np.mean(control.masks[name] == mask) < 0.7
    assert equal_bytes(control.weights, reset(THETA_0, control.masks))


@pytest.mark.parametrize("control", [reinit, random])
def test_the_generator_alone_decides_what_a_control_is(control):
    first, same, other = begin(control), begin(control), begin(control, seed=3)
    assert equal_bytes(first.weights, same.weights)
    assert not equal_bytes(first.weights, other.weights)


@pytest.mark.parametrize("control", [reinit, random])
def test_the_weights_are_copies_and_what_was_given_stays_as_it_was(control):
    before = [{name: a.tobytes() for name, a in state.items()} for state in (MASKS, THETA_0)]
    started = begin(control)
    assert not any(np.shares_memory(started.weights[name], value) for name, value in THETA_0.items())
    assert [{name: a.tobytes() for name, a in state.items()} for state in (MASKS, THETA_0)] == before


def test_the_file_can_say_where_a_control_came_from():
    assert begin(reinit).origin == {"weights": ORIGIN, "mask": "ticket"}
    assert begin(random).origin == {"weights": "init", "mask": ORIGIN}


# -- names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("reinit,random", ("reinit", "random")),
        (" random , reinit-2,", ("random", "reinit-2")),
        (["reinit", "reinit-2", "reinit-3"], ("reinit", "reinit-2", "reinit-3")),
        (("random-12",), ("random-12",)),
        ("none", ()),
        ("", ()),
        ((), ()),
    ],
)
def test_controls_are_named_in_text_or_lists(names, expected):
    assert parse_controls(names) == expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("shuffle", "no control is called 'shuffle'.*random, reinit"),
        ("reinitt", "'reinitt'.*did you mean 'reinit'"),
        ("reinit-1", "'reinit-1'"),
        ("reinit-x", "'reinit-x'"),
        ("reinit,reinit", "'reinit' is given twice; call a second one reinit-2"),
        ("reinit-2,reinit-2", "'reinit-2' is given twice"),
        ("none,reinit", "none"),
    ],
)
def test_unknown_and_repeated_names_are_refused(names, words):
    with pytest.raises(InputError, match=words):
        parse_controls(names)


def test_none_beside_others_does_not_suggest_itself():
    with pytest.raises(InputError) as error:
        parse_controls("none,reinit")
    assert "did you mean 'none'" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "kind"), [("reinit", "reinit"), ("reinit-2", "reinit"), ("random-9", "random"), ("random-10", "random")]
)
def test_a_number_does_not_change_a_controls_kind(name, kind):
    assert kind_of(name) == kind
