"""Distances inside units and between them, against loops over pairs."""

import math
from itertools import product

import numpy as np
import pytest

from tinyticket import prune
from tinyticket.errors import InputError


def slowly(mask, shape):
    """Return locality and adjacency from all pairs of connections, those of one unit and those of two."""
    inside, outside = [], []
    width, area = shape[-1], shape[-2] * shape[-1]
    for (u, p), (v, q) in product(np.argwhere(mask), repeat=2):
        first, second = divmod(p % area, width), divmod(q % area, width)
        if p != q:
            (inside if u == v else outside).append(math.dist(first, second))
    return np.mean(inside) / np.mean(outside), np.mean(np.equal(inside, 1)) / np.mean(np.equal(outside, 1))


@pytest.mark.parametrize("shape", [(4, 5), (1, 6, 3), (2, 3, 3)])
def test_it_is_the_mean_distance_in_units_over_that_between_them(shape):
    mask = np.random.default_rng(0).random((5, math.prod(shape))) < 0.4
    assert (prune.locality(mask, shape), prune.adjacency(mask, shape)) == pytest.approx(slowly(mask, shape))


def test_patches_are_local_and_their_shuffle_is_not():
    rng, mask = np.random.default_rng(0), np.zeros((60, 12, 12), bool)
    for unit in mask:
        row, column = rng.integers(0, 9, 2)
        unit[row : row + 4, column : column + 4] = True
    assert prune.locality(mask.reshape(60, -1), (12, 12)) < 0.5
    assert prune.adjacency(mask.reshape(60, -1), (12, 12)) > 3
    shuffled = rng.permuted(mask.reshape(60, -1), axis=1)
    assert prune.locality(shuffled, (12, 12)) == pytest.approx(1, abs=0.02)


def test_pixels_that_nobody_sees_make_no_unit_local():
    rng = np.random.default_rng(0)
    seen = np.pad(np.linspace(0.05, 0.9, 36).reshape(6, 6), 5)  # a border that is empty, and pixels of unlike use
    mask = rng.random((80, 16, 16)) < seen
    assert prune.locality(mask.reshape(80, -1), (16, 16)) == pytest.approx(1, abs=0.02)
    assert prune.adjacency(mask.reshape(80, -1), (16, 16)) == pytest.approx(1, abs=0.05)


def test_where_there_are_no_pairs_there_is_no_answer():
    assert prune.locality(np.eye(4, dtype=bool), (2, 2)) is None
    assert prune.locality(np.eye(4, dtype=bool)[:1] | True, (2, 2)) is None
    assert prune.locality(np.zeros((3, 4), bool), (2, 2)) is None


@pytest.mark.parametrize(
    ("mask", "shape"), [(np.ones((2, 4)), (2, 2)), (np.ones((2, 4), bool), (2, 3)), (np.ones(4, bool), (4,))]
)
def test_what_is_no_mask_of_images_is_refused(mask, shape):
    with pytest.raises(InputError, match=r"locality is of a boolean mask \(units, inputs\) of images; got"):
        prune.locality(mask, shape)
