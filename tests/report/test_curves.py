"""Learning curves of a round."""

import numpy as np
import pytest

from tests.lottery.experiments import find
from tinyticket.errors import InputError
from tinyticket.report.curves import curves, limits


def test_curves_are_means_over_trials_beside_dense_and_controls(small):
    found = curves(small, 2, "test_accuracy")
    assert [curve.network for curve in found] == ["dense", "ticket", "reinit", "random"]
    values = 100 * np.array([trial.rounds[2].history["test_accuracy"] for trial in small.trials])
    ticket = found[1]
    assert np.allclose(ticket.mean, values.mean(axis=0))
    assert np.allclose([ticket.low, ticket.high], [values.min(axis=0), values.max(axis=0)])
    assert ticket.stop == np.mean([trial.rounds[2].early_stop_iteration for trial in small.trials])


def test_one_trial_alone(small):
    (dense,) = curves(small, 0, "validation_loss", trial=1)
    assert np.array_equal(dense.mean, small.trials[1].rounds[0].history["validation_loss"])


def test_accuracies_that_were_rarely_read_have_straight_lines_between():
    result = find(rounds=1, controls="none", test_at="minima", lr=0.1)
    for curve in curves(result, 1, "test_accuracy"):
        assert np.isfinite(curve.mean).all()


def test_limits_leave_the_beginning_out(small):
    found = curves(small, 2, "validation_loss")
    low, high = limits([found])
    late = [curve.mean[curve.iterations >= 5] for curve in found]
    assert low < min(map(np.min, late))
    assert high > max(map(np.max, late))


@pytest.mark.parametrize(("round", "trial"), [(9, None), (0, 9), (9, 1)])
def test_a_round_that_there_is_not_is_refused(round, trial, small):
    with pytest.raises(InputError, match="there is no"):
        curves(small, round, "test_accuracy", trial)
