"""A step of a model that tells nothing of the size of its images: it is compiled when the first examples show their shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyticket.compiler.calls import array_of
from tinyticket.compiler.eager import EagerStep, Source, test_part, training_part
from tinyticket.compiler.step import CompiledStep
from tinyticket.data.dataset import Inputs
from tinyticket.data.sparse_inputs import is_sparse

AnyStep = CompiledStep | EagerStep


class UnreadStep:
    """What the first examples make a CompiledStep or, if some layer has no kernel, an EagerStep: the attribute `step`.

    Methods and attributes are that step's.
    """

    def __init__(self, unread: EagerStep, make: Callable[[tuple[int, ...]], AnyStep]):
        self.step: AnyStep = unread  # for what needs no examples
        self._make: Callable[[tuple[int, ...]], AnyStep] | None = make

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["step"], name)

    def _read(self, examples: Any) -> AnyStep:
        if self._make is not None:
            self.step, self._make = self._make(examples.shape[1:]), None
        return self.step

    def __call__(self, source: Any, which: np.ndarray) -> float:
        alone = isinstance(source, np.ndarray) or is_sparse(source)
        return self._read(source if alone else training_part(source)[0])(source, which)

    def run(self, source: Source, *batches: Any, **options: Any) -> np.ndarray:
        return self._read(training_part(source)[0]).run(source, *batches, **options)

    def evaluate(self, source: Source) -> tuple[float, float]:
        return self._read(test_part(source)[0]).evaluate(source)

    def predict(self, x: Inputs) -> np.ndarray:
        x = array_of(x)
        return self._read(x).predict(x)

    def backward(self, x: np.ndarray, y: np.ndarray, *candidates: Any) -> tuple[float, dict[str, np.ndarray]]:
        return self._read(x).backward(x, y, *candidates)

    def gradients(self, x: np.ndarray, y: np.ndarray, *candidates: Any) -> dict[str, np.ndarray]:
        return self.backward(x, y, *candidates)[1]
