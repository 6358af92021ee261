"""Tickets that predict numbers."""

import pickle

import numpy as np
import pytest

from tests.sklearn.tables import NUMBERS, QUICK, X
from tinyticket.sklearn import LotteryTicketRegressor


def test_numbers_are_predicted_on_their_own_scale():
    fitted = LotteryTicketRegressor(**QUICK).fit(X, NUMBERS[:, 0])
    assert fitted.score(X, NUMBERS[:, 0]) > 0.9
    assert fitted.predict(X).shape == (len(X),)
    assert fitted.ticket_.metric.title == "R2"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))


def test_several_numbers_are_predicted_at_once():
    fitted = LotteryTicketRegressor(**QUICK).fit(X, NUMBERS)
    assert fitted.predict(X).shape == NUMBERS.shape
    assert fitted.score(X, NUMBERS) > 0.9


def test_examples_that_count_more_are_fitted_better():
    line, kinked = X[:, :1], np.abs(X[:, 0])
    weights = np.where(X[:, 0] > 0, 100.0, 1.0)
    settings = {**QUICK, "hidden_layers": (4,), "rounds": 0}
    errors = [
        np.square(fitted.predict(line) - kinked)[X[:, 0] > 0].mean()
        for fitted in (
            LotteryTicketRegressor(**settings).fit(line, kinked),
            LotteryTicketRegressor(**settings).fit(line, kinked, sample_weight=weights),
        )
    ]
    assert errors[1] < errors[0]


def test_a_target_that_never_changes_is_predicted():
    fitted = LotteryTicketRegressor(**QUICK).fit(X, np.full(len(X), 7.0))
    assert fitted.predict(X) == pytest.approx(7, abs=1)
