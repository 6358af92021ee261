"""A control that does not do what it claims, or nothing at all, is caught before it is trained."""

import dataclasses

import numpy as np
import pytest

from tests.lottery.controls.tickets import MASKS, TRAINED, control, every_ticket, kept, ticket
from tinyticket.errors import InputError
from tinyticket.lottery import controls, reset
from tinyticket.lottery.controls import KINDS

OF_MASKS = [name for name in KINDS if name != "rewired"]  # which is one of networks that were never dense


@every_ticket
@pytest.mark.parametrize("name", OF_MASKS)
def test_every_control_differs_from_its_ticket_and_says_in_how_many_places(name, make):
    start, of = control(name, make()), make().start
    masks = sum(np.count_nonzero(start.masks[layer] != mask) for layer, mask in MASKS.items())
    weights = sum(
        np.count_nonzero((start.weights[layer] != of.weights[layer])[mask & start.masks[layer]])
        for layer, mask in MASKS.items()
    )
    assert start.origin["differs"] == {"mask": masks, "weights": weights}
    assert bool(masks) == KINDS[name].claim.other_mask
    assert bool(weights) == KINDS[name].claim.other_weights


@pytest.mark.parametrize("name", KINDS)
def test_a_control_that_changes_nothing_is_refused(name, monkeypatch):
    """As a published shuffle did, which permuted a copy."""
    kind = dataclasses.replace(KINDS[name], make=lambda ticket, rng, origin: ticket.start)
    monkeypatch.setitem(controls.KINDS, name, kind)
    with pytest.raises(InputError, match=f"the control {name} came out equal to its ticket"):
        control(name)


def changed(start, layer="fc1.weight", weights=None, mask=None):
    masks = start.masks if mask is None else {**start.masks, layer: mask}
    return dataclasses.replace(
        start, masks=masks, weights=start.weights if weights is None else {**start.weights, layer: weights}
    )


def one_more(start):
    mask = start.masks["fc1.weight"].copy()
    mask.flat[np.flatnonzero(~mask)[0]] = True
    return changed(start, mask=mask)


def one_elsewhere(start):
    mask = start.masks["fc1.weight"].copy()
    mask.flat[np.flatnonzero(~mask)[0]] = True
    mask.flat[np.flatnonzero(mask)[-1]] = False
    return changed(start, mask=mask, weights=reset(start.weights, {"fc1.weight": mask})["fc1.weight"])


def minus_zero(start):
    weights = start.weights["fc1.weight"].copy()
    weights[~start.masks["fc1.weight"]] = -0.0
    return changed(start, weights=weights)


def other_values(start):
    return changed(start, weights=start.weights["fc1.weight"] * np.float32(1.5) + 0)


def other_signs(start):
    return changed(start, weights=0 - start.weights["fc1.weight"])


@pytest.mark.parametrize(
    ("name", "break_it", "words"),
    [
        ("reinit", one_more, "has another number of survivors"),
        ("reshuffle", one_elsewhere, "has another mask"),
        ("random", minus_zero, "has pruned weights that are not 0"),
        ("random", other_values, "has other weights"),
        ("inverted", other_values, "has other weights"),
        ("reshuffle", other_values, "has other values"),
        ("reshuffle-signed", other_values, "has other values"),
        ("reinit-signed", other_signs, "has other signs"),
        ("constant-signed", other_signs, "has other signs"),
        ("reinit-trained-signs", other_signs, "has other signs than the trained weights"),
    ],
)
def test_a_broken_control_is_a_bug_and_says_so(name, break_it, words, monkeypatch):
    make = KINDS[name].make
    broken = dataclasses.replace(KINDS[name], make=lambda *arguments: break_it(make(*arguments)))
    monkeypatch.setitem(controls.KINDS, name, broken)
    with pytest.raises(AssertionError, match=f"the control {name} {words} in fc1.weight, which it does not claim"):
        control(name)


def test_a_mask_may_not_keep_what_was_gone(monkeypatch):
    broken = dataclasses.replace(
        KINDS["random"], make=lambda of, rng, origin: KINDS["inverted"].make(ticket(), rng, origin)
    )
    monkeypatch.setitem(controls.KINDS, "random", broken)
    with pytest.raises(AssertionError, match="keeps weights that were gone before"):
        control("random", kept())


def test_a_layer_without_a_choice_is_no_reason_to_refuse():
    """A layer that is not pruned has one mask only; the others differ."""
    masks = {**MASKS, "output.weight": np.ones_like(MASKS["output.weight"])}
    of = ticket()
    of = dataclasses.replace(of, start=dataclasses.replace(of.start, masks=masks, weights=reset(TRAINED, masks)))
    of = dataclasses.replace(of, source=TRAINED)
    assert control("random", of).masks["output.weight"].all()
