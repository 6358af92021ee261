"""Your own arrays as a `Dataset`: everything that can be wrong with data in memory is noticed here."""

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyticket.data.dataset import Dataset
from tinyticket.data.pixels import select
from tinyticket.data.sparse_inputs import SparseInputs, is_sparse
from tinyticket.errors import InputError
from tinyticket.nn.targets import split_weights, weighted

MOST_CLASSES = 1_000_000  # a larger label is an identifier, not a class: it would ask for an output layer beyond memory
BLOCK = 1 << 20  # bytes that are moved at once
HELD_OUT = 0.2  # the share of the examples that become the test part where none is given


def from_arrays(
    x_train: Any,
    y_train: ArrayLike,
    x_test: Any = None,
    y_test: ArrayLike | None = None,
    name: str = "arrays",
    classes: int | None = None,
    numbers: bool = False,
) -> Dataset:
    """Make a data set from arrays, checked and converted.

    Parameters
    ----------
    x_train, x_test : array_like, or sparse matrix
        Inputs of shape (N, ...), at least two-dimensional; convolutions expect (N, channels, height, width). uint8 is
        taken for pixels and divided by 255; every other number, bools included, becomes float32 as it is. An array that
        is C-contiguous float32 already is used without a copy. A matrix of scipy.sparse (N, features) becomes `SparseInputs`,
        which are never dense as a whole.
    y_train, y_test : array_like
        Labels of shape (N,): whole numbers from 0, of any numeric dtype. With weights they are what `weighted` makes of them.
    name : str, optional
        What to call it in tables and messages.
    classes : int, optional
        The number of classes; by default the largest label of both parts plus one.
    numbers : bool, optional
        Whether targets are numbers to predict, of shape (N,) or (N, outputs), instead of labels.

    Returns
    -------
    Dataset

    Notes
    -----
    Without a test part a fifth of the examples (rounded, at least one) is held out as one: the first of
    `numpy.random.default_rng(0).permutation(N)`, so the same data always give the same parts. Both keep the order that
    the examples came in.

    Raises
    ------
    InputError
        If the arrays are empty, not numeric or of the wrong shape, if an input is NaN, infinite or beyond float32, if a
        label is negative, not a whole number or not below `classes`, if inputs and labels or the two parts disagree.

    Examples
    --------
    >>> import numpy as np
    >>> from_arrays(np.zeros((50, 3)), np.arange(50) % 2)
    Dataset(arrays: 40 train, 10 test, input (3,), 2 classes)
    """
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    return assemble(
        {key: values for key, values in arrays.items() if values is not None or "train" in key},
        name,
        classes,
        overwrite=False,
        numbers=numbers,
    )


def assemble(
    arrays: dict[str, Any], name: str, classes: int | None = None, overwrite: bool = True, numbers: bool = False
) -> Dataset:
    """Make a data set from arrays by the names of `from_arrays`' parameters, for which see there.

    Each is taken out of `arrays` when its turn has come; unless `overwrite` is False the data set may lie in their memory.
    So large arrays are never in memory twice.
    """
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise InputError("x_test and y_test belong together, but only one of them was given")
    arrays |= {called: _array(values, called) for called, values in arrays.items()}
    parts = [part for part in ("train", "test") if f"x_{part}" in arrays]
    dtypes = [arrays[f"x_{part}"].dtype for part in parts]
    if 0 < dtypes.count(np.dtype(np.uint8)) < len(dtypes):
        raise InputError(
            f"x_train is {dtypes[0]} and x_test {dtypes[1]}, but uint8 is divided by 255 and other numbers "
            "are not; expected the same for both"
        )
    found = []
    for part in parts:
        given = arrays.pop(f"x_{part}")
        x, y = _inputs(given, f"x_{part}"), _targets(arrays.pop(f"y_{part}"), f"y_{part}", numbers)
        overwrite |= not (isinstance(x, np.ndarray) and np.may_share_memory(x, given))
        del given
        _check_lengths(x, y, part)
        found.append((x, y))
        del x, y
    if len(found) < 2:
        found = _hold_out(*found.pop(), overwrite)
    (x_train, y_train), (x_test, y_test) = found
    if numbers:
        if classes is not None:
            raise InputError(f"numbers to predict have no classes, of which {classes!r} are given")
        outputs = [split_weights(y)[0].shape[1] for y in (y_train, y_test)]
        if len(set(outputs)) > 1:
            raise InputError(f"y_train has {outputs[0]} numbers an example and y_test {outputs[1]}; expected the same")
        return Dataset(name, x_train, y_train, x_test, y_test, 0)
    labels = {"y_train": split_weights(y_train)[0], "y_test": split_weights(y_test)[0]}
    return Dataset(name, x_train, y_train, x_test, y_test, _count_classes(classes, **labels))


def _array(values: Any, called: str) -> Any:
    if called.startswith("x") and is_sparse(values):
        return values
    try:
        array = np.asarray(values)
    except ValueError:  # lists of unequal length
        raise InputError(f"{called} is not a regular array; expected rows of equal length") from None
    if array.dtype.kind not in "buif" and not (called.startswith("y") and array.dtype.names == ("target", "weight")):
        raise InputError(f"{called} has dtype {array.dtype}; expected integers, floats or bools")
    if array.size == 0:
        raise InputError(f"{called} is empty (shape {array.shape}); expected at least one example")
    return array


