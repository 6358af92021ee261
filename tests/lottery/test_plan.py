"""What an experiment will do, worked out from a model and settings before it does it."""

import pytest

from tests.lottery.experiments import MODEL, SIZES
from tests.prune.lenet import PERCENT_LEFT
from tests.prune.lenet import SIZES as LENET_SIZES
from tinyticket import nn
from tinyticket.errors import InputError
from tinyticket.lottery.plan import layer_groups, make_plan
from tinyticket.lottery.settings import resolve
from tinyticket.nn import models


def plan(model=None, **changes):
    settings = resolve(data="d", model="m", training_examples=1000, **changes)
    return make_plan(model or models.create(MODEL, (12,), 3, 0), settings)


def test_lenets_rounds_are_the_papers():
    planned = plan(models.create("lenet-300-100", (1, 28, 28), 10, 0), rounds=16)
    assert planned.sizes == LENET_SIZES
    assert {number: round(100 * planned.densities[number], 2) for number in PERCENT_LEFT} == PERCENT_LEFT


def test_the_last_linear_layer_is_the_output_layer_and_loses_half():
    planned = plan(rounds=1, prune=0.2)
    assert planned.sizes == SIZES
    assert planned.fractions == [{"fc1.weight": 0.2, "fc2.weight": 0.2, "output.weight": 0.1}]
    assert planned.weights_left == [344, 344 - 38 - 26 - 2]


def test_the_output_layer_is_the_last_in_the_model_whatever_it_is_called():
    model = nn.Sequential({"output": nn.Linear(4, 5, rng=0), "relu": nn.ReLU(), "fc1": nn.Linear(5, 3, rng=0)})
    assert layer_groups(model) == {"output.weight": "fc", "fc1.weight": "output"}


def test_one_shot_reaches_each_density_from_the_dense_network():
    planned = plan(one_shot=[0.5, 0.2])
    assert [round(density, 2) for density in planned.densities] == [1, 0.5, 0.2]


def test_global_scope_plans_the_sum_and_leaves_groups_at_zero_alone():
    assert plan(rounds=2, scope="global", prune=0.5).weights_left == [344, 172, 86]
    assert plan(rounds=2, scope="global", prune="fc=0.5,output=0").weights_left == [344, 184, 104]


class Norm(nn.Module):
    """A normalisation as far as pruning is concerned: it has a weight, but not one that may be pruned."""

    def __init__(self, features):
        self.weight, self.bias = nn.Parameter([1.0] * features), nn.Parameter([0.0] * features)


def test_what_may_be_pruned_is_told_by_the_kind_of_layer_and_never_by_names():
    """Published code pruned every parameter with "weight" in its name, or none with "bias", "bn" or "norm"."""
    model = nn.Sequential(
        {"weight_norm": Norm(12), "bias_layer": nn.Linear(12, 8, rng=0), "bn1": nn.Linear(8, 3, bias=False, rng=0)}
    )
    assert plan(model, rounds=1).sizes == {"bias_layer.weight": 96, "bn1.weight": 24}


def test_a_model_without_weights_to_prune_is_refused():
    with pytest.raises(InputError, match="no layer whose weights can be pruned"):
        plan(nn.Sequential(Norm(12)), rounds=1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rounds": 16}, "round 16 would remove nothing from output.weight"),
        ({"rounds": 1, "prune": 0.999}, "round 1 would remove all of fc1.weight"),
        ({"rounds": 40, "scope": "global"}, "would remove nothing from the network"),
        ({"one_shot": [0.01]}, "cannot be reached in one shot"),
        ({"one_shot": [0.9999]}, "round 1 would remove nothing from"),
        ({"one_shot": [0.036]}, "round 1 would remove all of"),
        ({"prune": "conv=0.1"}, "fc1.weight of the group 'fc', for which no fraction is given"),
    ],
)
def test_impossible_rounds_are_refused_by_name(changes, words):
    with pytest.raises(InputError, match=words):
        plan(**changes)
