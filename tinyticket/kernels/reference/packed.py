"""What the packed kernels compute, in plain NumPy: names and arguments of `kernels.cpu`, float64 inside.

Packed activations are (tiles, features, lanes). Here they are brought back to (samples, features), where every kernel
is a line or two of algebra.
"""

from typing import Any

import numpy as np

from tinyticket.kernels.reference.softmax import cross_entropy, cross_entropy_gradient, log_softmax


def rows_of(packed: np.ndarray) -> np.ndarray:
    """Packed activations as (tiles * lanes, features), in float64."""
    return packed.transpose(0, 2, 1).reshape(-1, packed.shape[1]).astype(np.float64)


def packed_like(rows: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Bring (tiles * lanes, features) into the tiles and lanes of other activations, in float32."""
    tiles, _, lanes = packed.shape
    return rows.reshape(tiles, lanes, -1).transpose(0, 2, 1).astype(np.float32)


def dense_linear(weight: np.ndarray, bias: np.ndarray, x: np.ndarray, *, relu: bool = False) -> np.ndarray:
    """Compute y = x W' + b, perhaps through a ReLU."""
    y = rows_of(x) @ weight.T + bias
    return packed_like(np.maximum(y, 0) if relu else y, x)


def dense_input_gradient(weight: np.ndarray, x: np.ndarray, dy: np.ndarray, *, relu: bool = False) -> np.ndarray:
    """Compute dx = dy W; where x came out of a ReLU, nothing passes an x of zero."""
    dx = rows_of(dy) @ weight
    return packed_like(np.where(rows_of(x) <= 0, 0, dx) if relu else dx, x)


def dense_weight_gradient(x_samples: np.ndarray, dy: np.ndarray, samples: int, inputs: int) -> np.ndarray:
    """Compute dW = dy' x over the samples; x is sample-major here."""
    return (rows_of(dy)[:samples].T @ x_samples[:samples, :inputs].astype(np.float64)).astype(np.float32)


def bias_gradient(dy: np.ndarray) -> np.ndarray:
    """Compute db, the sum of dy over the samples."""
    return rows_of(dy).sum(axis=0).astype(np.float32)


def sparse_linear(
    pattern: Any, values: np.ndarray, bias: np.ndarray, x: np.ndarray, *, relu: bool = False
) -> np.ndarray:
    """Compute `dense_linear` with the survivors put back among zeros."""
    return dense_linear(pattern.dense(values), bias, x, relu=relu)


def sparse_linear_backward(
    pattern: Any, values: np.ndarray, x: np.ndarray, dy: np.ndarray, *, relu: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the input gradient and the survivors' gradients, which stand column by column."""
    dx = dense_input_gradient(pattern.dense(pattern.by_row(values)), x, dy, relu=relu)
    return dx, pattern.by_column(sparse_weight_gradient(pattern, x, dy))


def sparse_weight_gradient(pattern: Any, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Compute the survivors' gradients, row by row: the dense gradient where the mask is true."""
    return (rows_of(dy).T @ rows_of(x)).astype(np.float32)[pattern.mask()]


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, int, np.ndarray]:
    """Compute the mean loss, the hits and the gradient by the logits, which is zero in padded lanes."""
    samples = len(labels)
    rows = rows_of(logits)
    used = rows[:samples]
    log_probabilities = log_softmax(used)
    gradient = np.zeros_like(rows)
    gradient[:samples] = cross_entropy_gradient(log_probabilities, labels, 1 / samples)
    loss = float(cross_entropy(log_probabilities, labels).mean())
    return loss, int((used.argmax(axis=1) == labels).sum()), packed_like(gradient, logits)


def update(
    rule: str,
    scalars: np.ndarray,
    weights: np.ndarray,
    slots: tuple[np.ndarray, ...],
    gradient: np.ndarray,
    *,
    mask: np.ndarray | None = None,
) -> None:
    """Take one step of an optimizer in place; `scalars` as `kernels.cpu.settings` arranges them."""
    rate, decay, momentum, fresh, second_kept, second_fresh, correction, epsilon = scalars.astype(np.float64)
    step = gradient + decay * weights
    if rule == "adam":
        first, second = slots
        first += fresh * (step - first)
        second *= second_kept
        second += second_fresh * step**2
        step = first / (np.sqrt(second) * correction + epsilon)
    elif rule != "sgd":
        (velocity,) = slots
        velocity[...] = momentum * velocity + step
        step = step + momentum * velocity if rule == "nesterov" else velocity
    weights -= rate * step
    if mask is not None:
        for array in (weights, *slots):
            array[~mask] = 0


def gather(data: np.ndarray, indices: np.ndarray, lanes: int) -> np.ndarray:
    """Take samples of a data set into the packed layout, zeros in padded lanes; bytes are pixels, divided by 255."""
    data = data / np.float32(255) if data.dtype == np.uint8 else data
    tiles = -(-len(indices) // lanes)
    rows = np.zeros((tiles * lanes, data.shape[1]), np.float32)
    rows[: len(indices)] = data[indices]
    return np.ascontiguousarray(rows.reshape(tiles, lanes, -1).transpose(0, 2, 1))


def transpose_samples(x: np.ndarray) -> np.ndarray:
    """Bring packed activations into the sample-major layout, columns padded with zeros to whole vectors of sixteen."""
    rows = rows_of(x).astype(np.float32)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 16)))
