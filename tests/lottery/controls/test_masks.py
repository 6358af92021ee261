"""Other masks of the ticket's counts."""

import numpy as np
import pytest

from tests.lottery.controls.tickets import (
    CHECKPOINT,
    MASKS,
    ORIGIN,
    PRUNABLE,
    THETA_0,
    TICKETS,
    TRAINED,
    control,
    every_ticket,
    kept,
    rewound,
)
from tests.lottery.experiments import equal_bytes
from tinyticket import prune
from tinyticket.lottery import reset

NAMES = ["random", "prune-at-0", "inverted"]


@every_ticket
@pytest.mark.parametrize("name", NAMES)
def test_another_mask_has_the_tickets_counts_and_its_source_of_weights(name, make):
    of, start = make(), control(name, make())
    for layer, mask in MASKS.items():
        assert start.masks[layer].sum() == mask.sum()
        assert not np.array_equal(start.masks[layer], mask)
        assert not (start.masks[layer] & ~of.among[layer]).any()
    assert equal_bytes(start.weights, reset(of.source, start.masks))


def test_random_is_the_mask_shuffled_inside_each_layer():
    assert equal_bytes(control("random").masks, prune.random(MASKS, np.random.default_rng(2)))


def test_random_chooses_evenly_among_what_it_may_choose_from():
    hits = sum(control("random", kept(), seed=seed).masks["fc1.weight"].astype(int) for seed in range(200))
    may = kept().among["fc1.weight"]
    assert not hits[~may].any()
    share = MASKS["fc1.weight"].sum() / may.sum()
    np.testing.assert_allclose(hits[may] / 200, share, atol=0.16)  # four and a half deviations


def test_prune_at_0_keeps_the_largest_of_theta_0_whatever_the_ticket_starts_from():
    for make in (TICKETS["init"], rewound):
        start = control("prune-at-0", make())
        for layer in PRUNABLE:
            magnitudes, mask = np.abs(THETA_0[layer]), start.masks[layer]
            assert magnitudes[~mask].max() <= magnitudes[mask].min()


def test_inverted_keeps_the_smallest_scores():
    for layer, mask in control("inverted").masks.items():
        magnitudes = np.abs(TRAINED[layer])
        assert magnitudes[mask].max() <= magnitudes[~mask].min()


@pytest.mark.parametrize("name", NAMES)
def test_they_start_when_and_as_the_ticket_does(name):
    start = control(name, rewound())
    assert (start.iteration, start.optimizer) == (7, CHECKPOINT)
    assert start.origin["weights"] == start.origin["statistics"] == "rewind"
    assert start.origin["mask"] == {"random": ORIGIN, "prune-at-0": "init", "inverted": "inverted"}[name]
