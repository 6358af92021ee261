"""What identifies values is the same for equal ones and another for others, in whatever they are packed."""

import itertools

import numpy as np

from tinyticket.store import Checkpoint, fingerprint

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


def test_other_values_have_other_fingerprints():
    for first, second in itertools.combinations(VALUES, 2):
        assert fingerprint(first) != fingerprint(second)
        assert fingerprint([first, second]) != fingerprint([second, first])


def test_equal_values_have_equal_fingerprints():
    assert fingerprint(X.reshape(2, 3).T) == fingerprint(X.reshape(2, 3).T.copy())
    assert fingerprint((1, {"a": X[::2]})) == fingerprint([1, {"a": X[::2].copy()}])
