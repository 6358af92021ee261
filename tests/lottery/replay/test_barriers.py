"""Error barriers between networks of a file, against networks mixed by hand."""

import numpy as np
import pytest

from tests.lottery.experiments import DATA, contents, find
from tinyticket.errors import InputError
from tinyticket.lottery.replay.barriers import POINTS, barriers, over_line


def error_of(weights, x, y):
    for name in ("fc1", "fc2", "output"):
        x = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        x = x if name == "output" else np.maximum(x, 0)
    return float((x.argmax(axis=1) != y).mean())


def between(first, second):
    """Mix two networks weight by weight, and return all errors from the second to the first."""
    errors = []
    for step in range(POINTS):
        a = step / (POINTS - 1)
        mixed = {name: a * first[name] + (1 - a) * second[name] for name in first}
        errors.append(error_of(mixed, DATA.x_test, DATA.y_test))
    return errors


@pytest.fixture(scope="module")
def found(small):
    before = contents(small.path)
    rows = barriers(small, data=DATA).rows
    assert contents(small.path) == before  # nothing is written
    return {(row["round"], row["network"]): row for row in rows}


@pytest.mark.parametrize("network", ["ticket", "reinit"])
@pytest.mark.parametrize(("to", "number"), [("before", 1), ("dense", 0)])
def test_the_error_between_two_networks_is_that_of_their_mixtures(network, to, number, found, small):
    row, slow = found[2, network], []
    for trial in small.trials:
        run = trial.rounds[2] if network == "ticket" else trial.rounds[2].controls[network]
        errors = between(run.trained, trial.rounds[number].trained)
        line = [errors[0] + i / (POINTS - 1) * (errors[-1] - errors[0]) for i in range(POINTS)]
        over = max(error - on_line for error, on_line in zip(errors, line, strict=True))
        dense = error_of(trial.rounds[0].trained, DATA.x_test, DATA.y_test)
        barrier = max(errors) - (errors[0] + errors[-1]) / 2
        slow.append((errors[-1], errors[-1] - dense, barrier, over, over < 0.02))
    columns = ("error", "over_dense", *(f"{to}_{what}" for what in ("barrier", "over_line", "connected")))
    assert [row[name] for name in columns] == pytest.approx(np.mean(slow, axis=0).tolist())


def test_before_the_first_ticket_is_the_dense_network(found):
    assert found[1, "random"]["before_barrier"] == found[1, "random"]["dense_barrier"]


def test_a_network_that_has_only_got_worse_is_not_over_the_line():
    assert over_line(np.array([0.1, 0.2, 0.3])) == pytest.approx(0)
    assert over_line(np.array([0.1, 0.5, 0.3])) == pytest.approx(0.3)


def test_one_shot_tickets_have_none_before_them_and_rounds_can_be_chosen():
    result = find(rounds=None, prune=None, one_shot=(0.5, 0.2), controls="none", mask_0="freeze")
    found = barriers(result, [2], data=DATA)
    (row,) = found.rows
    assert (row["round"], row["before_barrier"]) == (2, None)
    errors = between(result.model(0, 2).state_dict(), result.model(0, 0).state_dict())  # frozen weights in their places
    assert row["dense_barrier"] == pytest.approx(max(errors) - (errors[0] + errors[-1]) / 2)
    with pytest.raises(InputError, match="there is no round 7"):
        barriers(result, [7], data=DATA)
