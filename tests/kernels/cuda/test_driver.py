"""Launches that are started again and again; where there is a device, as graphs."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.kernels.cuda.arrays import device
from tinyticket.kernels.cuda import driver
from tinyticket.kernels.cuda.driver import LaunchGraph
from tinyticket.kernels.cuda.launch import Launch, Routine
from tinyticket.kernels.cuda.sparse_convolution import reorder_survivors
from tinyticket.kernels.cuda.toolkit import cuda


def test_a_launch_graph_does_every_time_what_its_launches_do_in_their_order():
    numbers = [device(np.full(4, n, np.float32)) for n in (1, 2, 3)]
    turned, called = device(np.array([3, 2, 1, 0], np.int32)), []
    first, last = (reorder_survivors(numbers[i], turned, numbers[i + 1]) for i in (0, 1))
    routine = Launch(Routine(called.append), (1,), (1,), ("given",))
    graph = LaunchGraph([first, routine, last])
    for turn in range(3):
        numbers[0].copy_to_device(np.arange(4, dtype=np.float32) + 10 * turn)
        graph.run()
        cuda.synchronize()
        assert numbers[2].copy_to_host().tolist() == [10 * turn + n for n in range(4)]
        assert called == ["given"] * (turn + 1)


@pytest.mark.gpu
def test_from_the_third_time_on_a_device_starts_a_graph():
    numbers = device(np.zeros(4, np.float32))
    graph = LaunchGraph([reorder_survivors(numbers, device(np.zeros(4, np.int32)), numbers)])
    assert driver._bindings() is not None
    graph.run(), graph.run()
    assert not graph._starts
    graph.run()
    assert len(graph._starts) == 1


class Recorder:
    """A driver that writes down what it is asked for."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        def function(*given):
            self.asked.append(name)
            return name

        return function


@pytest.fixture
def recorder(monkeypatch):
    made, mode = Recorder(), SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)
    monkeypatch.setattr(driver, "_bindings", lambda: (made, SimpleNamespace(CUstreamCaptureMode=mode)))
    monkeypatch.setattr(driver, "_stream", lambda: SimpleNamespace(handle=7))
    return made


def test_launches_around_a_routine_are_graphs_that_go_with_their_launch_graph(recorder):
    called, kernel = (
        [],
        reorder_survivors(*(device(np.zeros(4, dtype)) for dtype in (np.float32, np.int32, np.float32))),
    )
    graph = LaunchGraph([kernel, Launch(Routine(called.append), (1,), (1,), ("given",)), kernel, kernel])
    graph.run(), graph.run()
    assert recorder.asked == []
    graph.run()
    recorded = ["cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphDestroy"]
    assert recorder.asked == [*recorded, *recorded, "cuGraphLaunch", "cuGraphLaunch"]
    graph.run()
    assert recorder.asked[8:] == ["cuGraphLaunch"] * 4
    assert called == ["given"] * 4
    del graph
    assert recorder.asked[12:] == ["cuGraphExecDestroy"] * 2


def test_what_fails_while_it_is_recorded_leaves_nothing_behind(recorder):
    def fail():
        if len(recorder.asked):
            raise ValueError("no")

    class Failing(Launch):
        recordable = True

    graph = LaunchGraph([Failing(Routine(fail), (1,), (1,), ())])
    graph.run(), graph.run()
    with pytest.raises(ValueError, match="no"):
        graph.run()
    assert recorder.asked == ["cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphDestroy"]
    assert not graph._starts
