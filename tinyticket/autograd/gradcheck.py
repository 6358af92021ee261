"""Check gradients against finite differences, with one random projection instead of a whole Jacobian."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyticket.autograd.tensor import Tensor


def gradcheck(
    f: Callable[..., Tensor], inputs: Sequence[Any], *, step: float = 1e-5, tolerance: float = 1e-6, rng: Any = 0
) -> bool:
    """Compare the gradients of `f` at `inputs` with central differences, in float64.

    For random directions u of the inputs and v of the output, <v, J u> is measured by a central difference of f along u, and
    <J^T v, u> computed by backward(). Both are the same number if the gradients are right, and for random u and v almost
    surely differ if any gradient is wrong: two evaluations per input replace one per element.

    Parameters
    ----------
    f
        From tensors to one tensor of any shape; it must give the same result each time.
    inputs
        Arrays or tensors to evaluate it at, away from kinks such as relu's at 0.
    step
        Length of the step along u, in units of the largest input element (at least 1).
    tolerance
        Largest difference allowed, relative to the sizes of the numbers that were added up.
    rng
        Seed or generator of the directions.

    Returns
    -------
    bool
        True; a wrong gradient raises.

    Raises
    ------
    AssertionError
        If a gradient is wrong; the message names the input and both numbers.

    Examples
    --------
    >>> import tinyticket as tt
    >>> tt.gradcheck(lambda x, w: (x @ w).tanh().sum(), [[[1.0, 2.0]], [[0.3], [-0.2]]])
    True
    """
    rng = np.random.default_rng(rng)
    points = [np.array(value.data if isinstance(value, Tensor) else value, dtype=np.float64) for value in inputs]
    leaves = [Tensor(point.copy(), requires_grad=True) for point in points]
    output = f(*leaves)
    v = rng.standard_normal(output.shape)
    if output.requires_grad:
        output.backward(v)
    for i, (point, leaf) in enumerate(zip(points, leaves, strict=True)):
        gradient = np.zeros_like(point) if leaf.grad is None else leaf.grad
        u = rng.standard_normal(point.shape)
        h = step * max(1.0, float(np.abs(point).max(initial=0)))

        def along(distance, i=i, u=u):
            moved = [Tensor(p + distance * u if j == i else p) for j, p in enumerate(points)]
            return f(*moved).data

        # Fourth order: the error of a plain central difference would drown small mistakes.
        measured = v * (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
        computed = gradient * u
        scale = np.abs(measured).sum() + np.abs(computed).sum() + 1e-3
        difference = abs(measured.sum() - computed.sum())
        if not difference <= tolerance * scale:
            raise AssertionError(
                f"input {i} of shape {point.shape}: backward() gives {computed.sum():.10g} along a random "
                f"direction, finite differences give {measured.sum():.10g}"
            )
    return True
