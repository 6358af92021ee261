"""SparseLinear: what it computes and holds, and how other connections take the place of those that it has."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse

import tinyticket as tt
from tinyticket import nn
from tinyticket.errors import InputError

X = np.random.default_rng(0).standard_normal((4, 7)).astype(np.float32)


def test_it_computes_what_a_dense_layer_with_zeros_does():
    layer = nn.SparseLinear(7, 5, 0.4, rng=0)
    layer.bias.data[...] = np.arange(5)
    dense = nn.Linear(7, 5)
    dense.weight.data, dense.bias.data = layer.matrix().toarray(), layer.bias.data
    np.testing.assert_allclose(layer(X).data, dense(X).data, rtol=1e-5, atol=1e-6)
    assert layer(X).dtype == np.float32
    assert layer.weight.shape == (14,)


def test_its_state_is_the_weight_as_a_compressed_sparse_row_matrix():
    state = nn.SparseLinear(7, 5, 0.4, rng=0).state_dict()
    assert list(state) == ["weight", "bias", "starts", "columns"]
    weight = scipy.sparse.csr_array((state["weight"], state["columns"], state["starts"]), shape=(5, 7))
    other = nn.SparseLinear(7, 5, 14, rng=1)
    assert (other.matrix() != weight).nnz
    other.load_state_dict(state)
    assert not (other.matrix() != weight).nnz
    np.testing.assert_array_equal(other(X).data, nn.SparseLinear(7, 5, 0.4, rng=0)(X).data)


@pytest.mark.parametrize(
    "given",
    [
        np.eye(5, 7, dtype=bool),
        scipy.sparse.eye_array(5, 7),
        nn.Connections.from_edges(np.array([(i, i) for i in range(5)]), shape=(5, 7)),
    ],
)
def test_connections_are_a_mask_a_matrix_or_themselves(given):
    layer = nn.SparseLinear(7, 5, given, bias=False, rng=0)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    np.testing.assert_array_equal(layer.matrix().toarray() != 0, np.eye(5, 7))


@pytest.mark.parametrize("init", nn.init.INITIALISERS)
def test_weights_vary_by_the_fans_of_their_own_two_ends(init):
    mask = np.zeros((300, 400), bool)
    mask[:150], mask[150:, :20] = True, True  # outputs of 400 and of 20 inputs, inputs of 300 and of 150 outputs
    values = nn.SparseLinear(400, 300, mask, rng=0, init=init).matrix().toarray().astype(np.float64)
    for rows, columns, (fan_in, fan_out) in (
        (slice(150), slice(20), (400, 300)),
        (slice(150), slice(20, 400), (400, 150)),
        (slice(150, 300), slice(20), (20, 300)),
    ):
        expected = {"glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in, "signed": 2 / fan_in, "zeros": 0}
        assert values[rows, columns].var() == pytest.approx(expected[init.split("_")[0]], rel=0.1)


def test_new_weights_are_drawn_for_the_same_connections():
    layer = nn.SparseLinear(7, 5, 0.4, rng=0)
    before, graph = layer.weight.data.copy(), layer.connections
    layer.reset_parameters(1)
    assert (layer.weight.data != before).all()
    assert layer.connections is graph
    layer.reset_parameters(1)
    np.testing.assert_array_equal(layer.weight.data, nn.SparseLinear(7, 5, graph, rng=1).weight.data)


def test_a_mask_prunes_connections():
    layer = nn.SparseLinear(7, 5, 0.4, rng=0)
    layer.weight.mask = np.arange(14) % 2 == 0
    assert np.count_nonzero(layer.matrix().toarray()) == 7
    optimizer = tt.optim.Adam(layer.parameters(), 0.1, weight_decay=0.1)
    layer(X).sum().backward()
    optimizer.step()
    assert not layer.weight.data[1::2].any()


def test_copies_share_the_connections_and_not_the_weights():
    layer = nn.SparseLinear(7, 5, 0.4, rng=0)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), nn.build(nn.describe(layer))):
        assert twin.weight.shape == layer.weight.shape
        twin.load_state_dict(layer.state_dict())
        np.testing.assert_array_equal(twin(X).data, layer(X).data)
    twin = copy.deepcopy(layer)
    assert twin.columns.data is layer.columns.data
    twin.weight.data[...] = 0
    assert layer.weight.data.any()


def test_names_of_inputs_and_outputs_are_kept():
    layer = nn.SparseLinear(2, 1, nn.Connections.from_edges([("a", "z"), ("b", "z")]), rng=0)
    twin = nn.build(nn.describe(layer))
    assert twin.connections.input_names == ("a", "b")
    assert twin.connections.output_names == ("z",)


def test_another_graph_of_as_many_connections_takes_its_place():
    layer, other = nn.SparseLinear(7, 5, 0.4, rng=0), nn.Connections.random(7, 5, 14, 9)
    layer.connections = other
    assert layer.connections is other
    np.testing.assert_array_equal(layer.matrix().toarray() != 0, other.matrix(np.ones(14)).toarray() != 0)
    with pytest.raises(InputError, match="cannot take the place"):
        layer.connections = nn.Connections.random(7, 5, 13, 9)


def test_a_damaged_state_is_refused_before_anything_is_computed():
    layer = nn.SparseLinear(7, 5, 0.4, rng=0)
    layer.load_state_dict({**layer.state_dict(), "columns": np.full(14, 7, np.int32)})
    with pytest.raises(InputError, match="0 to 6"):
        layer(X)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (0.0, "above 0"),
        (True, "density, a number"),
        ("0.5", "density, a number"),
        (np.ones((7, 5), bool), "of 5 inputs with 7 outputs"),
    ],
)
def test_what_are_no_connections_of_the_layer_is_refused(given, words):
    with pytest.raises(InputError, match=words):
        nn.SparseLinear(7, 5, given, rng=0)


def test_nothing_of_all_pairs_is_made():
    """A layer of 10^10 pairs, of which a dense array of bits would take 1.25 GB."""
    rng, x = np.random.default_rng(0), np.ones((2, 100_000), np.float32)
    tracemalloc.start()
    layer = nn.SparseLinear(100_000, 100_000, 100_000, rng=rng)
    optimizer = tt.optim.Adam(layer.parameters(), 0.1)
    layer(x).sum().backward()
    optimizer.step()
    layer.reset_parameters(1)
    layer.state_dict()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 25e6
