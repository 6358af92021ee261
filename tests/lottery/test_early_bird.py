"""Early-Bird tickets in the experiment."""

import numpy as np
import pytest

from tests.lottery.experiments import SMALL, Interrupt, InterruptAt, contents, differing, find
from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.lottery.early_bird import EarlyBirdTraining

EPOCH = 160 // SMALL["batch_size"]


def early(**changes):
    settings = {"rounds": None, "one_shot": [0.5, 0.2], "iterations": 120, "method": "early-bird", "controls": "none"}
    return find(**{**settings, **changes})


def test_the_ticket_is_drawn_when_its_masks_stay_alike():
    """Against the masks of a dense training that is watched epoch by epoch from outside."""
    whole = early()
    for density, ticket in zip((0.5, 0.2), whole.trials[0].rounds[1:], strict=True):
        drawn = ticket.origin["drawn"]
        assert drawn % EPOCH == 0
        assert drawn >= 5 * EPOCH
        assert ticket.origin["emerged"] == (ticket.origin["distance"] <= 0.1)
        assert ticket.weights_left == prune.kept(344, density)
        assert ticket.early_stop_iteration >= drawn
        assert all(mask.all() for mask in ticket.start_masks.values())


def test_the_mask_drawn_is_that_of_the_largest_weights_then():
    revision = EarlyBirdTraining((8, 16, 24, 32, 40, 48), 0.5)
    dense, rng = {"w": np.ones((4, 4), bool)}, np.random.default_rng(0)
    weights = [{"w": rng.normal(size=(4, 4))} for _ in range(2)]
    order = [0, 1, 1, 1, 1, 1]  # five alike are there after the sixth epoch only
    for iteration, which in zip(revision.iterations, order, strict=True):
        after = revision(iteration, weights[which], dense)
        assert (after is dense) == (iteration < 48)
    np.testing.assert_array_equal(after["w"], prune.keep_density({"w": np.abs(weights[1]["w"])}, 0.5)["w"])
    assert revision.record() == {"drawn": 48, "distance": 0.0, "emerged": True}
    assert revision(56, weights[0], after) is after


def test_a_ticket_that_does_not_emerge_is_drawn_at_the_last_moment_and_the_file_says_so():
    revision = EarlyBirdTraining((8, 16, 24, 32, 40), 0.5)
    masks, rng = {"w": np.ones((10, 10), bool)}, np.random.default_rng(0)
    for iteration in revision.iterations:
        masks = revision(iteration, {"w": rng.normal(size=(10, 10))}, masks)
    assert masks["w"].sum() == 50
    record = revision.record()
    assert record["drawn"] == 40
    assert not record["emerged"]
    assert record["distance"] > 0.1


@pytest.mark.parametrize("scope", ["global", "erk"])
def test_it_resumes_to_the_same_bits(scope, out):
    whole = early(scope=scope, controls="random,rewound", one_shot=[0.2])
    with pytest.raises(Interrupt):
        early(scope=scope, controls="random,rewound", one_shot=[0.2], out=out, progress=InterruptAt("committed"))
    result = early(scope=scope, controls="random,rewound", one_shot=[0.2], out=out)
    assert differing(contents(result.path), contents(whole, out.parent)) == []


def test_a_training_of_less_than_five_epochs_is_refused():
    with pytest.raises(
        InputError, match=r"five masks, drawn an epoch \(8 iterations\) apart.*takes 54 iterations, not 50"
    ):
        early(iterations=50)
    early(iterations=54, one_shot=[0.2])
