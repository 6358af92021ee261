"""What kernels of packed features, losses and updates are given in a fuzz, and what has to come of it, in float64."""

from types import SimpleNamespace

import numpy as np

from tests.fuzz.draws import RULES, finished, padded, plain, relu, rows, without
from tinyticket.kernels import reference
from tinyticket.kernels.geometry import lanes_for
from tinyticket.sparse import Blocks, Slices


def _updated(a, weights, gradient):
    """Return weights and slots after an optimizer's step."""
    rate, decay, momentum, fresh, kept, square, correction, epsilon = plain(a.scalars)
    weights, slots = plain(weights), [plain(slot) for slot in a.slots]
    g = plain(gradient) + decay * weights
    if a.rule == "adam":
        slots = [slots[0] + fresh * (g - slots[0]), kept * slots[1] + square * g * g]
        g = slots[0] / (correction * np.sqrt(slots[1]) + epsilon)
    elif a.rule != "sgd":
        slots = [momentum * slots[0] + g]
        g = g + momentum * slots[0] if a.rule == "nesterov" else slots[0]
    found = [weights - rate * g, *slots]
    return found if a.mask is None else [np.where(a.mask, each, 0) for each in found]


def _gather(d):
    data = d.pick(d.floats(9, d.inputs), d.rng.integers(0, 256, (9, d.inputs)).astype(np.uint8))
    return {
        "data": data,
        "indices": d.rng.integers(0, 9, d.samples),
        "lanes": d.pick(None, 16, 64),
        "sample_major": d.flag(),
    }


