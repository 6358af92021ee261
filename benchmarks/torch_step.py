"""PyTorch's side of `step` and `run`, four ways.

Dense with the fused Adam, eager or compiled; masked as lottery repositories do it; with sparseprop's layers for its own.
Everything that is unpaid work for a fair comparison is done before the clock runs: data and indices are tensors, and
nobody reads the loss.
"""

import inspect
from typing import Any

import numpy as np

from benchmarks.problems import LEARNING_RATE, Problem
from tinyticket.errors import InputError
from tinyticket.nn import Module

DENSE = ("torch", "torch-compile")
"""Ways that know no masks."""


def twin(model: Module) -> Any:
    """Return the same network with the same weights in PyTorch."""
    import torch

    layers = [module for _, module in model.named_modules() if not list(module.children())]
    made = []
    for layer in layers:
        kind = getattr(torch.nn, type(layer).__name__, None)
        if kind is None:
            raise InputError(f"PyTorch has no layer {type(layer).__name__} to compare with")
        known = inspect.signature(kind).parameters
        made.append(kind(**{name: value for name, value in layer.settings().items() if name in known}))
    network = torch.nn.Sequential(*made)
    with torch.no_grad():
        for theirs, ours in zip(network.parameters(), model.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.data))
    return network


class TorchStep:
    """A call is one whole training step in PyTorch.

    Parameters
    ----------
    problem
    way
        "torch", "torch-masked", "torch-compile" or "sparseprop".
    masks
        "torch" and "torch-compile" are dense whatever the masks: the fastest that PyTorch has.
    """

    def __init__(self, problem: Problem, way: str, masks: dict[str, np.ndarray] | None = None):
        import torch

        masked = way == "torch-masked"
        model = problem.model(None if way in DENSE else masks)
        self._network = twin(model)
        self._masks = _pairs(model, self._network, masks) if masked and masks else []
        if way == "sparseprop":
            self._network = _with_sparse_layers(self._network)
        self._forward = torch.compile(self._loss) if way == "torch-compile" else self._loss
        # The masked way is what people's repositories do, default optimizer and all.
        fused = {} if masked else {"fused": True}
        self._optimizer = torch.optim.Adam(self._network.parameters(), LEARNING_RATE, **fused)
        self._x, self._y = (torch.from_numpy(a) for a in (problem.data.x_train, problem.data.y_train))
        self._parts = [
            tuple(torch.from_numpy(array) for array in part)
            for part in (problem.validation, (problem.data.x_test, problem.data.y_test))
        ]
        self._feed = (torch.from_numpy(batch) for batch in problem.batches())

    def _loss(self, x: Any, y: Any) -> Any:
        import torch

        return torch.nn.functional.cross_entropy(self._network(x), y)

    def __call__(self) -> Any:
        batch = next(self._feed)
        loss = self._forward(self._x[batch], self._y[batch])
        self._optimizer.zero_grad()
        loss.backward()
        for weight, mask in self._masks:
            weight.grad.mul_(mask)
        self._optimizer.step()
        for weight, mask in self._masks:
            weight.data.mul_(mask)
        return loss

    def evaluate(self) -> list[tuple[float, float]]:
        """Evaluate validation and test examples, each part in one go."""
        import torch

        results = []
        with torch.inference_mode():
            for x, y in self._parts:
                logits = self._network(x)
                loss = torch.nn.functional.cross_entropy(logits, y)
                results.append((loss.item(), (logits.argmax(1) == y).float().mean().item()))
        return results


def _with_sparse_layers(network: Any) -> Any:
    import torch
    from sparseprop.modules import SparseLinear

    return torch.nn.Sequential(
        *(SparseLinear.from_dense(layer) if isinstance(layer, torch.nn.Linear) else layer for layer in network)
    )


def _pairs(model: Module, network: Any, masks: dict[str, np.ndarray]) -> list[tuple[Any, Any]]:
    """Pair PyTorch's weights with masks of ones and zeros."""
    import torch

    names = [name for name, _ in model.named_parameters()]
    weights = dict(zip(names, network.parameters(), strict=True))
    return [(weights[name], torch.from_numpy(mask.astype(np.float32))) for name, mask in masks.items()]
