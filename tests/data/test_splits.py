import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket.data import split_validation
from tinyticket.errors import InputError


@given(st.integers(2, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))), st.integers(0, 2**32))
def test_a_split_is_a_partition(sizes, seed):
    size, count = sizes
    train, validation = split_validation(size, count, np.random.default_rng(seed))
    assert train.dtype == validation.dtype == np.int64
    assert len(validation) == count
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    assert sorted([*train, *validation]) == list(range(size))


def test_a_split_is_fixed_by_the_generator():
    first, again, other = (split_validation(100, 10, rng)[1].tolist() for rng in (3, np.random.default_rng(3), 4))
    assert first == again != other


def test_every_example_has_the_same_chance():
    rng = np.random.default_rng(0)
    counts = sum(np.bincount(split_validation(10, 3, rng)[1], minlength=10) for _ in range(2000))
    assert np.abs(counts - 600).max() < 110  # five standard deviations


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(10, "10 validation examples of 10 leave none"), (11, "expected fewer than 10"), (0, "too few"), (-1, "too few")],
)
def test_impossible_splits(count, sentence):
    with pytest.raises(InputError, match=sentence):
        split_validation(10, count, 0)
