"""`benchmarks.epochs` on a tiny network: both ways, every kind of number that is forced. Nothing here asserts a time."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import epochs, problems
from benchmarks.epochs import FORCED, TINY, WAYS


def test_both_ways_are_timed(few_examples):
    said = CliRunner().invoke(epochs.main, ["--model", "mlp-5-4-3", "--density", "0.5", "--epochs", "10"])
    assert said.exit_code == 0, said.output
    table, forced = said.output.split("\n\n")
    assert [line.split()[0] for line in table.splitlines()[2:]] == [*WAYS, "still"]
    assert all(float(number) > 0 for line in table.splitlines()[2:] for number in re.findall(r"[\d.]+", line))
    assert [line[:26].strip() for line in forced.splitlines()[1:]] == list(FORCED)


@pytest.mark.parametrize("name", FORCED)
def test_what_is_forced_is_near_1e_40_and_stays(name, few_examples):
    training = epochs.Training(problems.make("mlp-5-4-3"), 1, "sgd", 0.0)
    step = training.step("kept", epochs.STILL, FORCED[name])
    model = step.model
    before = [parameter.data.copy() for parameter in model.parameters()]
    assert (name in ("first weights", "all weights", "activations")) == any(
        (abs(w[w != 0]) <= TINY).any() for w in before
    )
    step.run(training.problem.data, np.array(list(training.problem.once())))
    for parameter, value in zip(model.parameters(), before, strict=True):
        np.testing.assert_allclose(parameter.data, value, rtol=1e-6, atol=1e-28)
