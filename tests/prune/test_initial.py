"""Pruning at initialisation, from a model to masks."""

import math

import numpy as np
import pytest

from tests.prune.networks import batch, convnet, mlp, torch_forward
from tinyticket import nn, prune
from tinyticket.errors import InputError
from tinyticket.prune import METHODS, collapsed, prune_at_init

MLP = (6, 20, 15, 4)


def left(masks):
    return sum(int(mask.sum()) for mask in masks.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("density", [0.9, 0.37, 0.1])
def test_the_density_is_met_to_the_weight(method, density):
    model, data = convnet(), batch((2, 8, 8))
    size = sum(weight.size for weight in model.prunable().values())
    masks = prune_at_init(method, model, density, data=data, rng=0)
    assert left(masks) == math.floor(density * size + 0.5)
    assert {name: mask.shape for name, mask in masks.items()} == {n: w.shape for n, w in model.prunable().items()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("allocation", ["uniform", "erk"])
def test_layers_meet_what_is_allocated_to_them(method, allocation):
    model = mlp(sizes=MLP)
    shapes = {name: weight.shape for name, weight in model.prunable().items()}
    masks = prune_at_init(method, model, 0.3, data=batch((6,)), allocation=allocation, rng=0)
    for name, share in prune.allocate(shapes, 0.3, allocation).items():
        assert masks[name].sum() == math.floor(share * masks[name].size + 0.5)


@pytest.mark.parametrize("method", METHODS)
def test_the_model_stays_as_it_was_and_the_same_call_gives_the_same_masks(method):
    model, data = convnet(), batch((2, 8, 8))
    before = {name: value.tobytes() for name, value in model.state_dict().items()}
    first, second = (prune_at_init(method, model, 0.2, data=data, rng=3) for _ in range(2))
    assert {name: value.tobytes() for name, value in model.state_dict().items()} == before
    assert all(weight.mask is None and weight.grad is None for weight in model.prunable().values())
    for name, mask in first.items():
        np.testing.assert_array_equal(mask, second[name])


def test_snip_is_its_formula(torch):
    model, (x, y) = convnet(), batch((2, 8, 8))
    tensors = {n: torch.tensor(p.data.astype(np.float64), requires_grad=True) for n, p in model.named_parameters()}
    logits = torch_forward(model, torch)(tensors, torch.tensor(x.astype(np.float64)))
    torch.nn.functional.cross_entropy(logits, torch.tensor(y)).backward()
    scores = {name: (tensors[name] * tensors[name].grad).abs().detach().numpy() for name in model.prunable()}
    threshold = np.sort(np.concatenate([score.ravel() for score in scores.values()]))[-left_of(model, 0.1)]
    for name, mask in prune_at_init("snip", model, 0.1, data=(x, y)).items():
        np.testing.assert_array_equal(mask, scores[name] >= threshold)


def left_of(model, density):
    return math.floor(density * sum(weight.size for weight in model.prunable().values()) + 0.5)


def test_synflow_is_its_algorithm():
    """Algorithm 1 for a network without biases, written out with matrices: flow forward, flow backward, threshold, 100 times."""
    model, density = mlp(sizes=MLP), 0.08
    weights = [np.abs(weight.data.astype(np.float64)) for weight in model.prunable().values()]
    masks = [np.ones(weight.shape, bool) for weight in weights]
    size = sum(weight.size for weight in weights)
    for t in range(1, 101):
        flows = [np.ones(6)]
        for weight, mask in zip(weights, masks, strict=True):
            flows.append((weight * mask) @ flows[-1])
        back, scores = np.ones(4), []
        for i in (2, 1, 0):
            scores.insert(0, back[:, None] * (weights[i] * masks[i]) * flows[i][None, :])
            back = (weights[i] * masks[i]).T @ back
        together = np.concatenate([score.ravel() for score in scores])
        threshold = np.sort(together)[-math.floor(density ** (t / 100) * size + 0.5)]
        masks = [mask & (score >= threshold) for mask, score in zip(masks, scores, strict=True)]
    found = list(prune_at_init("synflow", model, density).values())
    assert sum(mask.sum() for mask in masks) == left_of(model, density)
    for mask, mine in zip(masks, found, strict=True):
        np.testing.assert_array_equal(mask, mine)


def test_naive_methods_lose_a_layer_where_synflow_does_not():
    """Layer collapse: weights of wide layers look small beside those of narrow ones, so a wide layer goes as a whole."""
    model, data = mlp(sizes=(20, 200, 200, 20, 20, 4)), batch((20,), n=50)
    density = 30 / sum(weight.size for weight in model.prunable().values())
    kept = {method: prune_at_init(method, model, density, data=data, rng=0) for method in METHODS}
    for method in ("snip", "grasp", "magnitude"):
        assert "fc2.weight" in collapsed(kept[method])
    assert collapsed(kept["random"]) == ["output.weight"]  # by chance, the smallest layer goes first
    assert collapsed(kept["synflow"]) == []
    assert collapsed(prune_at_init("synflow", model, density, rounds=1))  # it is the iteration that avoids it
    assert collapsed(prune_at_init("snip", model, density, data=data, rounds=100)) == []  # for SNIP too


def test_synflow_leaves_a_way_from_the_input_to_the_output_at_the_lowest_densities():
    model = mlp(sizes=(20, 50, 50, 4))
    masks = prune_at_init("synflow", model, 4 / sum(weight.size for weight in model.prunable().values()))
    reached = np.ones(20, bool)
    for mask in masks.values():
        reached = mask[:, reached].any(axis=1)
    assert reached.any()


def test_synflow_looks_at_no_data_and_needs_only_a_shape():
    assert_equal(
        prune_at_init("synflow", convnet(), 0.2, input_shape=(2, 8, 8)),
        prune_at_init("synflow", convnet(), 0.2, data=batch((2, 8, 8))),
    )
    assert_equal(prune_at_init("synflow", mlp(), 0.2), prune_at_init("synflow", mlp(), 0.2, input_shape=(1, 2, 3)))


def assert_equal(a, b):
    assert list(a) == list(b)
    for name, mask in a.items():
        np.testing.assert_array_equal(mask, b[name])


def test_magnitude_and_random_are_what_they_say():
    model = mlp(sizes=MLP)
    weights = {name: weight.data for name, weight in model.prunable().items()}
    assert_equal(prune_at_init("magnitude", model, 0.25), prune.magnitude(weights, fraction=0.75, scope="global"))
    first, other = (prune_at_init("random", model, 0.25, rng=seed) for seed in (0, 1))
    assert prune.hamming_distance(first, other) > 0.2


def test_inverted_scores_keep_what_the_others_remove():
    model, data = mlp(sizes=MLP), batch((6,))
    straight, inverted = (prune_at_init("grasp", model, 0.5, data=data, invert=invert) for invert in (False, True))
    assert prune.overlap(straight, inverted) == 0


def test_rounds_prune_step_by_step():
    model, data = mlp(sizes=MLP), batch((6,))
    once, often = (prune_at_init("snip", model, 0.1, data=data, rounds=rounds) for rounds in (1, 20))
    assert left(once) == left(often)
    assert 0 < prune.overlap(once, often) < 1


def test_what_the_models_masks_prune_stays_pruned():
    model = mlp(sizes=MLP)
    before = prune_at_init("random", model, 0.5, rng=0)
    for name, weight in model.prunable().items():
        weight.mask = before[name]
    for method in METHODS:
        for name, mask in prune_at_init(method, model, 0.2, data=batch((6,)), rng=1).items():
            assert not (mask & ~before[name]).any()


def test_float64_models_and_models_with_branches_will_do():
    block = nn.Sequential(nn.Linear(6, 6, rng=0), nn.Tanh())
    model = nn.Sequential(nn.Residual(block), nn.Linear(6, 4, rng=1)).astype(np.float64)
    for method in METHODS:
        assert left(prune_at_init(method, model, 0.5, data=batch((6,)), rng=0)) == 30


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("snipp", 0.1), "no method prunes at initialisation by the name 'snipp' .did you mean 'snip'"),
        (("snip", 0.1), r"snip scores weights by a batch of examples: give data=\(x, y\)"),
        (("grasp", 0.1), "grasp scores weights by a batch"),
        (("random", 0.1), "need rng"),
        (("magnitude", 0), "above 0 and at most 1; got 0"),
        (("magnitude", 0.0001), "would keep none of the 1[0-9]* weights of the network"),
    ],
)
def test_what_is_missing_is_asked_for(arguments, words):
    with pytest.raises(InputError, match=words):
        prune_at_init(arguments[0], mlp(), arguments[1])


def test_so_are_rounds_weights_and_shapes():
    with pytest.raises(InputError, match="at least 1 round, not 0"):
        prune_at_init("synflow", mlp(), 0.1, rounds=0)
    for data in (np.ones((12, 6)), (np.ones((12, 6)), np.ones(11, int)), (np.ones((12, 6)),)):
        with pytest.raises(InputError, match=r"data is one batch, \(x, y\)"):
            prune_at_init("snip", mlp(), 0.1, data=data)
    with pytest.raises(InputError, match="give input_shape="):
        prune_at_init("synflow", convnet(), 0.1)
    with pytest.raises(InputError, match="no weights that could be pruned"):
        prune_at_init("magnitude", nn.Sequential(nn.ReLU()), 0.1)
