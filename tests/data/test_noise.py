"""Wrong labels: how many, which, and that nothing else changes."""

import numpy as np
import pytest

from tinyticket.data.noise import noisy_labels
from tinyticket.errors import InputError
from tinyticket.nn.targets import weighted


@pytest.mark.parametrize(("share", "wrong"), [(0, 0), (0.2, 200), (0.2505, 251), (1, 1000)])
def test_exactly_a_share_becomes_another_class(share, wrong):
    labels = np.random.default_rng(0).integers(0, 5, 1000)
    before = labels.copy()
    noisy = noisy_labels(labels, 5, share, 3)
    assert np.count_nonzero(noisy != labels) == wrong
    assert noisy.dtype == labels.dtype
    assert noisy.min() >= 0
    assert noisy.max() < 5
    np.testing.assert_array_equal(labels, before)


def test_every_label_and_every_other_class_is_as_likely():
    labels, drawn = np.repeat(np.arange(4), 25), np.zeros((100, 4))
    rng = np.random.default_rng(1)
    for _ in range(2000):
        drawn[np.arange(100), noisy_labels(labels, 4, 0.3, rng)] += 1
    right = drawn[np.arange(100), labels]
    np.testing.assert_allclose(right, 1400, atol=5 * np.sqrt(2000 * 0.3 * 0.7))
    for label in range(4):
        of_class = drawn[labels == label].sum(axis=0)
        wrong = np.delete(of_class, label)
        np.testing.assert_allclose(wrong, 25 * 2000 * 0.1, atol=5 * np.sqrt(25 * 2000 * 0.1))


def test_weights_of_examples_stay():
    both = weighted(np.arange(6) % 3, np.arange(1, 7))
    noisy = noisy_labels(both, 3, 0.5, 0)
    assert np.count_nonzero(noisy["target"] != both["target"]) == 3
    np.testing.assert_array_equal(noisy["weight"], both["weight"])


@pytest.mark.parametrize(
    ("share", "classes", "words"), [(1.5, 3, "from 0 to 1; got 1.5"), (0.5, 0, "there are 0 classes")]
)
def test_what_cannot_be_wrong_is_refused(share, classes, words):
    with pytest.raises(InputError, match=words):
        noisy_labels(np.zeros(4, np.int64), classes, share, 0)
