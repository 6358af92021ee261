"""What workers load once: a parcel whose arrays nobody copies."""

import pickle

import numpy as np
import pytest

from tests.lottery.experiments import DATA
from tinyticket.data import Pixels
from tinyticket.lottery.jobs.parcel import pack, unpack


def test_a_data_set_arrives_in_a_parcel_with_arrays_of_its_own(tmp_path):
    images = Pixels(np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4), [0.5] * 3, [0.2] * 3)
    pack((DATA, images, np.zeros(0, np.float32)), tmp_path)
    data, pixels, empty = unpack(tmp_path)
    assert data.fingerprints() == DATA.fingerprints()
    assert np.array_equal(pixels[:], images[:])
    assert empty.size == 0
    for array in (data.x_train, data.y_test, pixels.pixels):  # as compiled kernels want them
        assert array.flags.writeable
        assert array.flags.c_contiguous
        assert array.ctypes.data % 64 == 0
    data.x_train[...] = 0  # is nobody else's business
    assert unpack(tmp_path)[0].fingerprints() == DATA.fingerprints()


def test_a_parcel_without_arrays_can_be_opened(tmp_path):
    pack("nothing large", tmp_path)
    assert unpack(tmp_path) == "nothing large"


def test_what_cannot_be_sent_says_so(tmp_path):
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pack(lambda rng: None, tmp_path)
