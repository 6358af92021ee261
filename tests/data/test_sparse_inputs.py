import hashlib
import pickle

import numpy as np
import pytest
from scipy import sparse

from tinyticket.data import Dataset, SparseInputs, from_arrays
from tinyticket.data.pixels import select
from tinyticket.errors import InputError

DENSE = np.array([[0, 1.5, 0, -2], [0, 0, 0, 0], [3, 0, 0, 0], [0.5, 0, 7, 1]], np.float32)
Y = np.array([0, 1, 1, 0])


@pytest.fixture
def inputs():
    return SparseInputs(sparse.csr_array(DENSE))


def csr(data, indices, indptr, shape=(2, 3)):
    """Return a matrix whose arrays are as they are given."""
    matrix = sparse.csr_array((2, 3))
    matrix.data, matrix.indices, matrix.indptr = (np.asarray(array) for array in (data, indices, indptr))
    matrix._shape = shape
    return matrix


@pytest.mark.parametrize(
    "which", [0, -1, slice(None), slice(1, 3), [3, 0, 3], np.array([], int), np.array([True, False, True, False])]
)
def test_indexing_is_that_of_a_float32_array(inputs, which):
    x = inputs[which]
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    np.testing.assert_array_equal(x, DENSE[which])


def test_it_looks_like_an_array(inputs):
    assert (inputs.shape, inputs.ndim, len(inputs), inputs.dtype) == ((4, 4), 2, 4, np.float32)
    assert inputs.nbytes == 5 * 8 + 6 * 4 + 6 * 4
    np.testing.assert_array_equal(np.asarray(inputs, np.float64), DENSE)
    assert repr(inputs) == "SparseInputs((4, 4), 6 non-zeros, 0.38 of all)"
    with pytest.raises(IndexError, match="indexed by example alone"):
        inputs[0, 1]
    with pytest.raises(IndexError):
        inputs[4]
    with pytest.raises(ValueError, match="by a copy"):
        np.asarray(inputs, copy=False)


@pytest.mark.parametrize("which", [[3, 0, 3], slice(1, 3), np.arange(4) == 1, np.array([], int)])
def test_a_selection_stays_sparse(inputs, which):
    chosen = select(inputs, which)
    assert isinstance(chosen, SparseInputs)
    assert chosen.starts[0] == 0
    assert chosen.starts[-1] == chosen.values.size == np.count_nonzero(DENSE[which])
    np.testing.assert_array_equal(chosen[:], DENSE[which])


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16])
def test_any_form_becomes_the_same(inputs, form, container, kind):
    found = SparseInputs(container(DENSE.astype(kind)).asformat(form))
    np.testing.assert_array_equal(found[:], DENSE.astype(kind))
    assert (found.starts.dtype, found.columns.dtype, found.values.dtype) == (np.int64, np.int32, np.float32)


