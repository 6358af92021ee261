"""The paper's algorithm itself, with a network and a trainer that can be followed by hand."""

import numpy as np
import pytest

from tinyticket.lottery import find_tickets, reset

THETA_0 = {
    "fc.weight": np.array([[0.5, -0.25], [-0.0, 2.0], [3.0, -4.0]], np.float32),
    "fc.bias": np.array([0.0, -0.0, 1.0], np.float32),
    "statistics": np.array([7, 8], np.int64),
}


def copy(state):
    return {name: value.copy() for name, value in state.items()}


def drop_one(round, trained, masks):
    """Remove the last survivor."""
    mask = masks["fc.weight"].copy()
    mask.ravel()[np.flatnonzero(mask)[-1]] = False
    return {"fc.weight": mask}


class Trainer:
    """Notes what it is started from, and returns weights that tell the round."""

    def __init__(self):
        self.calls = []

    def __call__(self, round, start, masks):
        self.calls.append((round, copy(start), copy(masks)))
        return {name: value + np.asarray(10 * (round + 1), value.dtype) for name, value in start.items()}


# -- the order of the steps


def test_the_steps_come_in_the_papers_order():
    steps = []

    def train(round, start, masks):
        steps.append(("train", round, int(masks["fc.weight"].sum())))
        return copy(start)

    def prune(round, trained, masks):
        steps.append(("prune", round, int(masks["fc.weight"].sum())))
        return drop_one(round, trained, masks)

    for number, masks, _ in find_tickets(THETA_0, ["fc.weight"], train, prune, rounds=2):
        steps.append(("yield", number, int(masks["fc.weight"].sum())))
    assert steps == [
        ("train", 0, 6),
        ("yield", 0, 6),
        ("prune", 1, 6),
        ("train", 1, 5),
        ("yield", 1, 5),
        ("prune", 2, 5),
        ("train", 2, 4),
        ("yield", 2, 4),
    ]


def test_without_rounds_only_the_dense_network_is_trained():
    (only,) = find_tickets(THETA_0, ["fc.weight"], Trainer(), drop_one, rounds=0)
    assert only[0] == 0
    assert only[1]["fc.weight"].all()


def test_every_training_starts_from_theta_0_under_its_mask_byte_for_byte():
    train = Trainer()
    found = list(find_tickets(THETA_0, ["fc.weight"], train, drop_one, rounds=3))
    for (round, start, masks), (number, yielded, _) in zip(train.calls, found, strict=True):
        assert round == number
        np.testing.assert_array_equal(masks["fc.weight"], yielded["fc.weight"])
        survivors = masks["fc.weight"]
        assert start["fc.weight"][survivors].tobytes() == THETA_0["fc.weight"][survivors].tobytes()
        assert start["fc.weight"][~survivors].tobytes() == bytes(4 * np.count_nonzero(~survivors))
        for name in ("fc.bias", "statistics"):
            assert start[name].tobytes() == THETA_0[name].tobytes()


def test_pruning_sees_the_trained_weights_of_the_last_round_and_only_what_may_be_pruned():
    seen = []

    def prune(round, trained, masks):
        seen.append((round, trained))
        return drop_one(round, trained, masks)

    found = list(find_tickets(THETA_0, ["fc.weight"], Trainer(), prune, rounds=2))
    for (round, trained), (_, _, before) in zip(seen, found, strict=False):
        assert list(trained) == ["fc.weight"]
        np.testing.assert_array_equal(trained["fc.weight"], before["fc.weight"])
        assert trained["fc.weight"].max() >= 10 * round  # of the round before: trained, not theta_0


def test_iterative_pruning_goes_on_from_the_last_mask_and_one_shot_from_the_dense_network():
    left = {}
    for iterative in (True, False):
        train = Trainer()
        found = find_tickets(THETA_0, ["fc.weight"], train, drop_one, rounds=3, iterative=iterative)
        left[iterative] = [int(masks["fc.weight"].sum()) for _, masks, _ in found]
    assert left == {True: [6, 5, 4, 3], False: [6, 5, 5, 5]}


def test_one_shot_prunes_the_dense_networks_weights_every_time():
    seen = []

    def prune(round, trained, masks):
        seen.append(trained["fc.weight"].tobytes())
        return drop_one(round, trained, masks)

    (_, _, dense), *_ = find_tickets(THETA_0, ["fc.weight"], Trainer(), prune, rounds=3, iterative=False)
    assert seen == [dense["fc.weight"].tobytes()] * 3


# -- theta_0 is copied, never aliased


def test_a_trainer_that_works_in_place_changes_neither_theta_0_nor_the_next_start():
    theta_0, starts = copy(THETA_0), []

    def train(round, start, masks):
        starts.append(copy(start))
        for value in start.values():
            value[...] = 99
        return start

    list(find_tickets(theta_0, ["fc.weight"], train, drop_one, rounds=2))
    for name, value in THETA_0.items():
        assert theta_0[name].tobytes() == value.tobytes()
        kept = starts[2][name] != 0
        np.testing.assert_array_equal(starts[2][name][kept], value[kept])


def test_reset_returns_copies_even_of_what_has_no_mask():
    theta_0 = copy(THETA_0)
    started = reset(theta_0, {"fc.weight": np.ones((3, 2), bool)})
    assert not any(np.shares_memory(started[name], theta_0[name]) for name in theta_0)


# -- reset


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reset_restores_survivors_byte_for_byte_and_writes_plus_zero_over_the_rest(dtype):
    values = np.array([1.0, -1.0, 0.0, -0.0, np.nan, -np.inf, 1e-40], dtype)
    for kept in (np.ones(7, bool), np.zeros(7, bool), np.arange(7) % 2 == 0):
        started = reset({"w": values}, {"w": kept})["w"]
        assert started.dtype == dtype
        assert started[kept].tobytes() == values[kept].tobytes()
        assert started[~kept].tobytes() == bytes(values.itemsize * np.count_nonzero(~kept))


def test_a_product_would_leave_minus_zeros_and_nans_which_reset_does_not():
    values, mask = np.array([-3.0, np.inf], np.float32), np.array([False, False])
    with np.errstate(invalid="ignore"):
        product = mask * values
    assert product.tobytes() != bytes(8)
    assert reset({"w": values}, {"w": mask})["w"].tobytes() == bytes(8)
