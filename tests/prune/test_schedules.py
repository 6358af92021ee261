"""Gradual pruning: the cubic of its paper, with exact counts."""

import math

import numpy as np
import pytest

from tinyticket.errors import InputError
from tinyticket.prune import cubic_density, keep_density, plan_gradual


def test_the_sparsity_is_the_papers_formula():
    initial, final, begin, steps, every = 0.0, 0.9, 100, 8, 25  # sparsities, as the paper has them
    for n in range(steps + 1):
        t = begin + n * every
        sparsity = final + (initial - final) * (1 - (t - begin) / (steps * every)) ** 3
        assert cubic_density(t, 1 - final, begin, begin + steps * every) == pytest.approx(1 - sparsity)


def test_before_and_after_it_stands_still():
    assert [cubic_density(t, 0.1, 10, 20, 0.8) for t in (0, 10, 20, 99)] == pytest.approx([0.8, 0.8, 0.1, 0.1])
    assert cubic_density(15, 0.2, 10, 20) == pytest.approx(0.2 + 0.8 / 8)


def test_the_plan_has_a_pruning_every_so_many_iterations_and_ends_at_the_final_density():
    events = plan_gradual({"a": 1000, "b": 77}, 0.1, 0, 400, 100)
    assert [event.iteration for event in events] == [100, 200, 300, 400]
    for event in events:
        density = 0.1 + 0.9 * (1 - event.iteration / 400) ** 3
        assert event.density == pytest.approx(density)
        assert event.weights_left == {
            name: math.floor(density * size + 0.5) for name, size in {"a": 1000, "b": 77}.items()
        }
    assert events[-1].weights_left == {"a": 100, "b": 8}


def test_following_the_plan_gives_its_counts():
    rng = np.random.default_rng(0)
    masks = {"a": np.ones((20, 10), bool), "b": np.ones(33, bool)}
    for event in plan_gradual({name: mask.size for name, mask in masks.items()}, 0.15, 5, 50, 5):
        scores = {name: rng.random(mask.shape) for name, mask in masks.items()}
        masks = keep_density(scores, dict.fromkeys(masks, event.density), masks)
        assert {name: mask.sum() for name, mask in masks.items()} == event.weights_left


def test_a_first_pruning_below_one_counts():
    assert plan_gradual({"a": 100}, 0.1, 0, 10, 5, initial=0.5)[0].weights_left == {"a": 50}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.1, 0, 100, 30), "every 30 iterations does not divide 0 to 100"),
        ((0.1, 0, 100, 0), "every 0"),
        ((0.1, 100, 100, 10), "ends later; got 100 and 100"),
        ((0.1, -10, 100, 10), "from 0 up"),
        ((0.0, 0, 100, 10), "got 0.0"),
        ((0.5, 0, 100, 10, 0.2), "down to a lower one; got 0.2 to 0.5"),
        ((0.001, 0, 100, 10), "would leave none of the 50 weights of a"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        plan_gradual({"a": 50}, *arguments)
