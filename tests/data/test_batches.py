from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket.data import batches
from tinyticket.errors import InputError

sizes = st.integers(1, 80).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@given(sizes, st.integers(0, 2**32))
def test_each_epoch_deals_no_example_twice(sizes, seed):
    count, batch_size = sizes
    dealt = batches(count, batch_size, np.random.default_rng(seed))
    for _ in range(3):
        epoch = np.concatenate(list(islice(dealt, count // batch_size)))
        assert epoch.dtype == np.int64
        assert len(epoch) == count - count % batch_size
        assert len(set(epoch)) == len(epoch)
        assert set(epoch) <= set(range(count))


def test_an_epoch_is_one_permutation_of_the_generator():
    dealt = batches(10, 3, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    for _ in range(3):
        order = rng.permutation(10)
        np.testing.assert_array_equal(list(islice(dealt, 3)), order[:9].reshape(3, 3))


def test_epochs_differ_and_leave_out_different_examples():
    dealt = batches(10, 3, 0)
    epochs = [np.concatenate(list(islice(dealt, 3))) for _ in range(20)]
    assert len({epoch.tobytes() for epoch in epochs}) == 20
    assert len({(set(range(10)) - set(epoch)).pop() for epoch in epochs}) > 3


def test_a_batch_that_was_handed_out_stays():
    dealt = batches(6, 2, 1)
    first = next(dealt)
    kept = first.copy()
    list(islice(dealt, 20))
    np.testing.assert_array_equal(first, kept)


def test_nothing_is_drawn_before_the_first_batch():
    rng = np.random.default_rng(0)
    batches(10, 2, rng)
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


@pytest.mark.parametrize(
    ("batch_size", "sentence"),
    [(11, "a batch of 11 is larger than the data; expected at most 10"), (0, "empty"), (-1, "empty")],
)
def test_impossible_batches_are_refused_at_once(batch_size, sentence):
    with pytest.raises(InputError, match=sentence):
        batches(10, batch_size, 0)
