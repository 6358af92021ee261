"""What scikit-learn asks of every estimator."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tinyticket.sklearn import LotteryTicketClassifier, LotteryTicketRegressor

WEIGHTS = "batches are drawn from the examples: one of weight 2 is not drawn as two are"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS,
}
QUICK = {"rounds": 1, "random_state": 0, "eager": True}


@parametrize_with_checks(
    [LotteryTicketClassifier(**QUICK), LotteryTicketRegressor(**QUICK)],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_a_check_of_scikit_learn(estimator, check):
    check(estimator)
