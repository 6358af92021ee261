"""What may happen to a compiled network between two steps, and what no number of threads may change."""

import copy

import numpy as np
import pytest

import tinyticket as tt
from tests.compiler.networks import (
    CLASSES,
    OPTIMIZERS,
    assert_equal_bits,
    assert_equal_to_rounding,
    compiled,
    examples,
    masked,
    network,
    twins,
)
from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.data import Augmentation, Pixels
from tinyticket.errors import InputError
from tinyticket.nn import BatchNorm1d, BatchNorm2d, Conv2d, Flatten, GlobalAvgPool2d, Linear, ReLU, Sequential

SHAPE = (3, 8, 8)
DATA = examples(SHAPE)
BLOCKS = ("conv3", "norm relu", "residual", "max", "dropout")


def small(density=None, seed=0):
    model = network(BLOCKS, "layers", SHAPE, seed)
    return model if density is None else masked(model, density)


def train(step, steps=3, size=16):
    return [step(DATA, np.arange(i * size, (i + 1) * size)) for i in range(steps)]


@pytest.mark.parametrize("kernels", ["dense", "sparse"])
def test_threads_change_no_bit(kernels):
    states = []
    for threads in (1, 2):
        step = compiled(small(0.4), kernels=kernels, threads=threads)
        states.append((step.model, train(step), step.evaluate(DATA)))
    assert states[0][1:] == states[1][1:]
    assert_equal_bits(states[0][0], states[1][0])


def test_reading_gives_the_newest_values_and_disturbs_nothing():
    watched, alone = compiled(small()), compiled(small())
    for i in range(3):
        before = watched.model.state_dict()
        for step in (watched, alone):
            step(DATA, np.arange(i * 16, (i + 1) * 16))
        changed = [
            name for name, value in watched.model.state_dict().items() if not np.array_equal(before[name], value)
        ]
        assert len(changed) == len(before), "running statistics included"
    assert_equal_bits(watched.model, alone.model)


def test_a_new_mask_takes_weights_and_momentum_along_and_compiles_nothing():
    from tinyticket.compiler.network.walk import walk

    step, eager = twins(small(0.8), kernels="sparse")
    for density in (0.7, 0.5, 0.3):
        for one in (step, eager):
            rng = np.random.default_rng(5)
            for weight in one.model.prunable().values():
                weight.mask = weight.mask & (rng.random(weight.shape) < density)
            train(one)
        variants = len(walk.signatures)
    assert variants == 1, "one for all networks, masks, data and programs"
    assert_equal_to_rounding(step.model, eager.model, 1e-3)


def test_a_reset_optimizer_and_a_rewound_state_start_again_bit_for_bit():
    model = masked(network(("conv3", "norm relu", "max"), "global", SHAPE), 0.5)
    start, step = model.state_dict(), compiled(model)
    ends = []
    for _ in range(2):
        step.optimizer.reset()
        model.load_state_dict(start)
        train(step)
        ends.append(b"".join(value.tobytes() for value in model.state_dict().values()))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("make", sorted(OPTIMIZERS))
def test_what_is_read_and_given_to_another_step_goes_on_as_if_nothing_had_happened(make):
    straight, broken = (compiled(small(0.5), make, kernels="sparse") for _ in range(2))
    train(straight), train(broken)
    other = compiled(copy.deepcopy(broken.model), make, kernels="sparse")
    for i in range(len(other.optimizer.params)):
        broken.fetch()
        for slot, source in zip(other.optimizer.slots(i), broken.optimizer.slots(i), strict=True):
            slot[...] = source
    other.optimizer.steps = list(broken.optimizer.steps)
    for ours, theirs in zip(straight.model.named_modules(), other.model.named_modules(), strict=True):
        if hasattr(ours[1], "rng"):
            theirs[1].rng = copy.deepcopy(ours[1].rng)
    assert train(other) == train(straight)
    assert_equal_bits(other.model, straight.model)


def test_eager_and_compiled_steps_may_take_turns():
    model = small(0.4)
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    turns = [tt.compile(model, "cross_entropy", optimizer, 16), EagerStep(model, optimizer)]
    alone = twins(small(0.4))[1]
    for i in range(4):
        chosen = np.arange(i * 16, (i + 1) * 16)
        turns[i % 2](DATA, chosen), alone(DATA, chosen)
    assert_equal_to_rounding(model, alone.model, 5e-4)


def test_runs_are_steps_and_a_step_on_arrays_is_one_on_indices():
    one, other, third = compiled(small()), compiled(small()), compiled(small())
    x, y = DATA
    batches = np.arange(48).reshape(3, 16)
    losses = one.run(DATA, batches)
    assert losses.tolist() == train(other) == [third(x[batch], y[batch]) for batch in batches]


def test_the_shape_of_the_first_data_counts_whatever_was_guessed():
    model = Sequential(Conv2d(3, 4, 3, rng=0), ReLU(), GlobalAvgPool2d(), Linear(4, CLASSES, rng=0))
    step, eager = twins(model)
    for shape in ((3, 9, 7), (3, 12, 12), (3, 9, 7)):
        data = examples(shape)
        assert step(data, np.arange(16)) == pytest.approx(eager(data, np.arange(16)), rel=1e-4)
    assert_equal_to_rounding(model, eager.model, 1e-4)


