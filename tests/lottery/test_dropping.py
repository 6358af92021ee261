"""Dropout after a rewind: the draws of the iterations before have passed over, as their batches have."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, equal_bytes
from tests.lottery.test_checkpoints import K, dense, train, trainer
from tinyticket.lottery.dropping import draws_a_step, pass_over
from tinyticket.lottery.start import Start
from tinyticket.lottery.streams import stream
from tinyticket.nn import BatchNorm1d, Dropout, Linear, ReLU, Sequential


@pytest.mark.parametrize("draws", [0, 1, 2, 7, 1000, 1001])
def test_passing_over_is_drawing(draws):
    drawn, passed = stream(0, 0, "dropout"), stream(0, 0, "dropout")
    for size in (draws // 3, draws - draws // 3):  # in any pieces
        drawn.random(size, dtype=np.float32)
    pass_over(passed, draws)
    for size in (3, 4, 5):
        np.testing.assert_array_equal(drawn.random(size, np.float32), passed.random(size, np.float32))


def test_other_generators_are_drawn_from():
    drawn, passed = (np.random.Generator(np.random.MT19937(3)) for _ in range(2))
    drawn.random(11, dtype=np.float32)
    pass_over(passed, 11)
    assert drawn.random(dtype=np.float32) == passed.random(dtype=np.float32)


def network(width=15, normalised=False):
    layers = [Linear(12, width, rng=0), ReLU(), Dropout(0.3), Linear(width, 7, rng=1), Dropout(0.0), Dropout(0.5)]
    layers[1:1] = [BatchNorm1d(width)] if normalised else []
    return Sequential(*layers, Linear(7, 3, rng=2))


def test_draws_are_counted_where_something_is_dropped():
    model = network()
    before = [module.rng for _, module in model.named_modules() if isinstance(module, Dropout)]
    assert draws_a_step(model, DATA.x_train[:9]) == 9 * (15 + 7)
    assert [module.rng for _, module in model.named_modules() if isinstance(module, Dropout)] == before


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("batch_size", [20, 21])  # so that the numbers of all iterations are even, or odd
def test_a_dense_network_rewound_late_replays_the_draws_of_the_original(eager, normalised, batch_size):
    changes = {"eager": eager, "batch_size": batch_size}
    one = trainer(network(normalised=normalised), **changes)
    assert one.step.compiled != eager
    begin = dense(one.model)
    kept = train(one, begin, keep_at=K)
    late = Start(begin.masks, kept.checkpoint.state, {}, K, optimizer=kept.checkpoint)
    for other in (one, trainer(network(normalised=normalised), **changes)):
        resumed = train(other, late)
        assert equal_bytes(resumed.trained, kept.trained)
        assert resumed.history[2:].tobytes() == kept.history[3:].tobytes()
