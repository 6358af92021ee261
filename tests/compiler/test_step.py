"""What may happen to a compiled network between two steps, and what no number of threads may change."""

import copy
import json

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.compiling import nothing_compiled
from tests.compiler.networks import (
    CLASSES,
    OPTIMIZERS,
    assert_equal_bits,
    assert_equal_to_rounding,
    compiled,
    examples,
    masked,
    mlp,
    network,
    twins,
)
from tinyticket.compiler import EagerStep
from tinyticket.data import Augmentation, Pixels, augment
from tinyticket.errors import InputError
from tinyticket.nn import (
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    functional,
)
from tinyticket.optim import SGD

SHAPE = (3, 8, 8)
DATA = examples(SHAPE)


def features(density=None, seed=0):
    model = mlp(192, 30, 16, CLASSES, seed=seed, flatten=True)
    return model if density is None else masked(model, density)


def images(density=None, seed=0):
    model = network(("conv3", "norm relu", "residual", "max"), "linear", SHAPE, seed)
    return model if density is None else masked(model, density)


def dropping(density=None, seed=0):
    model = network(("conv3", "norm relu", "max", "dropout"), "layers", SHAPE, seed)
    return model if density is None else masked(model, density)


KINDS = pytest.mark.parametrize("make", [features, images, dropping])
PLAIN = pytest.mark.parametrize("make", [features, images])  # nothing is drawn


def train(step, steps=3, size=16):
    return [step(DATA, np.arange(i * size, (i + 1) * size)) for i in range(steps)]


def bits(model):
    return [value.tobytes() for value in model.state_dict().values()]


@pytest.mark.parametrize("kernels", ["dense", "sparse"])
@KINDS
def test_threads_change_no_bit(make, kernels):
    states = []
    for threads in (1, 2):
        step = compiled(make(0.4), kernels=kernels, threads=threads)
        states.append((train(step), step.evaluate(DATA), bits(step.model)))
    assert states[0] == states[1]


@KINDS
def test_reading_gives_the_newest_values_and_disturbs_nothing(make):
    watched, alone = compiled(make()), compiled(make())
    for start in (0, 16, 32):
        before, chosen = watched.model.state_dict(), np.arange(start, start + 16)
        assert watched(DATA, chosen) == alone(DATA, chosen)
        after = watched.model.state_dict()
        same = [name for name in before if np.array_equal(before[name], after[name])]
        assert not same, "running statistics change too"
    assert_equal_bits(watched.model, alone.model)


@pytest.mark.parametrize("write", ["assign", "in place", "load_state_dict"])
@PLAIN
def test_what_is_written_is_seen_by_the_next_step(make, write):
    step, eager = twins(make(0.5))
    name = next(iter(step.model.prunable()))
    for one in (step, eager):
        one(DATA, np.arange(16))
        before = one.model.state_dict()
        weight = one.model.prunable()[name]
        if write == "assign":
            weight.data = np.where(weight.mask, 0.01, 0)
        elif write == "in place":
            weight.data[...] = np.where(weight.mask, 0.01, 0)
        else:
            one.model.load_state_dict(before | {name: np.full_like(before[name], 0.01)})
        one(DATA, np.arange(16, 32))
    assert_equal_to_rounding(step.model, eager.model)


@PLAIN
def test_a_new_mask_takes_weights_and_momentum_along_and_compiles_nothing(make):
    step, eager = twins(make(0.8), kernels="sparse")
    train(step), train(eager)
    for density in (0.7, 0.5, 0.3):
        for one in (step, eager):
            rng = np.random.default_rng(5)
            for weight in one.model.prunable().values():
                weight.mask = weight.mask & (rng.random(weight.shape) < density)
        with nothing_compiled():
            losses = train(step)
        np.testing.assert_allclose(losses, train(eager), rtol=1e-4)
    assert_equal_to_rounding(step.model, eager.model, 1e-4)


@PLAIN
def test_eager_and_compiled_steps_may_take_turns(make):
    model, alone = make(0.4), make(0.4)
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    turns = [tt.compile(model, "cross_entropy", optimizer, 16), EagerStep(model, optimizer)]
    eager = EagerStep(alone, OPTIMIZERS["momentum"](alone.parameters()))
    for i in range(4):
        chosen = np.arange(i * 16, (i + 1) * 16)
        assert turns[i % 2](DATA, chosen) == pytest.approx(eager(DATA, chosen), rel=1e-4)
    assert optimizer.steps == [4] * len(optimizer.params)
    assert_equal_to_rounding(model, alone, 1e-4)


@KINDS
def test_two_compiled_steps_of_one_model_hand_it_to_each_other(make):
    model = make()
    optimizer = OPTIMIZERS["adam"](model.parameters())
    first, second = (tt.compile(model, "cross_entropy", optimizer, 16) for _ in range(2))
    alone = compiled(make(), "adam")
    for i, one in enumerate((first, second, second, first)):
        chosen = np.arange(i * 16, (i + 1) * 16)
        assert one(DATA, chosen) == alone(DATA, chosen)
    assert_equal_bits(model, alone.model)


