"""tinyticket's side of `step` and `run`: the compiled step, or one clear sentence where there is none."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tinyticket as tt
from benchmarks.problems import Problem
from tinyticket.errors import InputError
from tinyticket.nn import functional


class OwnStep:
    """A call is one whole training step of the compiled model: gather, forward, backward, update.

    Parameters
    ----------
    problem
    masks
        None for a dense model.
    device : {"cpu", "cuda"}
    """

    def __init__(self, problem: Problem, masks: dict[str, np.ndarray] | None, device: str = "cpu"):
        compile_step: Callable[..., Any] | None = getattr(tt, "compile", None)
        if compile_step is None:
            raise InputError("this tinyticket has no tt.compile, which the benchmark needs")
        self.problem, self._feed = problem, problem.batches()
        model = problem.model(masks)
        optimizer = problem.optimizer(model)
        where = {} if device == "cpu" else {"device": device, "input_shape": problem.data.input_shape}
        self._step = compile_step(model, functional.cross_entropy, optimizer, problem.batch_size, **where)

    def __call__(self) -> float:
        return self._step(self.problem.data, next(self._feed))

    def in_runs(self, steps: int) -> Callable[[], Any]:
        """Return a call that takes so many steps at once, as the experiment does between two evaluations."""
        return lambda: self._step.run(self.problem.data, np.array([next(self._feed) for _ in range(steps)]))

    def evaluate(self) -> list[Any]:
        """Evaluate validation and test examples, as the experiment does now and then."""
        return [self._step.evaluate(part) for part in self._parts()]

    def _parts(self) -> list[Any]:
        return [self.problem.validation, (self.problem.data.x_test, self.problem.data.y_test)]

    @property
    def remark(self) -> dict[str, str]:
        """What a row must admit: that the model did not compile, and why."""
        return {} if getattr(self._step, "compiled", True) else {"own_note": str(self._step.explain())}
