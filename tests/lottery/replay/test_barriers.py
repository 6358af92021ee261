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
    return {(row["round"], row["network"], row["to"]): row for row in rows}


@pytest.mark.parametrize("network", ["ticket", "reinit"])
@pytest.mark.parametrize("to", ["ticket before", "dense"])
def test_the_error_between_two_networks_is_that_of_their_mixtures(network, to, found, small):
    row, slow = found[2, network, to], []
    for trial in small.trials:
        run = trial.rounds[2] if network == "ticket" else trial.rounds[2].controls[network]
        other = trial.rounds[1 if to == "ticket before" else 0]
        errors = between(run.trained, other.trained)
        line = [errors[0] + i / (POINTS - 1) * (errors[-1] - errors[0]) for i in range(POINTS)]
        over = max(error - on_line for error, on_line in zip(errors, line, strict=True))
        dense = 1 - trial.rounds[0].final_test_accuracy
        slow.append((errors[-1], errors[0], max(errors) - (errors[0] + errors[-1]) / 2, over, errors[-1] - dense))
        assert errors[-1] == pytest.approx(1 - run.final_test_accuracy)
    columns = ("error", "other_error", "barrier", "over_line", "over_dense")
    assert [row[name] for name in columns] == pytest.approx(np.mean(slow, axis=0).tolist())
    assert row["connected"] == np.mean([over < 0.02 for *_, over, _ in slow])


def test_a_network_that_has_only_got_worse_is_not_over_the_line():
    assert over_line(np.array([0.1, 0.2, 0.3])) == pytest.approx(0)
    assert over_line(np.array([0.1, 0.5, 0.3])) == pytest.approx(0.3)


def test_one_shot_tickets_have_none_before_them_and_rounds_can_be_chosen():
    result = find(rounds=None, prune=None, one_shot=(0.5, 0.2), controls="none", mask_0="freeze")
    found = barriers(result, [2], data=DATA)
    assert [(row["round"], row["to"]) for row in found.rows] == [(2, "dense")]
    last = result.trials[0].rounds[2]
    assert found.rows[0]["error"] == pytest.approx(1 - last.final_test_accuracy)  # with frozen weights in their places
    with pytest.raises(InputError, match="there is no round 7"):
        barriers(result, [7], data=DATA)
