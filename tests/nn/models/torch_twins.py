"""A network's twin in PyTorch, made of its description, with the same weights."""

import numpy as np

from tinyticket.nn import Module, describe


def twin(model: Module, torch):
    """Return a PyTorch module that computes the same as `model`, in float64."""
    theirs = _build(describe(model), torch).double()
    state = {name: torch.tensor(array.astype(np.float64)) for name, array in model.state_dict().items()}
    missing, unknown = theirs.load_state_dict(state, strict=False)
    assert not unknown
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return theirs


def _build(description, torch):
    arguments = dict(description)
    kind = arguments.pop("layer")
    arguments.pop("init", None)
    if kind in ("Sequential", "Residual"):
        parts = {name: _build(part, torch) for name, part in arguments["parts"].items()}
        return (_chain if kind == "Sequential" else _residual)(parts, torch)
    if kind == "GlobalAvgPool2d":
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    if kind == "ZeroPadChannels":
        return torch.nn.ConstantPad3d((0, 0, 0, 0, *arguments["padding"]), 0.0)
    return getattr(torch.nn, kind)(**arguments)


def _chain(parts, torch):
    chain = torch.nn.Sequential()
    for name, part in parts.items():
        chain.add_module(name, part)
    return chain


def _residual(parts, torch):
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.shortcut = parts["body"], parts.get("shortcut", torch.nn.Identity())

        def forward(self, x):
            return torch.relu(self.body(x) + self.shortcut(x))

    return Block()