def _targets(y: NDArray, called: str, numbers: bool) -> NDArray:
    """Return labels, or numbers (N, outputs), with the weights that they came with."""
    values, weights = split_weights(y)
    if values.dtype.kind not in "buif":
        raise InputError(f"{called} has dtype {values.dtype}; expected integers, floats or bools")
    checked = _numbers(values, called) if numbers else _labels(values, called)
    return checked if weights is None else weighted(checked, weights)


def _numbers(y: NDArray, called: str) -> NDArray[np.float32]:
    """Return numbers to predict as C-contiguous float32 of shape (N, outputs)."""
    if y.ndim not in (1, 2):
        raise InputError(f"{called} has shape {y.shape}; expected (N,) or (N, outputs), the numbers to predict")
    return _inputs(y.reshape(len(y), -1).astype(np.float64), called)


def _inputs(x: Any, called: str) -> Any:
    """Return the inputs as C-contiguous float32, or as `SparseInputs`."""
    if is_sparse(x):
        return _sparse_inputs(x, called)
    if x.ndim < 2:
        raise InputError(f"{called} has shape {x.shape}; expected (N, ...), one example a row")
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported below, by its place
        converted = np.ascontiguousarray(x, dtype=np.float32)
    if x.dtype == np.uint8:
        converted /= 255  # its own copy, as the dtypes differ
    elif not np.isfinite([converted.min(), converted.max()]).all():  # NaN is the least and the greatest of all
        place = _first(~np.isfinite(converted))
        if np.isfinite(x[place]):
            raise InputError(f"{called} holds {x[place]} at index {_words(place)}, which is too large for float32")
        raise InputError(f"{called} holds {x[place]} at index {_words(place)}; expected finite numbers")
    return converted


def _sparse_inputs(x: Any, called: str) -> SparseInputs:
    """Return a sparse matrix as inputs, whose numbers become float32 as those of arrays do."""
    if isinstance(x, SparseInputs):
        return x
    inputs = SparseInputs(x, called)
    if x.dtype == np.uint8:
        inputs.values /= 255  # its own copy, as the dtypes differ
    return inputs


@np.errstate(invalid="ignore")  # NaN is reported by its place
def _labels(y: NDArray, called: str) -> NDArray[np.int64]:
    """Return the labels as C-contiguous int64."""
    if y.ndim != 1:
        raise InputError(f"{called} has shape {y.shape}; expected (N,), one whole number an example")
    numbers = y.astype(np.float64, copy=False) if y.dtype.kind == "f" else y  # in which every class number is exact
    checks = [(np.less, 0, "numbers from 0"), (np.greater_equal, MOST_CLASSES, f"class numbers below {MOST_CLASSES:,}")]
    if y.dtype.kind == "f":  # NaN differs from itself, and inf is too large
        checks.insert(0, (np.not_equal, np.floor(numbers), "whole numbers"))
    for compare, bound, expected in checks:
        if (wrong := compare(numbers, bound)).any():
            place = _first(wrong)
            raise InputError(f"{called} holds the label {y[place]} at index {_words(place)}; expected {expected}")
    return np.ascontiguousarray(y, dtype=np.int64)


def _check_lengths(x: Any, y: NDArray, part: str) -> None:
    if len(x) != len(y):
        raise InputError(f"x_{part} has {len(x)} examples but y_{part} {len(y)} labels; expected one label an example")


def _hold_out(x: Any, y: NDArray, overwrite: bool) -> list[tuple[Any, NDArray]]:
    """Return the training and the test part of examples that came as one."""
    if len(x) < 2:
        raise InputError(
            "x_train has one example and there is no x_test; expected at least two, to hold one out for it"
        )
    count = max(1, round(HELD_OUT * len(x)))
    held_out = np.zeros(len(x), dtype=bool)
    held_out[np.random.default_rng(0).permutation(len(x))[:count]] = True
    test = select(x, held_out), y[held_out]
    kept = np.flatnonzero(~held_out)
    if isinstance(x, SparseInputs) or not overwrite:
        return [(select(x, kept), y[kept]), test]
    step = max(1, BLOCK * len(x) // x.nbytes)
    for first in range(0, len(kept), step):  # moved towards the front, where nothing is that has still to move
        rows = kept[first : first + step]
        x[first : first + len(rows)] = x[rows]
    return [(x[: len(kept)], y[kept]), test]


def _count_classes(classes: int | None, **labels: NDArray[np.int64]) -> int:
    if classes is None:
        return 1 + max(int(y.max()) for y in labels.values())
    try:
        count = operator.index(classes)
    except TypeError:
        raise InputError(f"classes is {classes!r}; expected a whole number") from None
    if not 1 <= count <= MOST_CLASSES:
        raise InputError(f"classes is {count}; expected 1 to {MOST_CLASSES:,}")
    for called, y in labels.items():
        if y.max() >= count:
            place = _first(y >= count)
            raise InputError(
                f"{called} holds the label {y[place]} at index {_words(place)}; expected 0 to {count - 1}, "
                f"as there are {count} classes"
            )
    return count


def _first(wrong: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the index of the first True."""
    return tuple(int(i) for i in np.unravel_index(wrong.argmax(), wrong.shape))


def _words(place: tuple[int, ...]) -> str:
    return str(place[0]) if len(place) == 1 else str(place)