def test_a_shape_that_only_the_data_know():
    model = Sequential(Conv2d(2, 4, 3, rng=0), Flatten(), Linear(4 * 5 * 3, CLASSES, rng=0))
    step = tt.compile(model, "cross_entropy", OPTIMIZERS["sgd"](model.parameters()), 16)
    assert isinstance(step, EagerStep)
    assert "input_shape" in step.explain()
    assert isinstance(compiled(model, input_shape=(2, 7, 5)), CompiledStep)


def test_pixels_are_gathered_as_bytes_shifted_and_mirrored():
    rng = np.random.default_rng(0)
    x = Pixels(rng.integers(0, 256, (60, *SHAPE), np.uint8), [0.4, 0.5, 0.6], [0.2, 0.3, 0.1])
    y, draws = DATA[1][:60], np.array([Augmentation(pad=2).draw(rng, 16) for _ in range(3)])
    step, eager = twins(small(0.5))
    batches = np.arange(48).reshape(3, 16)
    np.testing.assert_allclose(
        step.run((x, y), batches, None, draws), eager.run((x, y), batches, None, draws), rtol=1e-3
    )
    assert step.evaluate((x, y))[0] == pytest.approx(eager.evaluate((x, y))[0], rel=1e-3)
    as_floats = compiled(small(0.5))
    assert (
        as_floats.run((x[:], y), batches, None, draws).tolist()
        == compiled(small(0.5)).run((x, y), batches, None, draws).tolist()
    )


def test_gradients_are_dense_and_change_nothing():
    step = compiled(masked(network(("conv3", "norm relu"), "linear", SHAPE), 0.3))
    train(step)
    before = step.model.state_dict()
    gradients = step.gradients(DATA[0][:16], DATA[1][:16])
    for name, weight in step.model.prunable().items():
        assert np.count_nonzero(gradients[name][~weight.mask])
    assert before["1.weight"].any()
    assert all(
        np.array_equal(before[name], value) for name, value in step.model.state_dict().items() if "run" not in name
    )


def test_the_explanation_has_every_operation_with_its_kernel_and_time():
    model = masked(network(("conv3", "norm relu", "residual", "max"), "layers", SHAPE), 0.3)
    step = compiled(model, kernels="sparse")
    names = list(model.prunable())
    assert step.plan() == {"mode": "compiled", "kernels": dict.fromkeys(names, "sparse")}
    before = model.state_dict()
    lines = step.explain().splitlines()
    assert [line.split()[0] for line in lines if " sparse " in line] == names
    assert sum("batch_norm" in line for line in lines) == 4
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


def test_a_network_of_linear_layers_that_is_no_plain_one_compiles_too():
    model = Sequential(Linear(20, 9, rng=0), BatchNorm1d(9), Linear(9, 8, rng=1), Linear(8, CLASSES, rng=2), ReLU())
    step, eager = twins(masked(model, 0.6), "adam")
    data = examples((20,))
    for start in (0, 16, 32):
        chosen = np.arange(start, start + 15)
        assert step(data, chosen) == pytest.approx(eager(data, chosen), rel=1e-4)
    assert step.evaluate(data)[0] == pytest.approx(eager.evaluate(data)[0], rel=1e-3)


def test_what_does_not_fit_is_refused_before_anything_happens():
    step = compiled(network(("conv3", "norm relu"), "global", SHAPE))
    x, y = DATA
    before = step.model.state_dict()
    with pytest.raises(InputError, match="1 to 16"):
        step(DATA, np.arange(17))
    with pytest.raises(InputError, match="from 0 to 69"):
        step(DATA, np.full(16, 70))
    with pytest.raises(InputError, match="labels must be from 0 to 3"):
        step((x, y + 1), np.arange(16))
    with pytest.raises(ValueError, match="conv2d wants an input"):
        step((x[:, :2], y), np.arange(16))
    assert all(np.array_equal(before[name], value) for name, value in step.model.state_dict().items())


def test_one_number_a_channel_is_refused_as_eagerly():
    model = Sequential(Conv2d(3, 4, 8, rng=0), BatchNorm2d(4), GlobalAvgPool2d(), Linear(4, CLASSES, rng=0))
    step, eager = twins(model, input_shape=SHAPE)
    for one in (step, eager):
        with pytest.raises(ValueError, match="one number a channel"):
            one(DATA, np.arange(1))


def test_memory_is_used_again_within_a_step():
    step = compiled(tt.models.create("resnet-20", (3, 32, 32), rng=0), batch_size=128)
    step.optimizer  # noqa: B018
    program = step.network.program(dict.fromkeys(step.network.weights, False), batch_size=128, rule="momentum")
    values = sum(op.output.size for op in step.network.graph.operations) * 128 * 4
    assert program.floats.nbytes < 1.6 * values, "values with their borders, and few gradients at a time"
