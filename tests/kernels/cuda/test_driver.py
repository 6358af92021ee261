"""Launches that are started again and again; where there is a device, as graphs."""

import numpy as np
import pytest

from tests.kernels.cuda.arrays import device
from tinyticket.kernels.cuda import driver, sparse
from tinyticket.kernels.cuda.driver import Playlist
from tinyticket.kernels.cuda.launch import Launch, Routine
from tinyticket.kernels.cuda.toolkit import cuda


def test_a_playlist_does_every_time_what_its_launches_do_in_their_order():
    numbers = [device(np.full(4, n, np.float32)) for n in (1, 2, 3)]
    turned, called = device(np.array([3, 2, 1, 0], np.int32)), []
    first, last = (sparse.reorder(numbers[i], turned, numbers[i + 1]) for i in (0, 1))
    routine = Launch(Routine(lambda stream, given: called.append(given)), (1,), (1,), ("given",))
    playlist = Playlist([first, routine, last])
    for turn in range(3):
        numbers[0].copy_to_device(np.arange(4, dtype=np.float32) + 10 * turn)
        playlist.run()
        cuda.synchronize()
        assert numbers[2].copy_to_host().tolist() == [10 * turn + n for n in range(4)]
        assert called == ["given"] * (turn + 1)


@pytest.mark.gpu
def test_from_the_second_time_on_a_device_starts_a_graph():
    numbers = device(np.zeros(4, np.float32))
    playlist = Playlist([sparse.reorder(numbers, device(np.zeros(4, np.int32)), numbers)])
    assert driver._bindings() is not None
    playlist.run()
    assert not playlist._starts
    playlist.run()
    assert len(playlist._starts) == 1
