"""What networks cost, against sums by hand."""

from tests.lottery.experiments import SIZES
from tinyticket.results.analyses import cost


def test_a_fully_connected_network_costs_a_multiply_add_a_weight(small):
    rows = cost(small).rows
    assert rows[0]["multiply_adds"] == sum(SIZES.values())
    assert rows[0]["share_of_dense"] == 1
    for row, round in zip(rows, small.trials[0].rounds, strict=True):
        assert row["multiply_adds"] == round.weights_left
        assert row["sparse_bytes"] == 8 * round.weights_left
        assert row["dense_bytes"] == 4 * sum(SIZES.values())