def _gathered(a):
    x = (np.asarray(a.data).astype(np.float32) / np.float32(255 if np.asarray(a.data).dtype == np.uint8 else 1))[
        a.indices
    ]
    count = -(-len(x) // lanes_for(len(x), a.lanes)) * lanes_for(len(x), a.lanes)
    by_sample = np.pad(padded(x, count, np.nan), ((0, 0), (0, -x.shape[1] % 16)))
    return [padded(x, count), *([by_sample] if a.sample_major else [])]


def _gather_sparse(d):
    kept = d.rng.random((9, d.inputs)) < d.pick(0, 0.3, 1)
    given = {"starts": np.append(0, kept.sum(axis=1).cumsum()), "columns": kept.nonzero()[1]}
    values = {"values": d.floats(kept.sum()), "features": d.inputs, "indices": d.rng.integers(0, 9, d.samples)}
    return given | values | {"lanes": d.pick(None, 16, 64), "sample_major": d.flag()}


def _gathered_sparse(a):
    if a.features > 1000:  # of which there are no such batches for comparison
        return None
    data = reference.gather_sparse(a.starts, a.columns, plain(a.values), a.features, range(len(a.starts) - 1))
    return _gathered(SimpleNamespace(data=data, **vars(a)))


def _packed(a):
    lanes = lanes_for(len(a.x), a.lanes)
    return padded(np.asarray(a.x), -(-len(a.x) // lanes) * lanes)


def _linear(d):
    weight, x, dy = d.layer()
    out = d.maybe(lambda: np.empty_like(dy))
    return {"weight": weight, "bias": d.floats(d.outputs), "x": x, "relu": d.flag(), "out": out}


def _linear_update(d):
    weight, _, dy = d.layer()
    given = {"weight": weight, "x_samples": d.floats(d.spots, -(-d.inputs // 16) * 16), "dy": dy, "samples": d.samples}
    return given | d.update(weight.shape)


def _weight_gradient(a, inputs):
    return reference.linear_weight_gradient(rows(a.dy)[: a.samples], plain(a.x_samples)[: a.samples, :inputs])


def _sparse_linear(d):
    _, x, dy = d.layer()
    out = d.maybe(lambda: np.empty_like(dy))
    given = {"pattern": d.pattern, "values": d.floats(d.pattern.count), "bias": d.floats(d.outputs)}
    return given | {"x": x, "relu": d.flag(), "out": out}


def _sparse_gradient(d):
    _, x, dy = d.layer()
    return {"pattern": d.pattern, "values": d.floats(d.pattern.count), "x": x, "dy": dy, "x_is_relu_output": d.flag()}


def _sparse_gradients(a, read):
    weight = a.pattern.dense(a.pattern.by_row(plain(a.values)))
    dense = reference.linear_weight_gradient(read(a.dy), read(a.x))
    dx = reference.linear_input_gradient(read(a.dy), weight)
    dx = np.where(read(a.x) <= 0, 0, dx) if a.x_is_relu_output else dx
    return [dx, a.pattern.by_column(a.pattern.values(dense))]


def _as_samples(d, given):
    shape = {"x": d.inputs, "dy": d.outputs, "out": d.outputs if "bias" in given else d.inputs}
    return given | {name: d.floats(d.samples, size) for name, size in shape.items() if name in given or name == "out"}


def _forward(a, read):
    return [relu(reference.linear(read(a.x), a.pattern.dense(plain(a.values)), plain(a.bias)), a.relu)]


def _narrow(d):
    mask, lanes = np.asarray(d.mask), d.pick(2, 4, 8, 16)
    blocks = Blocks(mask.shape, np.concatenate(([0], np.cumsum(mask.sum(1)))), np.nonzero(mask)[1], lanes)
    return {"blocks": blocks, "values": d.floats(blocks.count), "x": d.floats(d.inputs, lanes)}


def _narrow_weight(a, values):
    weight = np.zeros(a.blocks.shape)
    weight[np.repeat(np.arange(weight.shape[0]), np.diff(a.blocks.row_starts)), a.blocks.row_columns] = a.blocks.by_row(
        values
    )
    return weight


def _narrow_gradient(a):
    dense = reference.linear_weight_gradient(plain(a.dy).T, plain(a.x).T)
    rows = np.repeat(np.arange(dense.shape[0]), np.diff(a.blocks.row_starts))
    return a.blocks.by_block(dense[rows, a.blocks.row_columns])


def _narrow_gradients(a):
    dx = reference.linear_input_gradient(plain(a.dy).T, _narrow_weight(a, plain(a.values))).T
    return [np.where(plain(a.x) <= 0, 0, dx) if a.x_is_relu_output else dx, _narrow_gradient(a)]


def _single(d):
    mask = np.asarray(d.mask)
    slices = Slices(mask.shape, np.append(0, mask.sum(axis=1).cumsum()), mask.nonzero()[1])
    given = {"slices": slices, "values": slices.by_slice(d.floats(mask.sum())), "bias": d.floats(d.outputs)}
    return given | {"x": d.floats(d.inputs), "relu": d.flag(), "out": d.maybe(lambda: d.floats(d.outputs))}


def _of_one(a):
    weight, columns = np.zeros(a.slices.shape), a.slices.row_columns
    order = a.slices.by_slice(np.arange(1, columns.size + 1))
    row = np.repeat(np.arange(weight.shape[0]), np.diff(a.slices.row_starts))[order[order > 0] - 1]
    weight[row, columns[order[order > 0] - 1]] = plain(a.values)[order > 0]
    return [relu(reference.linear(plain(a.x)[None], weight, plain(a.bias)), a.relu)[0]]


def _cross_entropy(a):
    labels = np.asarray(a.labels).astype(int)
    used = rows(a.logits)[: len(labels)]
    logs = reference.log_softmax(used)
    gradient = padded(reference.cross_entropy_gradient(logs, labels, 1 / len(labels)), len(rows(a.logits)))
    return [reference.cross_entropy(logs, labels).mean(), (used.argmax(axis=1) == labels).sum(), gradient]


def _mse_loss(a):
    used, targets = rows(a.outputs)[: len(a.targets)], np.asarray(a.targets, np.float32).astype(float)
    gradient = reference.mse_loss_gradient(used, targets, 1 / len(targets))
    return [reference.mse_loss(used, targets).mean(), padded(gradient, len(rows(a.outputs)))]


def _scalars(a):
    first, second = getattr(a, "betas", None) or (0.9, 0.999)
    rate = a.learning_rate / (1 - first**a.step) if a.rule == "adam" else a.learning_rate
    correction, others = (1 - second**a.step) ** -0.5, (getattr(a, "weight_decay", 0.0), getattr(a, "momentum", 0.0))
    scalars = [rate, *others, 1 - first, second, 1 - second, correction, getattr(a, "epsilon", 1e-8)]
    return [plain(scalars), *([] if a.out is None else [plain(scalars)])]


def _step_of_optimizer(d):
    shape = d.pick((17,), (3, 5), (1,))
    return {"weights": d.floats(*shape), "gradient": d.floats(*shape)} | d.update(shape)


PREPARED = {
    "sparse_linear": (_sparse_linear, lambda a: _forward(a, rows)),
    "sparse_linear_gradient": (_sparse_gradient, lambda a: _sparse_gradients(a, rows)),
    "sparse_linear_weight_gradient": (
        lambda d: dict(zip(("pattern", "x", "dy"), (d.pattern, *d.layer()[1:]), strict=True)),
        lambda a: [a.pattern.values(reference.linear_weight_gradient(rows(a.dy), rows(a.x)))],
    ),
}


FEATURES = {
    **PREPARED,
    **{f"prepare_{name}": given for name, given in PREPARED.items()},
    "Pattern.from_mask": (
        lambda d: {"mask": d.mask, "lanes": d.lanes, "row_blocks": 2},
        lambda a: [np.asarray(a.mask)],
    ),
    "pack": (lambda d: {"x": d.floats(d.samples, d.inputs), "lanes": d.pick(None, 16, 48)}, lambda a: [_packed(a)]),
    "pack_samples": (
        lambda d: {"x": d.floats(d.samples, d.inputs), "lanes": d.pick(None, 16, 48)},
        lambda a: [np.pad(_packed(a), ((0, 0), (0, -np.shape(a.x)[1] % 16)))],
    ),
    "unpack": (lambda d: {"packed": d.layer()[1], "samples": d.samples}, lambda a: [rows(a.packed)[: a.samples]]),
    "gather": (_gather, _gathered),
    "gather_sparse": (_gather_sparse, _gathered_sparse),
    "transpose_samples": (
        lambda d: {"x": d.layer()[1]},
        lambda a: [np.pad(rows(a.x), ((0, 0), (0, -np.shape(a.x)[1] % 16)))],
    ),
    "linear": (
        _linear,
        lambda a: [relu(reference.linear(rows(a.x), plain(a.weight), plain(a.bias)), a.relu)],
    ),
    "linear_input_gradient": (
        lambda d: dict(zip(("weight", "x", "dy"), d.layer(), strict=True)) | {"x_is_relu_output": d.flag()},
        lambda a: [finished(reference.linear_input_gradient(rows(a.dy), plain(a.weight)), a)],
    ),
    "linear_weight_gradient": (
        lambda d: {"inputs": d.inputs, **without(["weight", *d.update(())], _linear_update(d))},
        lambda a: [_weight_gradient(a, a.inputs)],
    ),
    "linear_bias_gradient": (lambda d: {"dy": d.layer()[2]}, lambda a: [rows(a.dy).sum(axis=0)]),
    "linear_update": (_linear_update, lambda a: _updated(a, a.weight, _weight_gradient(a, a.weight.shape[1]))),
    "sparse_linear_samples": (lambda d: _as_samples(d, _sparse_linear(d)), lambda a: _forward(a, plain)),
    "sparse_linear_samples_gradient": (
        lambda d: _as_samples(d, _sparse_gradient(d)),
        lambda a: _sparse_gradients(a, plain),
    ),
    "sparse_linear_single": (_single, _of_one),
    "sparse_linear_narrow": (
        lambda d: _narrow(d) | {"bias": d.floats(d.outputs), "relu": d.flag()},
        lambda a: [relu(reference.linear(plain(a.x).T, _narrow_weight(a, plain(a.values)), plain(a.bias)), a.relu).T],
    ),
    "sparse_linear_narrow_gradient": (
        lambda d: (
            (given := _narrow(d)) | {"dy": d.floats(d.outputs, given["x"].shape[1]), "x_is_relu_output": d.flag()}
        ),
        _narrow_gradients,
    ),
    "sparse_linear_narrow_weight_gradient": (
        lambda d: without(["values"], given := _narrow(d)) | {"dy": d.floats(d.outputs, given["x"].shape[1])},
        lambda a: [_narrow_gradient(a)],
    ),
    "cross_entropy": (
        lambda d: {"logits": d.layer()[2], "labels": d.rng.integers(0, d.outputs, d.samples)},
        _cross_entropy,
    ),
    "mse_loss": (
        lambda d: {"outputs": d.layer()[2], "targets": d.floats(d.samples, d.outputs)},
        _mse_loss,
    ),
    "l1_gradient": (
        lambda d: {"weights": d.floats(3, 7), "gradient": d.floats(3, 7), "strength": 0.1},
        lambda a: [plain(a.gradient) + float(np.float32(a.strength)) * np.sign(plain(a.weights))],
    ),
    "optimizer_step": (_step_of_optimizer, lambda a: _updated(a, a.weights, a.gradient)),
    "scalars_of": (
        lambda d: {
            "rule": d.pick(*RULES),
            "step": d.pick(1, 9),
            "learning_rate": 0.1,
            "momentum": 0.9,
            "out": d.maybe(lambda: d.floats(8)),
        },
        _scalars,
    ),
}
