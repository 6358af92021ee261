"""The same network in PyTorch, with the same weights."""

import inspect
from typing import Any

import numpy as np

from tinyticket.errors import InputError
from tinyticket.nn import GlobalAvgPool2d, Module, Residual, Sequential, ZeroPad2d, ZeroPadChannels


def twin(model: Module) -> Any:
    """Return the same network with the same weights in PyTorch."""
    import torch

    network = _twin(model)
    state = network.state_dict()
    values = [torch.from_numpy(value) for value in model.state_dict().values()]
    # Both list parameters before buffers when asked for them apart, layer by layer.
    ours = [*model.named_parameters(), *model.named_buffers()]
    theirs = [*network.named_parameters(), *((n, b) for n, b in network.named_buffers() if "num_batches" not in n)]
    assert len(values) == len(ours) == len(theirs) <= len(state)
    with torch.no_grad():
        for (_, to), (_, source) in zip(theirs, ours, strict=True):
            to.copy_(torch.from_numpy(np.array(source.data)))
    return network


def _twin(module: Module) -> Any:
    import torch

    if isinstance(module, Sequential):
        return torch.nn.Sequential(*(_twin(part) for part in module))
    if isinstance(module, Residual):
        return _residual(_twin(module.body), torch.nn.Identity() if module.shortcut is None else _twin(module.shortcut))
    if isinstance(module, GlobalAvgPool2d):
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    if isinstance(module, ZeroPadChannels):
        return torch.nn.ZeroPad3d((0, 0, 0, 0, *module.padding))
    if isinstance(module, ZeroPad2d):
        return torch.nn.ZeroPad2d(module.padding)
    kind = getattr(torch.nn, type(module).__name__, None)
    if kind is None:
        raise InputError(f"PyTorch has no layer {type(module).__name__} to compare with")
    known = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in module.settings().items() if name in known})


def _residual(body: Any, shortcut: Any) -> Any:
    import torch

    class Residual(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x: Any) -> Any:
            return torch.relu(self.body(x) + self.shortcut(x))

    return Residual()
