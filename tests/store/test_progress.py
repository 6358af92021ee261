"""What identifies values is the same for equal ones and another for others, in whatever they are packed."""

import itertools

import numpy as np

from tinyticket.store import Checkpoint, digest

X = np.arange(6, dtype=np.float32)
VALUES = [
    X,
    X.astype(np.float64),
    X.reshape(2, 3),
    X.reshape(2, 3).T,
    -0.0 * X,
    0.0 * X,
    np.zeros(0),
    np.zeros((0, 2)),
    X > 2,
    [1, [2]],
    [[1], 2],
    [1, 2],
    {"1": 2},
    {},
    [],
    None,
    1,
    1.0,
    "1",
    Checkpoint(3, {"a": X}, {}, {}),
    Checkpoint(3, {"a": X + 1}, {}, {}),
    Checkpoint(3, {"b": X}, {}, {}),
]


def test_other_values_have_other_digests():
    for first, second in itertools.combinations(VALUES, 2):
        assert digest(first) != digest(second)
        assert digest([first, second]) != digest([second, first])


def test_equal_values_have_equal_digests():
    assert digest(X.reshape(2, 3).T) == digest(X.reshape(2, 3).T.copy())
    assert digest((1, {"a": X[::2]})) == digest([1, {"a": X[::2].copy()}])
