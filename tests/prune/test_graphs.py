"""Graphs that sparse networks start from: their sizes, and what makes each the graph it is named after."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyticket.errors import InputError
from tinyticket.prune import GRAPHS, check_graph, graph_masks, random_masks

NAMES = ("small-world:0", "small-world:0.3", "small-world:1", "scale-free", "receptive-field:0", "receptive-field:0.4")


def graph(name, shape, density, seed=0, inputs=None):
    return graph_masks({"a": shape}, {"a": density}, name, seed, inputs)["a"]


def ring_distance(shape):
    """Return how far neurons and inputs lie apart on a ring, one by one."""
    apart = np.empty(shape)
    for u, v in np.ndindex(shape):
        step = abs(u / shape[0] - v / shape[1])
        apart[u, v] = min(step, 1 - step)
    return apart


@given(st.sampled_from(NAMES), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.floats(0.02, 1), st.integers(0, 99))
def test_every_graph_has_its_number_of_links(name, shape, density, seed):
    size = shape[0] * shape[1]
    if int(density * size + 0.5) == 0:
        with pytest.raises(InputError, match="would keep none"):
            graph(name, shape, density, seed)
        return
    links = graph(name, shape, density, seed)
    assert links.dtype == bool
    assert links.shape == shape
    assert links.sum() == int(density * size + 0.5)
    np.testing.assert_array_equal(links, graph(name, shape, density, seed))


def test_random_is_what_networks_have_always_started_from():
    shapes, densities = {"a": (5, 7), "b": (4, 2, 3, 3)}, {"a": 0.3, "b": 0.5}
    masks, before = graph_masks(shapes, densities, "random", 3), random_masks(shapes, densities, 3)
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, before[name])


@pytest.mark.parametrize("shape", [(40, 40), (20, 60), (60, 20)])
def test_a_small_world_that_is_not_rewired_has_the_nearest_links(shape):
    links, apart = graph("small-world:0", shape, 0.1), ring_distance(shape)
    assert apart[links].max() <= apart[~links].min() + 1e-12
    for axis in (0, 1):
        degrees = links.sum(axis=axis)
        assert degrees.max() - degrees.min() <= 3


def test_rewiring_puts_a_share_of_the_links_anywhere():
    shape, apart = (100, 100), ring_distance((100, 100))
    far = [graph(f"small-world:{rewiring}", shape, 0.05)[apart > 0.05].sum() / 500 for rewiring in (0, 0.3, 0.6, 1)]
    assert far == pytest.approx([0, 0.27, 0.54, 0.9], abs=0.05)


@pytest.mark.parametrize("shape", [(30, 90), (90, 30)])
def test_receptive_fields_fall_off_by_a_power_of_the_distance(shape):
    steps = np.floor(ring_distance(shape) * max(shape))
    trials = [graph("receptive-field:0.5", shape, 0.02, seed) for seed in range(300)]
    drawn = sum(trials)
    assert all({*links.sum(axis=int(shape[0] < shape[1]))} == {1, 2} for links in trials)  # of the smaller side
    nearest, tenth = (drawn[steps == distance].mean() for distance in (0, 9))
    assert nearest / tenth == pytest.approx(10, rel=0.35)  # (1 + 9)**(1 / 0.5 - 1); what was drawn is not drawn again


def test_scale_free_graphs_have_hubs_and_no_node_without_links():
    hubs = {name: graph(name, (200, 300), 0.02).sum(axis=1) for name in ("scale-free", "random")}
    assert hubs["scale-free"].max() > 3 * hubs["random"].max()
    assert hubs["scale-free"].min() > 0
    assert (np.argsort(hubs["scale-free"])[-5:] > 20).any()  # which are anywhere


def test_correlated_links_are_between_the_pixels_that_correlate_most():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(400, 3))
    pixels = np.stack(
        [base[:, 0], base[:, 0] + 0.1 * base[:, 1], -base[:, 2], base[:, 2] + 2 * base[:, 1], 0 * base[:, 0]], 1
    )
    links = graph("correlated", (5, 10), 8 / 50, inputs=pixels.reshape(400, 5, 1))
    correlations = np.abs(np.corrcoef(pixels[:, :4].T))
    np.fill_diagonal(correlations, 0)
    np.testing.assert_array_equal(np.argwhere(links[:, :5]), [(0, 1), (1, 0), (2, 3), (3, 2)])
    assert correlations[0, 1] > correlations[2, 3] > correlations[1, 3]
    np.testing.assert_array_equal(links[:, 5:], links[:, :5])  # inputs 5 to 9 stand for pixels 0 to 4 again


def test_correlations_that_differ_by_rounding_are_equal():
    pixels = np.random.default_rng(1).normal(size=(300, 6)).astype(np.float32)
    turned = pixels[::-1] * np.float32(3)  # sums in another order
    for seed in range(3):
        first, second = (graph("correlated", (6, 6), 0.5, seed, x) for x in (pixels, turned))
        np.testing.assert_array_equal(first, second)


def test_layers_of_density_1_and_convolutions():
    masks = graph_masks({"a": (4, 3, 3, 3), "b": (7, 5)}, {"a": 0.25, "b": 1.0}, "small-world:0.2", 0)
    assert masks["a"].shape == (4, 3, 3, 3)
    assert masks["a"].sum() == 27
    assert masks["b"].all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("smal-world:0.2", "no graph is called 'smal-world'.*did you mean 'small-world'"),
        ("small-world", "small-world wants a number from 0 to 1, such as small-world:0.25"),
        ("small-world:1.5", "wants a number from 0 to 1, such as small-world:0.25, not '1.5'"),
        ("receptive-field:nan", "not 'nan'"),
        ("receptive-field:", "not ''"),
        ("scale-free:2", "scale-free has no number"),
        (None, "no graph is called 'None'"),
    ],
)
def test_what_is_no_graph_is_refused(name, words):
    with pytest.raises(InputError, match=words):
        check_graph(name)


def test_names_are_read_and_written_one_way():
    assert check_graph("small-world:.250") == "small-world:0.25"
    assert [check_graph(name) for name in ("random", "scale-free", "correlated")] == [
        "random",
        "scale-free",
        "correlated",
    ]
    assert set(GRAPHS) == {name.partition(":")[0] for name in (*NAMES, "random", "correlated")}


def test_the_correlated_graph_says_what_it_lacks():
    with pytest.raises(InputError, match="asks for training examples, in a dense array"):
        graph("correlated", (4, 4), 0.5)
    with pytest.raises(InputError, match="once or several times as many as the 4 pixels, not 4 x 6"):
        graph("correlated", (4, 6), 0.5, inputs=np.ones((9, 4)))


def test_pixels_may_be_bytes():
    pixels = np.random.default_rng(2).integers(0, 256, (200, 4), dtype=np.uint8)
    pixels[:, 3] = 255 - pixels[:, 0]
    assert np.argwhere(graph("correlated", (4, 4), 2 / 16, inputs=pixels)).tolist() == [[0, 3], [3, 0]]
