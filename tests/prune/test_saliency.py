"""Scores at initialisation from arrays: the formulas, loop by loop."""

import numpy as np
import pytest

from tinyticket import prune
from tinyticket.errors import InputError
from tinyticket.prune import grasp, grasp_scores, snip, snip_scores, synflow_scores

RNG = np.random.default_rng(0)
WEIGHTS = {"a": RNG.standard_normal((4, 3)), "b": RNG.standard_normal((2, 3, 2, 2))}
OTHERS = {name: RNG.standard_normal(weight.shape) for name, weight in WEIGHTS.items()}


def products():
    return {name: [w * g for w, g in zip(WEIGHTS[name].flat, OTHERS[name].flat, strict=True)] for name in WEIGHTS}


def test_snip_is_the_normalised_product_and_sums_to_one():
    total = sum(abs(product) for layer in products().values() for product in layer)
    scores = snip_scores(WEIGHTS, OTHERS)
    for name, layer in products().items():
        np.testing.assert_allclose(scores[name].ravel(), [abs(product) / total for product in layer], rtol=1e-14)
    assert sum(score.sum() for score in scores.values()) == pytest.approx(1)


def test_normalising_changes_no_mask():
    plain = {name: np.abs(WEIGHTS[name] * OTHERS[name]) for name in WEIGHTS}
    expected = prune.keep_density(plain, 0.3)
    for name, mask in snip(WEIGHTS, OTHERS, 0.3).items():
        np.testing.assert_array_equal(mask, expected[name])


def test_grasp_keeps_the_sign_and_synflow_does_not():
    for name, layer in products().items():
        np.testing.assert_allclose(grasp_scores(WEIGHTS, OTHERS)[name].ravel(), layer, rtol=1e-14)
        np.testing.assert_allclose(synflow_scores(WEIGHTS, OTHERS)[name].ravel(), np.abs(layer), rtol=1e-14)


def test_grasp_removes_what_its_paper_scores_highest():
    papers = np.concatenate([-np.array(layer) for layer in products().values()])
    kept = np.concatenate([mask.ravel() for mask in grasp(WEIGHTS, OTHERS, 0.5).values()])
    assert papers[kept].max() < papers[~kept].min()


@pytest.mark.parametrize("allocation", ["global", "uniform", "erk"])
@pytest.mark.parametrize("prune_to", [snip, grasp])
def test_densities_are_met_under_every_allocation(prune_to, allocation):
    masks = prune_to(WEIGHTS, OTHERS, 0.5, allocation=allocation)
    assert abs(sum(mask.sum() for mask in masks.values()) - 18) <= (0 if allocation == "global" else 1)


def test_small_float32_numbers_do_not_vanish():
    tiny = {"a": np.array([1e-30, 2e-30, 3e-30], np.float32)}
    scores = snip_scores(tiny, tiny)["a"]
    np.testing.assert_allclose(scores, np.array([1, 4, 9]) / 14, rtol=1e-6)


def test_without_any_gradient_all_scores_are_zero():
    assert (snip_scores(WEIGHTS, {name: np.zeros_like(w) for name, w in WEIGHTS.items()})["a"] == 0).all()


def test_names_and_shapes_must_agree():
    with pytest.raises(InputError, match=r"derivatives are given for \['a'\], but the weights are \['a', 'b'\]"):
        snip_scores(WEIGHTS, {"a": OTHERS["a"]})
    with pytest.raises(InputError, match=r"a has shape \(4, 3\), its derivative \(3,\)"):
        grasp_scores({"a": WEIGHTS["a"]}, {"a": np.ones(3)})
