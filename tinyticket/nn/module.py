"""Module: a part of a network that owns parameters, buffers and other modules, found by walking its attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinyticket.autograd import Tensor
from tinyticket.nn.parameter import Buffer, Parameter, Structure
from tinyticket.notebook import table


class Module:
    """Base of every layer and network. A subclass sets attributes in `__init__` and writes `forward`.

    Attributes that are Parameters, Buffers or Modules, or lists of Modules, belong to the module; names follow the attributes,
    such as "fc1.weight", or "layers.0.weight" for lists.
    """

    training: bool = True

    def forward(self, *inputs: Any) -> Tensor:
        """Compute the module's output; subclasses write it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *inputs: Any) -> Tensor:
        return self.forward(*inputs)

    # -- what it owns

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of the modules directly inside this one, in the order in which they were set."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list | tuple):
                yield from ((f"{name}.{i}", part) for i, part in enumerate(value) if isinstance(part, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of this module, named "", and of all below it."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def _owned(self, kind: type) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, kind) and id(value) not in seen:  # a shared parameter counts once
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (name, parameter) of all parameters."""
        return self._owned(Parameter)

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Yield (name, buffer) of all buffers."""
        return self._owned(Buffer)

    def structure(self) -> dict[str, np.ndarray]:
        """Return the read-only arrays of whole numbers that say what weights are of, such as connections, by name."""
        return {name: buffer.data for name, buffer in self._owned(Structure)}

    def prunable(self) -> dict[str, Parameter]:
        """Return the weights that pruning may touch, by name: those of layers that declare one, never biases or normalisation."""
        weights = {id(module.weight) for _, module in self.named_modules() if isinstance(module, Prunable)}
        return {name: parameter for name, parameter in self.named_parameters() if id(parameter) in weights}

    # -- its state

    def _named_state(self) -> dict[str, Parameter | Buffer]:
        return {**dict(self.named_parameters()), **dict(self.named_buffers())}

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and buffers, by name; of a Structure the array itself, which never changes."""
        return {name: owned.snapshot() for name, owned in self._named_state().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set all parameters and buffers; pruned weights stay zero.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or a shape differs; nothing has been set then.
        """
        owned = self._named_state()
        missing, unknown = owned.keys() - state.keys(), state.keys() - owned.keys()
        if missing or unknown:
            raise ValueError(f"the state does not fit this model: missing {sorted(missing)}, unknown {sorted(unknown)}")
        for name, value in state.items():
            if np.shape(value) != owned[name].data.shape:
                raise ValueError(f"{name} has shape {owned[name].data.shape} here, {np.shape(value)} in the state")
        for name, value in state.items():
            owned[name].data = value

    def reset_parameters(self, rng: Any) -> None:
        """Draw all initial values anew from a generator, part by part.

        A module that owns parameters itself must say how they are drawn by overriding this.
        """
        if own := [name for name, value in vars(self).items() if isinstance(value, Parameter)]:
            raise TypeError(
                f"{type(self).__name__} owns {', '.join(own)} but does not say how to draw initial values: "
                "give it a method reset_parameters(self, rng)"
            )
        rng = np.random.default_rng(rng)
        for _, child in self.children():
            child.reset_parameters(rng)

    def astype(self, dtype: Any) -> Module:
        """Turn all parameters and floating buffers into float32 or float64, in place; make optimizers afterwards."""
        for parameter in self.parameters():
            parameter.convert(dtype)
        for _, buffer in self.named_buffers():
            buffer.convert(dtype)
        return self

    # -- training or evaluation

    def train(self, mode: bool = True) -> Module:
        """Set training mode for this module and all below it (dropout drops, statistics run)."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Set evaluation mode for this module and all below it."""
        return self.train(False)

    # -- how it looks

    def settings(self) -> dict[str, Any]:
        """Return the arguments that make this module again, apart from the modules inside it."""
        return {}

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in self.settings().items())
        inside = [f"  {name}: " + repr(child).replace("\n", "\n  ") for name, child in self.children()]
        return (
            f"{type(self).__name__}({settings})"
            if not inside
            else "\n".join([f"{type(self).__name__}({settings}", *inside, ")"])
        )

    def _repr_html_(self) -> str:
        """Return a table of the layers: what they are, the shapes of their weights, and how many of these are left."""
        rows = [
            (name, type(layer).__name__, *_weight_words(vars(layer).get("weight")))
            for name, layer in self.named_modules()
            if not any(layer.children())
        ]
        return table(("layer", "kind", "weight", "density"), rows)


def _weight_words(weight: Parameter | None) -> tuple[str, str]:
    """Return the shape of a layer's weight and the share of it that its mask keeps, or nothing."""
    if not isinstance(weight, Parameter):
        return "", ""
    density = 1.0 if weight.mask is None else float(weight.mask.mean())
    return " x ".join(map(str, weight.shape)), f"{density:.1%}"


class Prunable(Module):
    """A module whose `weight`, of shape (out, in, ...), pruning may touch.

    `group` says which layers share a fraction: "fc" or "conv".
    """

    group: str
    weight: Parameter