@PLAIN
def test_a_reset_optimizer_and_a_rewound_state_start_again_bit_for_bit(make):
    model = make(0.5)
    start, step, ends = model.state_dict(), compiled(model, "adam"), []
    for _ in range(2):
        step.optimizer.reset()
        model.load_state_dict(start)
        ends.append([train(step), bits(model)])
    assert ends[0] == ends[1]


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@KINDS
def test_what_is_read_and_given_to_another_step_goes_on_as_if_nothing_had_happened(make, optimizer):
    straight, broken = (compiled(make(0.5), optimizer, kernels="sparse") for _ in range(2))
    train(straight), train(broken)
    other = compiled(copy.deepcopy(broken.model), optimizer, kernels="sparse")
    broken.fetch()
    for i in range(len(other.optimizer.params)):
        for slot, source in zip(other.optimizer.slots(i), broken.optimizer.slots(i), strict=True):
            slot[...] = source
    other.optimizer.steps = list(broken.optimizer.steps)
    for ours, theirs in zip(straight.model.named_modules(), other.model.named_modules(), strict=True):
        if hasattr(ours[1], "rng"):
            theirs[1].rng = copy.deepcopy(ours[1].rng)
    assert train(other) == train(straight)
    assert_equal_bits(other.model, straight.model)


@PLAIN
def test_the_learning_rate_is_read_at_every_step(make):
    step, eager = twins(make(), "sgd")
    for rate in (0.1, 0.0, 0.02):
        for one in (step, eager):
            one.optimizer.lr = rate
            train(one, 1)
        assert_equal_to_rounding(step.model, eager.model)
    step.optimizer.lr = 0.0
    before = {name: p.data.copy() for name, p in step.model.named_parameters()}
    train(step)
    assert all(np.array_equal(before[name], p.data) for name, p in step.model.named_parameters())


@KINDS
def test_runs_are_steps_and_a_step_on_arrays_is_one_on_indices(make):
    one, other, third = compiled(make()), compiled(make()), compiled(make())
    (x, y), batches = DATA, np.arange(48).reshape(3, 16)
    losses = one.run(DATA, batches)
    assert losses.tolist() == train(other) == [third(x[batch], y[batch]) for batch in batches]
    assert bits(one.model) == bits(other.model) == bits(third.model)


@KINDS
def test_a_run_has_the_learning_rate_of_each_step(make):
    one, other = compiled(make()), compiled(make())
    batches, rates, losses = np.arange(48).reshape(3, 16), [0.1, 0.0, 0.03], []
    for batch, rate in zip(batches, rates, strict=True):
        other.optimizer.lr = rate
        losses.append(other(DATA, batch))
    assert one.run(DATA, batches, rates).tolist() == losses
    assert_equal_bits(one.model, other.model)


@pytest.mark.parametrize("as_pixels", [False, True])
@KINDS
def test_a_run_turns_shifts_and_mirrors_images_as_they_are_drawn(make, as_pixels):
    rng = np.random.default_rng(0)
    x = Pixels(rng.integers(0, 256, (60, *SHAPE), np.uint8), [0.4, 0.5, 0.6], [0.2, 0.3, 0.1])
    y, batches = DATA[1][:60], np.arange(48).reshape(3, 16)
    draws = np.array(
        [
            Augmentation(2, turn=turn, fill=fill).draw(rng, 16)
            for turn, fill in ((0, "zero"), (20, "edge"), (90, "zero"))
        ]
    )
    run, by_hand = compiled(make(0.5)), compiled(make(0.5))
    losses = run.run((x if as_pixels else x[:], y), batches, [0.05, 0.02, 0.1], draws)
    for batch, rate, draw, loss in zip(batches, (0.05, 0.02, 0.1), draws, losses, strict=True):
        by_hand.optimizer.lr = rate
        assert by_hand(augment(x[batch], draw), y[batch]) == loss
    assert_equal_bits(run.model, by_hand.model)
    eager = EagerStep(twin := make(0.5), OPTIMIZERS["momentum"](twin.parameters()))
    np.testing.assert_allclose(eager.run((x, y), batches, [0.05, 0.02, 0.1], draws), losses, rtol=1e-4)
    assert run.evaluate((x, y)) == run.evaluate((x[:], y))


def test_a_data_set_is_trained_on_and_its_test_part_evaluated():
    x, y = DATA
    data = tt.data.from_arrays(x[:50], y[:50], x[50:], y[50:])
    one, other = compiled(features()), compiled(features())
    assert one(data, np.arange(9)) == other((x[:50], y[:50]), np.arange(9))
    assert one.evaluate(data) == other.evaluate((x[50:], y[50:]))
    with pytest.raises(InputError, match="data set or a pair"):
        one([x, y], np.arange(9))


