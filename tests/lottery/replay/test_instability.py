"""Two copies of a network and the line between them: trained once, kept in the file."""

import h5py
import numpy as np
import pytest

import tinyticket as tt
from tests.lottery.experiments import DATA, Recorder, contents, find
from tinyticket.errors import InputError
from tinyticket.lottery.replay.again import Again
from tinyticket.lottery.replay.instability import ALPHAS, CURVE, barrier, instability, interpolate
from tinyticket.lottery.streams import stream


def test_the_barrier_is_the_largest_error_above_the_mean_of_the_two_ends():
    curve = np.zeros(4, CURVE)
    curve["test_accuracy"] = [0.8, 0.7, 0.75, 0.9]
    found = barrier(curve)
    assert found["barrier"] == pytest.approx(0.3 - 0.15)
    assert (found["error_1"], found["error_2"], found["stable"]) == (pytest.approx(0.1), pytest.approx(0.2), "no")
    curve["test_accuracy"] = [0.9, 0.8811, 0.91, 0.9]
    assert barrier(curve)["stable"] == "yes"


def test_between_two_states_lie_their_weighted_means_in_their_own_dtype():
    first = {"w": np.array([1, 0], np.float32), "count": np.array([3])}
    second = {"w": np.array([3, 0], np.float32), "count": np.array([4])}
    half = interpolate(first, second, 0.25)
    assert half["w"].tolist() == [2.5, 0]
    assert half["w"].dtype == np.float32
    assert interpolate(first, second, 1.0)["w"].tolist() == [1, 0]
    assert interpolate(first, second, 0.0)["w"].tolist() == [3, 0]
    assert half["count"].tolist() == [3]


@pytest.mark.parametrize("mode", [{}, {"rewind_to": 7}, {"eager": True}])
def test_the_copies_start_where_the_network_did_and_see_other_batches(mode, out):
    result = find(out=out, **mode)
    before = contents(out)
    found = instability(result, data=DATA)
    assert [(row["trial"], row["round"]) for row in found.rows] == [(0, 0), (0, 1), (0, 2)]
    assert len(found.picture.rows) == 3 * ALPHAS
    with h5py.File(out, "r") as file:
        curve = file["analyses/instability/0/02/curve"][()]
    again = Again(result, data=DATA)
    ends = []
    for purpose in ("instability-1", "instability-2"):
        start = again.job(0, 2).start
        streams = (stream(0, 0, f"{purpose}{what}", 2) for what in ("", "-dropout"))
        ends.append(again.workshop.trainer().train(start, *streams).history[-1]["test_accuracy"])
    assert start.iteration == mode.get("rewind_to", 0)
    assert curve["test_accuracy"][[-1, 0]].tolist() == ends
    assert curve["alpha"].tolist() == np.linspace(0, 1, 30).tolist()
    after = contents(out)
    assert {name: after[name] for name in before} == before  # nothing else has changed


def test_what_is_in_the_file_is_not_trained_again_and_the_run_can_go_on(out):
    find(out=out, trials=2, rounds=1)
    progress = Recorder()
    first = instability(tt.load(out), [1], data=DATA, callbacks=progress)
    assert [arguments[:3] for arguments in progress.of("training_begun")] == [
        (0, 1, "instability-1"), (0, 1, "instability-2"), (1, 1, "instability-1"), (1, 1, "instability-2"),
    ]  # fmt: skip
    again = instability(tt.load(out), [1])  # needs no data set
    assert again == first
    progress = Recorder()
    whole = instability(find(out=out, trials=2, rounds=2), data=DATA, callbacks=progress)
    assert len(progress.of("training_begun")) == 8
    assert [row for row in whole.rows if row["round"] == 1] == first.rows


def test_what_cannot_be_asked_is_refused(small):
    with pytest.raises(InputError, match="there is no round 7"):
        instability(small, [7], data=DATA)
    gradual = find(rounds=None, one_shot=[0.5], gradual=(2, 12, 2))
    with pytest.raises(InputError, match="its mask is found in the course of its training"):
        instability(gradual, data=DATA)
