"""When an Early-Bird ticket has emerged, against distances worked out by hand."""

import itertools

import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.prune import EarlyBird


def test_it_emerges_when_the_last_masks_differ_little_each_from_each():
    rng = np.random.default_rng(0)
    seen, watch = [], EarlyBird(last=3, tolerance=0.1)
    mask = rng.random((10, 10)) < 0.3
    for epoch in range(20):
        changes = max(0, 12 - epoch)
        flat = mask.ravel().copy()
        chosen = rng.choice(100, changes, replace=False)
        flat[chosen] = ~flat[chosen]
        mask = flat.reshape(10, 10)
        seen.append(mask)
        farthest = max((a != b).mean() for a, b in itertools.product(seen[-3:], repeat=2)) if epoch >= 2 else 1.0
        assert watch.see({"w": mask}) == pytest.approx(farthest)
    assert watch.emerged({"w": mask})


def test_of_newest_pairs_older_masks_may_lie_further_apart():
    masks = [np.array(bits, bool) for bits in ([1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0])]
    newest, all_ = EarlyBird(last=3, pairs="newest"), EarlyBird(last=3)
    assert [newest.see({"w": mask}) for mask in masks] == [1, 1, 0.5]
    assert [all_.see({"w": mask}) for mask in masks] == [1, 1, 1]


def test_a_mask_changed_afterwards_is_not_the_one_seen():
    mask, watch = {"w": np.ones(4, bool)}, EarlyBird(last=2)
    watch.see(mask)
    mask["w"][:2] = False
    assert watch.see(mask) == 0.5


def test_pairs_of_another_name_are_refused():
    with pytest.raises(InputError, match="all or newest, not 'last'"):
        EarlyBird(pairs="last")


@pytest.mark.parametrize("wrong", [{"last": 1}, {"tolerance": -0.1}, {"tolerance": 2.0}])
def test_what_cannot_be_watched_for_is_refused(wrong):
    with pytest.raises(InputError, match="at least 2 masks"):
        EarlyBird(**wrong)