def test_the_shape_of_the_first_data_counts_whatever_was_guessed():
    model = Sequential(Conv2d(3, 4, 3, rng=0), ReLU(), GlobalAvgPool2d(), Linear(4, CLASSES, rng=0))
    step, eager = twins(model)
    for shape in ((3, 9, 7), (3, 12, 12), (3, 9, 7)):
        data = examples(shape)
        assert step(data, np.arange(16)) == pytest.approx(eager(data, np.arange(16)), rel=1e-4)
    assert_equal_to_rounding(model, eager.model)


@PLAIN
def test_gradients_are_dense_and_change_nothing(make):
    step = compiled(make(0.3))
    train(step)
    before = bits(step.model)
    train(step, 1)
    gradients = step.gradients(DATA[0][:16], DATA[1][:16])
    assert gradients.keys() == dict(step.model.named_parameters()).keys()
    for name, weight in step.model.prunable().items():
        assert np.count_nonzero(gradients[name][~weight.mask])
    after = bits(step.model)
    assert before != after
    step.gradients(DATA[0][:16], DATA[1][:16])
    assert bits(step.model) == after


@PLAIN
def test_gradients_are_differences_of_the_loss(make):
    step, x, y = compiled(make(0.6)), DATA[0][:16], DATA[1][:16]
    train(step)
    gradients = step.gradients(x, y)
    twin = copy.deepcopy(step.model).astype(np.float64)
    exact, rng, losses = EagerStep(twin, SGD(twin.parameters(), 0.1)), np.random.default_rng(0), []
    away = {name: 1e-6 * rng.standard_normal(gradient.shape) for name, gradient in gradients.items()}
    start = {name: parameter.data.copy() for name, parameter in twin.named_parameters()}
    for sign in (1, -1):
        for name, parameter in twin.named_parameters():
            parameter.mask = None  # gradients are those of pruned weights too
            parameter.data = start[name] + sign * away[name]
        losses.append(exact.backward(x.astype(np.float64), y)[0])
    expected = sum((gradient * away[name]).sum() for name, gradient in gradients.items())
    assert (losses[0] - losses[1]) / 2 == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("bad", [{"loss": functional.relu}, {"batch_size": 0}])
def test_what_makes_no_sense_is_refused(bad):
    model = features()
    arguments = {"loss": functional.cross_entropy, "optimizer": SGD(model.parameters(), 0.1), "batch_size": 4} | bad
    with pytest.raises(InputError):
        tt.compile(model, **arguments)


@PLAIN
def test_what_does_not_fit_is_refused_before_anything_happens(make):
    step, (x, y) = compiled(make()), DATA
    train(step)
    before = bits(step.model)
    with pytest.raises(InputError, match="a batch of 17 examples, but the step is compiled for 1 to 16"):
        step(DATA, np.arange(17))
    with pytest.raises(InputError, match="indices must be from 0 to 69"):
        step(DATA, np.full(16, 70))
    with pytest.raises(InputError, match="labels must be from 0 to 3"):
        step((x, y + 1), np.arange(16))
    with pytest.raises(ValueError, match="conv2d wants an input" if make is images else "but the network takes"):
        step((x[:, :2], y), np.arange(16))
    assert bits(step.model) == before


def test_one_number_a_channel_is_refused_as_eagerly():
    model = Sequential(Conv2d(3, 4, 8, rng=0), BatchNorm2d(4), GlobalAvgPool2d(), Linear(4, CLASSES, rng=0))
    for one in twins(model, input_shape=SHAPE):
        with pytest.raises(ValueError, match="one number a channel"):
            one(DATA, np.arange(1))


def test_a_network_of_linear_layers_that_is_no_plain_one_compiles_too():
    model = Sequential(Linear(20, 9, rng=0), BatchNorm1d(9), Linear(9, 8, rng=1), Linear(8, CLASSES, rng=2), ReLU())
    step, eager = twins(masked(model, 0.6))
    data = examples((20,))
    for start in (0, 16, 32):
        chosen = np.arange(start, start + 15)
        assert step(data, chosen) == pytest.approx(eager(data, chosen), rel=1e-5)
    assert step.evaluate(data) == pytest.approx(eager.evaluate(data), rel=1e-5)
    assert_equal_to_rounding(model, eager.model)


def test_pooling_may_come_first_and_activations_too():
    model = Sequential(ReLU(), MaxPool2d(2), Flatten(), Linear(48, CLASSES, rng=0))
    step, eager = twins(masked(model, 0.6), input_shape=SHAPE)
    np.testing.assert_allclose(train(step), train(eager), rtol=1e-5)
    assert_equal_to_rounding(model, eager.model)


def test_a_result_file_tells_how_it_was_trained():
    x, y = examples((20,), 150)
    result = tt.lottery.find(
        "mlp-20-16-4", (x, y), rounds=1, iterations=5, trials=1, validation=20, batch_size=16, prune=0.5
    )
    dense, ticket = result.trials[0].rounds
    executed = {"mode": "compiled", "subnormals": "zero", "kernels": dict.fromkeys(dense.masks, "dense")}
    assert json.dumps(dense.plan) == json.dumps(executed)
    assert ticket.plan["mode"] == "compiled"
    assert {*ticket.plan["kernels"].values()} <= {"dense", "sparse"}