def test_entries_are_brought_in_order_and_zeros_left_out_without_changing_what_was_given(inputs):
    matrix = csr([5, 0, 4.0], [2, 1, 0], [0, 3, 3])
    found = SparseInputs(matrix)
    assert [found.starts.tolist(), found.columns.tolist(), found.values.tolist()] == [[0, 2, 2], [0, 2], [4, 5]]
    assert matrix.data.tolist() == [5, 0, 4]
    assert SparseInputs(csr([1, 2, 3.0], [1, 1, 0], [0, 1, 3])).columns.tolist() == [1, 0, 1]  # of different rows
    same = sparse.csr_array(DENSE)
    assert np.shares_memory(SparseInputs(same).values, same.data)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(inputs))[:], DENSE)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (csr([1, 2.0], [1, 1], [0, 2, 2]), "x names the column 1 twice in row 0"),
        (csr([1, 2, 3.0], [1, 0, 1], [0, 3, 3]), "x names the column 1 twice in row 0"),
        (csr([1, 2.0], [1, 3], [0, 1, 2]), "x names the column 3 in row 1; expected 0 to 2"),
        (csr([1, 2.0], [-1, 0], [0, 1, 2]), "x names the column -1 in row 0"),
        (csr([1, 2.0], [0, 1], [0, 2]), "row starts that do not rise from 0 to 2, the number of columns, in 3 steps"),
        (csr([1, 2.0], [0, 1], [1, 2, 2]), "row starts that do not rise"),
        (csr([1, 2.0], [0, 1], [0, 2, 1]), "row starts that do not rise"),
        (
            csr([1, 2.0], [0, 1], [0, 2**62, -(2**63), -(2**62), 0, 2], (5, 3)),
            "do not rise",
        ),  # by differences it does
        (csr([1, 2.0], [0, 1], [0, 2, 3]), "row starts that do not rise from 0 to 2"),
        (csr([1.0], [0, 1], [0, 1, 2]), "1 numbers; expected 2"),
        (csr([1, 2.0], [0.0, 1], [0, 1, 2]), "columns of dtype float64"),
        (csr([1j, 2], [0, 1], [0, 1, 2]), "data of dtype complex128"),
        (csr([[1.0]], [0], [0, 1, 1]), r"data of dtype float64 and shape \(1, 1\)"),
        (csr([1, np.nan], [0, 1], [0, 1, 2]), r"x holds nan at index \(1, 1\); expected finite"),
        (csr([1, 1e39], [0, 1], [0, 1, 2]), r"holds 1e\+39 at index \(1, 1\), which is too large for float32"),
        (csr([1.0], [0], [0, 1, 1], (2, 2**40)), "sparse matrix of shape"),
        (csr([1.0], [0], [0, 1, 1], (2, 3, 4)), "sparse matrix of shape"),
    ],
)
def test_what_is_refused(matrix, words):
    with pytest.raises(InputError, match=words):
        SparseInputs(matrix)


def test_a_data_set_of_sparse_matrices_is_that_of_the_dense_ones():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (50, 30)) * (rng.random((50, 30)) < 0.1)
    for kind in (np.uint8, np.int64, np.float32, bool):
        dense, found = (
            from_arrays(each, np.arange(50) % 3) for each in (x.astype(kind), sparse.coo_array(x.astype(kind)))
        )
        assert isinstance(found.x_train, SparseInputs)
        assert (found.sizes, found.input_shape, found.classes) == (dense.sizes, dense.input_shape, dense.classes)
        for part in ("x_train", "x_test"):
            assert np.asarray(getattr(found, part)).tobytes() == getattr(dense, part).tobytes()
        np.testing.assert_array_equal(found.y_test, dense.y_test)
    parts = from_arrays(sparse.csr_array(DENSE), Y, SparseInputs(sparse.csr_array(DENSE)), Y)
    assert parts.sizes == {"train": 4, "test": 4}


@pytest.mark.parametrize(
    ("x", "y", "more", "words"),
    [
        (sparse.csr_array(DENSE), Y[:3], {}, "4 examples but y_train 3 labels"),
        (sparse.csr_array(DENSE), sparse.csr_array(DENSE), {}, "y_train has dtype object"),
        (sparse.csr_array((0, 4)), Y, {}, "sparse matrix of shape"),
        (sparse.csr_array(DENSE), Y, {"x_test": DENSE.astype(np.uint8), "y_test": Y}, "divided by 255"),
        (sparse.csr_array(DENSE), Y, {"x_test": sparse.csr_array(DENSE[:, :3]), "y_test": Y}, "expected the same"),
        (sparse.csr_array(np.where(DENSE > 0, np.inf, DENSE)), Y, {}, "x_train holds"),
    ],
)
def test_a_data_set_that_is_refused(x, y, more, words):
    with pytest.raises(InputError, match=words):
        from_arrays(x, y, **more)


def test_a_data_set_takes_a_matrix_of_scipy_by_from_arrays():
    x = sparse.csr_array(DENSE)
    with pytest.raises(InputError, match=r"from_arrays converts"):
        Dataset("toy", x, Y, x, Y, 2)


def test_the_fingerprint_follows_the_documented_recipe(inputs):
    content = b"csr <f4 (4, 4)\n" + np.array([0, 2, 2, 3, 6], "<i8").tobytes()
    content += np.array([1, 3, 0, 0, 2, 3], "<i4").tobytes() + np.array([1.5, -2, 3, 0.5, 7, 1], "<f4").tobytes()
    prints = Dataset("toy", inputs, Y, inputs, Y, 2).fingerprints()
    assert prints["x_train"] == prints["x_test"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
