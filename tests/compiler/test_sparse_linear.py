"""Layers of some connections in compiled steps: they agree with eager ones, under masks and with other connections."""

import tracemalloc

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.compiling import nothing_compiled
from tests.compiler.networks import OPTIMIZERS, state
from tinyticket import nn, prune
from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.errors import InputError
from tinyticket.sparse import blocks, pattern

X, Y = np.random.default_rng(1).standard_normal((100, 50), dtype=np.float32), np.arange(100) % 5


def network(rng=0):
    rng = np.random.default_rng(rng)
    return nn.Sequential(
        {
            "fc1": nn.SparseLinear(50, 40, 0.1, rng=rng),
            "relu1": nn.ReLU(),
            "fc2": nn.SparseLinear(40, 30, 0.2, rng=rng, bias=False),
            "relu2": nn.ReLU(),
            "output": nn.Linear(30, 5, rng=rng),
        }
    )


def steps(model, make, eager=False, batch_size=100, **options):
    optimizer = OPTIMIZERS[make](model.parameters())
    if eager:
        return EagerStep(model, optimizer)
    return tt.compile(model, optimizer=optimizer, batch_size=batch_size, **options)


@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [100, 10, 8, 3, 2, 1])
def test_steps_agree_with_eager_ones_under_masks_and_with_other_connections(make, batch_size):
    pair, found, (x, y) = [network(), network()], [], (X[:batch_size], Y[:batch_size])
    both = [steps(pair[0], make, batch_size=batch_size, turns="batch"), steps(pair[1], make, eager=True)]
    assert isinstance(both[0], CompiledStep)
    assert {*both[0].plan()["kernels"].values()} == {"sparse", "dense"}
    for model, step in zip(pair, both, strict=True):
        losses = [step(x, y) for _ in range(3)]
        model.fc2.weight.mask = np.arange(model.fc2.weight.size) % 3 > 0
        fewer = max(1, batch_size * 7 // 10)
        losses += [step(x[:fewer], y[:fewer]) for _ in range(3)]
        model.fc1.connections = nn.Connections.random(50, 40, model.fc1.weight.size, 9)
        losses += [step(x, y) for _ in range(3)]
        found.append((losses, model.state_dict(), step.evaluate((X, Y)), step.predict(X)))
    (losses, state, score, logits), expected = found
    np.testing.assert_allclose(losses, expected[0], rtol=1e-5)
    for name, value in state.items():
        np.testing.assert_allclose(value, expected[1][name], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(score, expected[2], rtol=1e-5)
    np.testing.assert_allclose(logits, expected[3], rtol=1e-4, atol=1e-5)
    assert not state["fc2.weight"][::3].any()


@pytest.mark.parametrize(("turns", "batch_size"), [("batch", 100), ("tiles", 100), ("batch", 4)])
def test_threads_change_no_bit(turns, batch_size, monkeypatch):
    monkeypatch.setattr(blocks, "FEW", 100)
    states = []
    for threads in (1, 2):
        model = network()
        step = steps(model, "adam", threads=threads, turns=turns, batch_size=batch_size)
        step.run((X, Y), np.arange(100).reshape(-1, batch_size))
        step.change_connections(moves_of(step, np.random.default_rng(0)))
        step.run((X, Y), np.arange(100).reshape(-1, batch_size))
        states.append(model.state_dict())
    for name, value in states[0].items():
        assert value.tobytes() == states[1][name].tobytes()


@pytest.mark.parametrize("turns", ["batch", "tiles"])
def test_survivors_that_lie_block_after_block_change_no_bit(turns, monkeypatch):
    states = []
    for cache in (pattern.LARGE_CACHE, 2048):
        monkeypatch.setattr(pattern, "LARGE_CACHE", cache)
        monkeypatch.setattr(pattern, "WORTHWHILE_FAR", 1)
        model = network()
        model.fc2.weight.mask = np.arange(model.fc2.weight.size) % 5 > 0
        step = steps(model, "adam", threads=2, turns=turns)
        step.run((X, Y), np.arange(100).reshape(-1, 100))
        step.change_connections(
            {"fc1.weight": prune.set_move(model.fc1.connections, step.weights()["fc1.weight"], 0.3, 0)}
        )
        step.run((X, Y), np.arange(100).reshape(-1, 100))
        layers = step._program._layout.weights
        assert [each.rows.stride for each in layers.values() if each.pattern] == ([1, 1] if cache > 2048 else [40, 30])
        states.append({**model.state_dict(), "logits": step.predict(X)})
    for name, value in states[0].items():
        assert value.tobytes() == states[1][name].tobytes(), name


def test_layers_of_few_samples_meet_other_operations_and_penalties():
    """Activations between them that are no ReLU, dense layers before and behind, and an L1 penalty of a bias."""
    found, (x, y) = [], (X[:2], Y[:2])
    for eager in (False, True):
        rng = np.random.default_rng(0)
        model = nn.Sequential(
            nn.Linear(50, 20, rng=rng), nn.ReLU(), nn.SparseLinear(20, 30, 0.3, rng=rng), nn.Tanh(),
            nn.SparseLinear(30, 20, 0.3, rng=rng), nn.SReLU(20, rng), nn.SparseLinear(20, 20, 0.3, rng=rng), nn.ReLU(),
            nn.Linear(20, 5, rng=rng),
        )  # fmt: skip
        step = steps(model, "momentum", eager=eager, batch_size=2)
        step.optimizer.penalise([dict(model.named_parameters())["4.bias"]], 0.01)
        found.append(([step(x, y) for _ in range(5)], model.state_dict()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    for name, value in found[0][1].items():
        np.testing.assert_allclose(value, found[1][1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [100, 4])
def test_arrays_that_take_the_place_of_connections_are_seen_at_once(batch_size):
    model = network()
    step = steps(model, "sgd", batch_size=batch_size)
    step(X[:batch_size], Y[:batch_size])
    other = nn.Connections.random(50, 40, model.fc1.weight.size, 9)
    model.fc1.starts.data, model.fc1.columns.data = other.starts, other.columns
    np.testing.assert_allclose(step.predict(X), EagerStep(model, None).predict(X), rtol=1e-4, atol=1e-5)


def test_connections_that_are_equal_make_nothing_anew():
    model = network()
    step = steps(model, "momentum")
    step(X, Y)
    program, state = step._program, model.state_dict()
    state["fc1.columns"] = state["fc1.columns"].copy()
    model.load_state_dict(state)
    step(X, Y)
    assert step._program is program


def test_images_may_come_before_and_gradients_of_all_connections_are_to_be_had():
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, rng=rng), nn.ReLU(), nn.Flatten(), nn.SparseLinear(4 * 36, 5, 0.1, rng=rng)
    )
    weight = model.prunable()["3.weight"]
    weight.mask = np.arange(weight.size) % 2 > 0
    step, x = steps(model, "sgd"), rng.standard_normal((10, 1, 8, 8), dtype=np.float32)
    y = np.arange(10) % 5
    loss = step(x, y)
    expected = EagerStep(model, OPTIMIZERS["sgd"](model.parameters()))
    for before, (found, gradients) in ((loss, step.backward(x, y)), (loss, expected.backward(x, y))):
        assert found < before
        assert gradients["3.weight"].shape == weight.shape
        assert gradients["3.weight"][::2].any(), "of pruned connections too"


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="some connections alone"):
        steps(network(), "sgd", kernels={"fc1.weight": "dense"})


def test_no_array_of_all_pairs_is_made():
    model = nn.Sequential(
        nn.SparseLinear(50, 60_000, 60_000, rng=0), nn.ReLU(), nn.SparseLinear(60_000, 60_000, 60_000, rng=1),
        nn.ReLU(), nn.SparseLinear(60_000, 5, 60_000, rng=2),
    )  # fmt: skip
    step = tt.compile(model, optimizer=tt.optim.SGD(model.parameters(), 0.1), batch_size=4)
    tracemalloc.start()
    step(X[:4], Y[:4])
    weights, layers = step.weights(), nn.sparse_layers(model)
    step.change_connections(
        {name: prune.set_move(each.connections, weights[name], 0.3, 0) for name, each in layers.items()}
    )
    step(X[:4], Y[:4])
    model.state_dict()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60e6, "a bit for each pair would be 450 MB"


# -- connections that move


def moves_of(step, rng):
    """Move 30% of the connections of every layer: by SET in the first, by gradients of candidates in the second."""
    weights, layers = step.weights(), nn.sparse_layers(step.model)
    candidates = {"fc2.weight": prune.candidates(layers["fc2.weight"].connections, 5, rng)}
    gradients = step.gradients(X[:2], Y[:2], candidates)
    found = {"fc1.weight": prune.set_move(layers["fc1.weight"].connections, weights["fc1.weight"], 0.3, rng)}
    given = candidates["fc2.weight"], gradients["fc2.weight"]
    found["fc2.weight"] = prune.rigl_move(layers["fc2.weight"].connections, weights["fc2.weight"], 0.3, *given)
    return found


@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize(("batch_size", "masked"), [(100, False), (100, True), (2, False), (2, True)])
def test_moves_in_place_are_those_of_eager_steps_and_of_programs_made_anew(make, batch_size, masked):
    results, moves, (x, y) = [], [], (X[:batch_size], Y[:batch_size])
    for kind in ("place", "parameters", "anew", "eager"):
        model = network()
        if masked:
            model.fc1.weight.mask = np.ones(model.fc1.weight.size, bool)
        step, losses = steps(model, make, eager=kind == "eager", batch_size=batch_size), []
        for update in range(2):
            losses += [step(x, y) for _ in range(3)]
            if kind == "place":
                moves.append(moves_of(step, np.random.default_rng(update)))
            losses.append(step(x, y))  # values are in the arena again
            if kind == "parameters":
                step.fetch()
            step.change_connections(moves[update])
            if kind == "anew":
                step.fetch()
                step._program = None
        losses += [step(x, y) for _ in range(3)]
        results.append((losses, state(step), step.predict(X), model.state_dict()))
    place, others = results[0], results[1:]
    for losses, arrays, logits, _ in others[:2]:  # the same kernels: the same bits
        assert losses == place[0]
        for name, several in arrays.items():
            assert [array.tobytes() for array in several] == [array.tobytes() for array in place[1][name]]
        assert logits.tobytes() == place[2].tobytes()
    for losses, _, logits, structure in others:
        np.testing.assert_allclose(losses, place[0], rtol=1e-4)
        np.testing.assert_allclose(logits, place[2], rtol=1e-3, atol=1e-4)
        for name in ("fc1.starts", "fc1.columns", "fc2.columns"):
            np.testing.assert_array_equal(structure[name], place[3][name])


@pytest.mark.parametrize(("batch_size", "kind"), [(100, np.int32), (100, np.int64), (2, np.int32), (2, np.int64)])
def test_a_move_takes_values_and_slots_along_and_fetches_and_compiles_nothing(batch_size, kind, monkeypatch):
    model, (x, y) = network(), (X[:batch_size], Y[:batch_size])
    step = steps(model, "adam", batch_size=batch_size)
    step(x, y)
    step.change_connections(moves_of(step, np.random.default_rng(0)))
    step(x, y)
    before, values = step._program, step.weights()["fc1.weight"]
    move = prune.set_move(model.fc1.connections, values, 0.4, 1)
    with monkeypatch.context() as patch, nothing_compiled():
        patch.setattr(step, "fetch", lambda: pytest.fail("the step's values were fetched"))
        step.change_connections({"fc1.weight": move._replace(origins=move.origins.astype(kind))})
        found = step.weights()["fc1.weight"]
        assert model.fc1.connections is move.connections
        loss = step(x, y)
    assert step._program is before
    assert found.tobytes() == move.take(values).tobytes()
    assert not found[move.origins < 0].view(np.uint32).any()
    assert np.isfinite(loss)


@pytest.mark.parametrize("batch_size", [1, 2, 60])
def test_steps_that_only_predict_see_other_connections(batch_size):
    model = network()
    step, before = tt.compile(model, batch_size=batch_size), model.fc1.connections
    step.predict(X[:batch_size])
    trains = steps(model, "sgd")
    trains.change_connections({"fc1.weight": prune.set_move(before, model.fc1.weight.data, 0.5, rng=7)})
    trains(X, Y)
    assert model.fc1.connections != before
    with tt.no_grad():
        expected = model(tt.Tensor(X[:batch_size])).data
    np.testing.assert_allclose(step.predict(X[:batch_size]), expected, rtol=1e-4, atol=1e-5)


def test_how_few_samples_connections_are_cut_changes_no_bit(monkeypatch):
    monkeypatch.setattr(blocks, "FEW", 100)
    states = []
    for anew in (False, True):
        model = network()
        step = steps(model, "momentum", batch_size=2)
        step(X[:2], Y[:2])
        move = prune.set_move(model.fc1.connections, step.weights()["fc1.weight"], 0.3, 1)
        if anew:
            step.fetch()
            step._program = None
        else:
            monkeypatch.setattr(blocks, "LARGEST", 1)  # cut anew, each column would be a block, each row a tile
        step.change_connections({"fc1.weight": move})
        step(X[:2], Y[:2])
        monkeypatch.setattr(blocks, "LARGEST", 1 << 16)
        states.append(state(step))
    for name, arrays in states[0].items():
        assert [array.tobytes() for array in arrays] == [array.tobytes() for array in states[1][name]]


def test_gradients_of_candidates_are_those_of_the_dense_layer():
    model = network()
    step = steps(model, "sgd")
    step(X, Y)
    candidates = {"fc2.weight": prune.candidates(model.fc2.connections, 9, 0)}
    loss, gradients = step.backward(X, Y, candidates)
    dense = nn.Sequential({"fc1": nn.SparseLinear(50, 40, model.fc1.connections), "relu1": nn.ReLU(),
                           "fc2": nn.Linear(40, 30, bias=False), "relu2": nn.ReLU(), "output": nn.Linear(30, 5)})  # fmt: skip
    given = {name: value for name, value in model.state_dict().items() if name not in ("fc2.starts", "fc2.columns")}
    dense.load_state_dict({**given, "fc2.weight": model.fc2.matrix().toarray()})
    expected, all_pairs = EagerStep(dense, OPTIMIZERS["sgd"](dense.parameters())).backward(X, Y)
    assert loss == pytest.approx(expected)
    places = candidates["fc2.weight"]
    found = all_pairs["fc2.weight"][places.rows(), places.columns]
    np.testing.assert_allclose(gradients["fc2.weight"], found, rtol=1e-3, atol=1e-6)
    assert step.backward(X, Y)[0] == loss, "candidates are gone"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: {"fc3.weight": m}, "no layer of connections has a weight called 'fc3.weight'"),
        (lambda m: {"fc2.weight": m}, "cannot take the place of"),
        (lambda m: {"fc1.weight": m._replace(origins=m.origins[1:])}, "cannot take the place of"),
        (lambda m: {"fc1.weight": m._replace(origins=m.origins + 1)}, "from 0 to 199, or -1"),
    ],
)
def test_moves_that_do_not_fit_are_refused(change, words):
    model = network()
    step, move = steps(model, "sgd"), prune.set_move(model.fc1.connections, model.fc1.weight.data, 0.3, 0)
    with pytest.raises(InputError, match=words):
        step.change_connections(change(move))
    step(X, Y)
    with pytest.raises(InputError, match=words):
        step.change_connections(change(move))


def test_pruned_connections_do_not_move():
    model = network()
    step, move = steps(model, "sgd"), prune.set_move(model.fc1.connections, model.fc1.weight.data, 0.3, 0)
    model.fc1.weight.mask = np.arange(model.fc1.weight.size) > 0
    with pytest.raises(InputError, match="its mask has pruned some"):
        step.change_connections({"fc1.weight": move})
