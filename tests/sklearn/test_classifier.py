"""Tickets that classify tables."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import tinyticket as tt
from tests.sklearn.tables import LABELS, QUICK, WORDS, X
from tinyticket.errors import InputError
from tinyticket.sklearn import LotteryTicketClassifier


@pytest.fixture(scope="module")
def fitted():
    return LotteryTicketClassifier(**QUICK).fit(X, WORDS)


def test_words_are_predicted_with_probabilities(fitted):
    assert fitted.classes_.tolist() == ["blue", "green", "red"]
    assert fitted.score(X, WORDS) > 0.85
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(axis=1)], fitted.predict(X))


def test_the_network_that_predicts_is_one_of_the_experiment(fitted):
    assert fitted.density_ == fitted.ticket_.round(fitted.trial_, fitted.round_).density < 1
    outputs = fitted.network_(X).data
    np.testing.assert_allclose(fitted.decision_function(X), outputs, rtol=1e-4, atol=1e-5)
    assert fitted.verdict_ == fitted.ticket_.verdict["text"]


def test_the_smallest_network_within_the_tolerance_predicts():
    found = {}
    for tolerance in (0.0, 1.0):
        fitted = LotteryTicketClassifier(**QUICK, tolerance=tolerance).fit(X, LABELS)
        scores = [round.history["validation_accuracy"][-1] for round in fitted.ticket_.trials[0].rounds]
        found[tolerance] = fitted.round_
        assert fitted.round_ == max(i for i, score in enumerate(scores) if score >= scores[0] - tolerance)
    assert found[1.0] == 2


def test_a_density_chooses_the_nearest_round_and_a_verdict_the_winning_one():
    assert LotteryTicketClassifier(**QUICK, density=1.0).fit(X, LABELS).round_ == 0
    assert LotteryTicketClassifier(**QUICK, density=0.1).fit(X, LABELS).round_ == 2
    with pytest.warns(UserWarning, match="the dense network predicts: not enough trials to tell"):
        assert LotteryTicketClassifier(**QUICK, density="winning").fit(X, LABELS).round_ == 0


def test_the_same_random_state_gives_the_same_bits(fitted):
    again = LotteryTicketClassifier(**QUICK).fit(X, WORDS)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    other = LotteryTicketClassifier(**{**QUICK, "random_state": 1}).fit(X, WORDS)
    assert (other.predict_proba(X) != fitted.predict_proba(X)).any()


def test_sparse_examples_are_fitted_and_predicted_as_dense_ones(fitted):
    again = LotteryTicketClassifier(**QUICK).fit(sparse.csr_matrix(X), WORDS)
    np.testing.assert_array_equal(again.predict_proba(sparse.csc_matrix(X)), fitted.predict_proba(X))


def test_pickles_predict_the_same_bits(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.verdict_ == fitted.verdict_


def test_examples_of_weight_zero_are_left_out_and_equal_weights_change_nothing(fitted):
    weights = (WORDS != "blue").astype(float)
    some = LotteryTicketClassifier(**QUICK).fit(X, WORDS, sample_weight=weights)
    assert "blue" not in some.predict(X)
    equal = LotteryTicketClassifier(**QUICK).fit(X, WORDS, sample_weight=np.full(len(X), 2.0))
    np.testing.assert_array_equal(equal.predict_proba(X), fitted.predict_proba(X))


def test_a_class_that_counts_more_is_predicted_more_often(fitted):
    noisy = X / 4
    plain = LotteryTicketClassifier(**QUICK).fit(noisy, WORDS)
    weighted = LotteryTicketClassifier(**QUICK, class_weight={"red": 20, "green": 1, "blue": 1}).fit(noisy, WORDS)
    assert (weighted.predict(noisy) == "red").sum() > (plain.predict(noisy) == "red").sum()


def test_an_earlier_ticket_is_trained_on_other_examples(fitted, tmp_path):
    path = tmp_path / "ticket.h5"
    fitted.ticket_.save(path)
    for ticket in (path, fitted.ticket_):
        moved = LotteryTicketClassifier(iterations=50, batch_size=16, ticket=ticket, random_state=1, density=0.1).fit(
            X, WORDS
        )
        masks = moved.ticket_.round(0, 2).masks
        assert all((masks[name] == mask).all() for name, mask in fitted.ticket_.round(0, 2).masks.items())
        assert moved.ticket_.config["masks_from"] != "none"
        assert moved.score(X, WORDS) > 0.8
    with pytest.raises(InputError, match="take examples of shape"):
        LotteryTicketClassifier(ticket=path, iterations=50).fit(X[:, :3], WORDS)


def test_the_saved_experiment_is_a_result_file(fitted, tmp_path):
    fitted.ticket_.save(tmp_path / "ticket.h5")
    assert tt.load(tmp_path / "ticket.h5").verdict["text"] == fitted.verdict_


def test_settings_of_find_win_over_parameters():
    fitted = LotteryTicketClassifier(**QUICK, settings={"criterion": "movement", "rounds": 1}).fit(X, LABELS)
    assert (fitted.ticket_.config["criterion"], fitted.ticket_.config["rounds"]) == ("movement", 1)


def test_frames_keep_the_names_of_their_columns_through_a_pipeline_and_a_search():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde")).assign(shape=np.where(X[:, 4] > 0, "round", "square"))
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), list("abcde")), ("words", OneHotEncoder(sparse_output=False), ["shape"])]
    ).set_output(transform="pandas")
    pipeline = make_pipeline(columns, LotteryTicketClassifier(**QUICK))
    search = GridSearchCV(pipeline, {"lotteryticketclassifier__density": ["smallest", 1.0]}, cv=2, n_jobs=2)
    search.fit(frame, WORDS)
    best = search.best_estimator_[-1]
    assert best.feature_names_in_.tolist() == [
        *(f"numbers__{name}" for name in "abcde"),
        "words__shape_round",
        "words__shape_square",
    ]
    assert search.score(frame, WORDS) > 0.85


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iterations": "long"}, "iterations is a whole number"),
        ({"batch_size": 0}, "batch size is a whole number of at least 1"),
        ({"density": "best"}, "density is 'smallest', 'winning', or a share"),
        ({"tolerance": -0.1}, "tolerance is a number from 0 on, not -0.1"),
        ({"validation_fraction": 0}, "validation_fraction is a share of the examples"),
        ({"test_fraction": 0.6, "validation_fraction": 0.5}, "150 samples are too few"),
        ({"hidden_layers": (0,)}, "every layer has at least one unit"),
        ({"settings": {"pruning": 0.1}}, "no setting is called 'pruning'"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(changes, words):
    with pytest.raises(InputError, match=words):
        LotteryTicketClassifier(**{**QUICK, **changes}).fit(X, LABELS)
