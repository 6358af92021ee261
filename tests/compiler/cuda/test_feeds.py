"""What a call is fed: room that grows, and is asked for again where there was none."""

import numpy as np
import pytest

from tinyticket.compiler.cuda import feeds as module
from tinyticket.compiler.cuda.feeds import Feeds
from tinyticket.errors import DeviceMemoryError


def test_room_that_was_not_to_be_had_is_asked_for_again(monkeypatch):
    feeds = Feeds(scalars=(np.float32, 3))
    feeds.reserve(2)

    def refuse(*given):
        raise DeviceMemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(module, "zeros", refuse)
        with pytest.raises(DeviceMemoryError):
            feeds.reserve(4)
    assert feeds.turns == 0
    feeds.reserve(4)
    feeds.write("scalars", np.ones((4, 3)))
    np.testing.assert_array_equal(feeds.read("scalars", 4), np.ones((4, 3)))
