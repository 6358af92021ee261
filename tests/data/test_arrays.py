import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket.data import Dataset, from_arrays
from tinyticket.errors import InputError

X = np.linspace(0, 1, 30).reshape(10, 3)
Y = np.arange(10) % 3


def changed(array, place, value, dtype=None):
    array = array.astype(dtype or array.dtype)
    array[place] = value
    return array


def test_both_parts_given():
    data = from_arrays(X, Y, X[:4], Y[:4], name="mine")
    assert isinstance(data, Dataset)
    assert (data.name, data.classes, data.sizes) == ("mine", 3, {"train": 10, "test": 4})
    assert data.x_train.dtype == np.float32
    assert data.y_train.dtype == np.int64
    np.testing.assert_array_equal(data.x_train, X.astype(np.float32))


def test_lists_will_do():
    data = from_arrays([[0, 1], [2, 3]], [0, 1], [[4, 5]], [1])
    np.testing.assert_array_equal(data.x_test, [[4, 5]])


def test_uint8_is_divided_by_255_and_correctly_rounded():
    pixels = np.arange(256, dtype=np.uint8).reshape(4, 64)
    data = from_arrays(pixels, [0, 1, 0, 1], pixels, [0, 1, 0, 1])
    np.testing.assert_array_equal(data.x_train.ravel(), (np.arange(256) / 255).astype(np.float32))
    assert pixels.max() == 255


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint16, np.float16, np.float64, ">f4", np.longdouble])
def test_other_numbers_are_not_scaled(dtype):
    x = np.array([[0, 1], [1, 0]]).astype(dtype)
    data = from_arrays(x, [0, 1], x, [0, 1])
    assert data.x_train.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(data.x_train, [[0, 1], [1, 0]])


def test_float32_is_not_copied_and_other_layouts_become_c_contiguous():
    x = X.astype(np.float32)
    assert np.shares_memory(from_arrays(x, Y, x, Y).x_train, x)
    fortran = np.asfortranarray(x)
    data = from_arrays(fortran, Y, fortran, Y)
    assert data.x_train.flags.c_contiguous
    np.testing.assert_array_equal(data.x_train, x)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.uint64, np.float32, np.float64])
def test_labels_of_any_dtype(dtype):
    data = from_arrays(X, (Y % 2).astype(dtype), X, Y % 2)
    assert data.y_train.dtype == np.int64
    np.testing.assert_array_equal(data.y_train, Y % 2)


def test_classes_count_both_parts_or_are_given():
    assert from_arrays(X, Y, X[:1], [5]).classes == 6
    assert from_arrays(X, Y, classes=np.int8(7)).classes == 7


@given(st.integers(2, 200))
def test_a_fifth_is_held_out(size):
    x = np.arange(size, dtype=np.float32)[:, None]
    data = from_arrays(x, np.arange(size))
    assert len(data.x_test) == max(1, round(size / 5))
    for part, labels in (data.x_train, data.y_train), (data.x_test, data.y_test):
        np.testing.assert_array_equal(part.ravel(), labels)
        assert (np.diff(labels) > 0).all()  # the order they came in
    assert sorted([*data.y_train, *data.y_test]) == list(range(size))
    expected = np.random.default_rng(0).permutation(size)[: len(data.y_test)]
    np.testing.assert_array_equal(data.y_test, np.sort(expected))


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ((X, Y[:9]), "x_train has 10 examples but y_train 9 labels"),
        ((X, Y, X[:4], Y[:3]), "x_test has 4 examples but y_test 3 labels"),
        ((changed(X, (4, 1), np.nan), Y), r"x_train holds nan at index \(4, 1\); expected finite"),
        ((X, Y, changed(X, (2, 0), -np.inf), Y), r"x_test holds -inf at index \(2, 0\)"),
        ((changed(X, (1, 2), 1e300), Y), r"x_train holds 1e\+300 at index \(1, 2\), .* too large for float32"),
        ((X, changed(Y, 3, -1)), "y_train holds the label -1 at index 3; expected numbers from 0"),
        ((X, changed(Y, 3, 1.5, float)), "y_train holds the label 1.5 at index 3; expected whole numbers"),
        ((X, changed(Y, 3, np.nan, float)), "y_train holds the label nan at index 3; expected whole numbers"),
        ((X, changed(Y, 3, np.inf, float)), "y_train holds the label inf at index 3; expected class numbers"),
        ((X, changed(Y, 3, 2**63, np.uint64)), "y_train holds the label 9223372036854775808 at index 3"),
        ((X, changed(Y, 3, 10**12)), "class numbers below 1,000,000"),
        ((X[:0], Y[:0]), r"x_train is empty \(shape \(0, 3\)\)"),
        ((X[:, :0], Y), "x_train is empty"),
        ((X, Y, X, Y[:0]), "y_test is empty"),
        ((X[:, 0], Y), r"x_train has shape \(10,\); expected \(N, ...\)"),
        ((X, Y[:, None]), r"y_train has shape \(10, 1\); expected \(N,\)"),
        ((X, np.eye(10)), r"y_train has shape \(10, 10\)"),
        ((1.0, Y), r"x_train has shape \(\)"),
        ((X.astype(str), Y), "x_train has dtype <U.*; expected integers, floats or bools"),
        ((X.astype(complex), Y), "x_train has dtype complex128"),
        ((X.astype(object), Y), "x_train has dtype object"),
        ((X, Y.astype(object)), "y_train has dtype object"),
        ((None, Y), "x_train has dtype object"),
        (([[1, 2], [3]], [0, 1]), "x_train is not a regular array"),
        ((X, Y, X[:, :2], Y), r"shape \(3,\), test examples \(2,\)"),
        ((X, Y, X), "x_test and y_test belong together"),
        ((X, Y, None, Y), "x_test and y_test belong together"),
        ((X[:1], Y[:1]), "one example and there is no x_test"),
        ((X.astype(np.uint8), Y, X, Y), "x_train is uint8 and x_test float64"),
    ],
)
def test_bad_arrays(arrays, sentence):
    with pytest.raises(InputError, match=sentence):
        from_arrays(*arrays)


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (2, "y_train holds the label 2 at index 2; expected 0 to 1, as there are 2 classes"),
        (0, "classes is 0"),
        (2.5, "classes is 2.5; expected a whole number"),
        ("ten", "classes is 'ten'"),
    ],
)
def test_bad_classes(classes, sentence):
    with pytest.raises(InputError, match=sentence):
        from_arrays(X, Y, classes=classes)


def test_a_label_out_of_range_in_the_test_part_is_named():
    with pytest.raises(InputError, match="y_test holds the label 9 at index 1; expected 0 to 2"):
        from_arrays(X, Y, X[:2], [0, 9], classes=3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_the_given_arrays_are_left_alone(dtype):
    x, y = (X * 9).astype(dtype), Y.astype(np.int64)
    before = x.copy(), y.copy()
    from_arrays(x, y)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("code", ["<f2", "<f4", "<f8"])
def test_signalling_nans_make_a_sentence_and_no_warning(code):
    nan = np.frombuffer(bytes.fromhex({"<f2": "007d", "<f4": "0000a07f", "<f8": "010000000000f07f"}[code]), code)
    assert np.isnan(nan).all()
    x = np.ones((10, 3), code)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for wrong in (
            (x, np.concatenate([nan, Y[1:].astype(code)])),
            (np.concatenate([nan, np.ones(29, code)]).reshape(10, 3), Y),
        ):
            with pytest.raises(InputError, match=r"holds (the label )?nan"):
                from_arrays(*wrong)
