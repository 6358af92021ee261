"""Batches out of CSR matrices have the bits of those that are gathered out of the same matrices as dense arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import random_array

from tests.kernels.images import quick
from tinyticket.errors import InputError
from tinyticket.kernels import cpu, gather_sparse, reference


def matrix(examples, features, density, seed=0):
    x = random_array((examples, features), density=density, format="csr", rng=seed, dtype=np.float32).tocsr()
    x.sort_indices()
    return x


@quick
@given(
    samples=st.sampled_from([1, 15, 16, 60, 130]),
    features=st.sampled_from([1, 16, 17, 100]),
    density=st.sampled_from([0.0, 0.1, 1.0]),
    lanes=st.sampled_from([16, 64, None]),
    sample_major=st.booleans(),
)
def test_gather_sparse(samples, features, density, lanes, sample_major):
    x, indices = matrix(50, features, density), np.random.default_rng(samples).integers(0, 50, samples)
    expected = cpu.gather(x.toarray(), indices, lanes=lanes, sample_major=sample_major)
    for threads in (1, 2):
        parts = x.indptr, x.indices, x.data, features, indices
        found = gather_sparse(*parts, lanes=lanes, sample_major=sample_major, threads=threads)
        for one, other in zip(found, expected, strict=True):
            assert (one is None) == (other is None)
            assert one is None or one.tobytes() == other.tobytes()


def test_rows_longer_than_what_is_cleared_at_a_time():
    x = matrix(3, 5 * (1 << 17) // 64, 0.01)
    found, by_sample = gather_sparse(
        x.indptr, x.indices, x.data, x.shape[1], np.array([2, 0]), lanes=64, sample_major=True
    )
    np.testing.assert_array_equal(cpu.unpack(found, 2), x.toarray()[[2, 0]])
    np.testing.assert_array_equal(by_sample[:2, : x.shape[1]], x.toarray()[[2, 0]])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_reference_gives_rows_of_the_dense_matrix(kind):
    x = matrix(20, 9, 0.3).astype(kind)
    rows = reference.gather_sparse(x.indptr, x.indices, x.data, 9, [3, 19, 3])
    assert rows.dtype == kind
    np.testing.assert_array_equal(rows, x.toarray()[[3, 19, 3]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"starts": [0, 2]}, "rise from 0 to 3, the number of columns"),
        ({"starts": [1, 3]}, "rise from 0"),
        ({"starts": [0, 3, 2, 3]}, "rise from 0"),
        ({"starts": [0.0, 3.0]}, "row starts of dtype float64"),
        ({"columns": [0, 4, 5]}, "names the column 5 in row 0; expected 0 to 4"),
        ({"columns": [-1, 1, 2]}, "names the column -1 in row 0"),
        ({"columns": [0, 2, 2]}, "twice or behind a later one"),
        ({"columns": [2, 1, 3]}, "twice or behind a later one"),
        ({"values": [1.0]}, "values has shape"),
        ({"indices": [1]}, "indices must be from 0 to 0"),
        ({"indices": [0.5]}, "indices must be some whole numbers"),
        ({"features": 2**31}, "features"),
    ],
)
def test_what_is_no_matrix_is_refused(change, words):
    given = {"starts": [0, 3], "columns": [0, 1, 3], "values": [1.0, 2.0, 3.0], "features": 5, "indices": [0]}
    gather_sparse(**given)
    with pytest.raises(InputError, match=words):
        gather_sparse(**given | change)
