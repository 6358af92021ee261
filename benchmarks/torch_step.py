"""PyTorch's side of `step` and `run`, four ways.

Dense with the fused optimizer, eager or compiled; masked as lottery repositories do it; with the layers of
sparseprop or sparselab for its own.
Networks of images run in the memory layout, NCHW or channels last, in which they are faster here.
Everything that is unpaid work for a fair comparison is done before the clock runs: data and indices are tensors, and
the loss is not read.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.device_peers import tf32, wait
from benchmarks.problems import Problem
from benchmarks.torch_twin import twin
from tinyticket.nn import Module

BATCHES_ON_DEVICE = 1000
"""Batches after which a peer on a device begins anew."""

DENSE = ("torch", "torch-tf32", "torch-compile")
"""Ways that know no masks."""


class TorchStep:
    """A call is one whole training step in PyTorch.

    Parameters
    ----------
    problem
    way
        "torch", "torch-tf32", "torch-masked", "torch-compile", "sparseprop" or "sparselab".
    masks
        "torch" and "torch-compile" are dense whatever the masks: the fastest that PyTorch has.
    layout : {"NCHW", "NHWC"}, optional
        Of images; the faster one if not given.
    device : {"cpu", "cuda"}
        On the latter data and indices lie there, and TF32 is off in all ways but the one that is called so.
    """

    def __init__(
        self,
        problem: Problem,
        way: str,
        masks: dict[str, np.ndarray] | None = None,
        layout: str | None = None,
        device: str = "cpu",
    ):
        import torch

        self._device, self._tf32 = device, way == "torch-tf32"
        if problem.convolutional and layout is None:
            layout = min(("NCHW", "NHWC"), key=lambda choice: _seconds(TorchStep(problem, way, masks, choice, device)))
        self._format = torch.channels_last if layout == "NHWC" else torch.contiguous_format
        self.remark = {} if layout is None else {"peer_layout": layout}
        masked = way == "torch-masked"
        model = problem.model(None if way in DENSE else masks)
        self._network = twin(model)
        self._network = self._network.to(device)
        self._masks = _pairs(model, self._network, masks, device) if masked and masks else []
        if way in SPARSE:
            self._network = _with_layers(self._network, SPARSE[way])
        self._forward = torch.compile(self._loss) if way == "torch-compile" else self._loss
        # The masked way is what people's repositories do, default optimizer and all.
        fused = {} if masked else {"fused": True}
        self._network = self._network.to(memory_format=self._format)
        parameters, rate = self._network.parameters(), problem.learning_rate
        if problem.momentum:
            self._optimizer: Any = torch.optim.SGD(parameters, rate, momentum=problem.momentum, **fused)
        else:
            self._optimizer = torch.optim.Adam(parameters, rate, **fused)
        self._x, self._y = (torch.from_numpy(a).to(device) for a in (problem.data.x_train, problem.data.y_train))
        self._parts = [
            tuple(torch.from_numpy(array) for array in part)
            for part in (problem.validation, (problem.data.x_test, problem.data.y_test))
        ]
        if layout is not None:
            self._x = self._x.contiguous(memory_format=self._format)
        feed = (torch.from_numpy(batch) for batch in problem.batches())
        if device != "cpu":  # as many batches as are likely to be asked for lie there before the clock runs
            feed = itertools.cycle([batch.to(device) for batch in itertools.islice(feed, BATCHES_ON_DEVICE)])
        self._feed: Iterator[Any] = feed

    def _loss(self, x: Any, y: Any) -> Any:
        import torch

        return torch.nn.functional.cross_entropy(self._network(x), y)

    def __call__(self) -> Any:
        with contextlib.nullcontext() if self._device == "cpu" else tf32(self._tf32):
            return self._step()

    def in_runs(self, steps: int) -> Callable[[], Any]:
        """Return a call that takes so many steps and then waits for the device."""

        def run() -> None:
            for _ in range(steps):
                self()
            self.wait()

        return run

    def wait(self) -> None:
        """Wait for the device, if there is one."""
        if self._device != "cpu":
            wait()

    def _step(self) -> Any:
        batch = next(self._feed)
        x = self._x[batch]
        loss = self._forward(x.contiguous(memory_format=self._format) if self.remark else x, self._y[batch])
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


def _seconds(step: TorchStep) -> float:
    """Return the least seconds of a few steps."""
    times = []
    for _ in range(4):
        began = time.perf_counter()
        step()
        step.wait()
        times.append(time.perf_counter() - began)
    return min(times)


def _with_layers(network: Any, made: Callable[[Any], Any]) -> Any:
    import torch

    return torch.nn.Sequential(*(made(layer) if isinstance(layer, torch.nn.Linear) else layer for layer in network))


def _sparseprop(layer: Any) -> Any:
    from sparseprop.modules import SparseLinear

    return SparseLinear.from_dense(layer)


def _sparselab(layer: Any) -> Any:
    """Return sparselab's layer, which draws its own weights, with those of another in their place and no padding."""
    import sparselab
    import torch

    made = sparselab.SparseLinear(layer.in_features, layer.out_features, padding_ratio=0.0)
    made._csr = sparselab.PaddedCSR.from_dense(layer.weight.detach(), padding_ratio=0.0)
    made._values = torch.nn.Parameter(torch.from_numpy(np.asarray(made._csr.values)))
    made.bias.data = layer.bias.data
    return made


SPARSE = {"sparseprop": _sparseprop, "sparselab": _sparselab}
"""How a linear layer becomes one of another library, by way."""


def _pairs(model: Module, network: Any, masks: dict[str, np.ndarray], device: str) -> list[tuple[Any, Any]]:
    """Pair PyTorch's weights with masks of ones and zeros."""
    import torch

    names = [name for name, _ in model.named_parameters()]
    weights = dict(zip(names, network.parameters(), strict=True))
    return [(weights[name], torch.from_numpy(mask.astype(np.float32)).to(device)) for name, mask in masks.items()]
