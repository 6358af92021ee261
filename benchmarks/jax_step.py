"""JAX's side of `step`: one jit-compiled function that gathers, differentiates and takes Adam's step, dense."""

from typing import Any

import numpy as np

from benchmarks.problems import LEARNING_RATE, Problem
from tinyticket.errors import InputError
from tinyticket.nn import Flatten, Linear, ReLU


class JaxStep:
    """A call is one whole training step; state is donated, so that XLA may update it in place."""

    def __init__(self, problem: Problem):
        import jax
        import jax.numpy as jnp

        model = problem.model()
        layers = [module for _, module in model.named_modules() if not list(module.children())]
        if unknown := {type(layer).__name__ for layer in layers if not isinstance(layer, Flatten | Linear | ReLU)}:
            raise InputError(
                f"jax is compared with for fully-connected networks only, not {', '.join(sorted(unknown))}"
            )

        def loss_of(weights: Any, x: Any, y: Any) -> Any:
            unused = iter(weights)
            for layer in layers:
                if isinstance(layer, Linear):
                    x = x @ next(unused).T + next(unused)
                elif isinstance(layer, ReLU):
                    x = jnp.maximum(x, 0)
            return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()

        def step(state: Any, x: Any, y: Any, batch: Any) -> Any:
            weights, means, squares, count = state
            loss, gradients = jax.value_and_grad(loss_of)(weights, x[batch], y[batch])
            count = count + 1
            means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
            squares = [0.999 * s + 0.001 * g * g for s, g in zip(squares, gradients, strict=True)]
            rate, scale = LEARNING_RATE / (1 - 0.9**count), 1 / (1 - 0.999**count)
            updates = [rate * m / (jnp.sqrt(s * scale) + 1e-8) for m, s in zip(means, squares, strict=True)]
            weights = [w - u for w, u in zip(weights, updates, strict=True)]
            return (weights, means, squares, count), loss

        self._step = jax.jit(step, donate_argnums=0)
        weights = [jnp.asarray(parameter.data) for parameter in model.parameters()]
        zeros = [[jnp.zeros_like(w) for w in weights] for _ in range(2)]
        self._state = (weights, *zeros, jnp.float32(0))
        data = problem.data
        self._x = jnp.asarray(data.x_train.reshape(len(data.x_train), -1))
        self._y = jnp.asarray(data.y_train.astype(np.int32))
        self._feed = (batch.astype(np.int32) for batch in problem.batches())

    def __call__(self) -> Any:
        self._state, loss = self._step(self._state, self._x, self._y, next(self._feed))
        return loss.block_until_ready()
