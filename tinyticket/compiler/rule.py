"""What a compiled step knows of its optimizer: the kernel that updates by its rule, and its L1 penalties."""

from __future__ import annotations

from typing import Any

from tinyticket.compiler.tape import UnsupportedError
from tinyticket.errors import InputError
from tinyticket.nn import Parameter
from tinyticket.optim import SGD, Adam, Optimizer


def rule_of(optimizer: Optimizer | None, parameters: list[Parameter]) -> tuple[str, dict[str, Any]]:
    """Return the name of the optimizer's kernel and its settings; without one, those that need least memory.

    An UnsupportedError says that there is no such kernel, or that the optimizer updates other parameters.
    """
    if optimizer is None:
        return "sgd", {}
    if {id(parameter) for parameter in parameters} != {id(parameter) for parameter in optimizer.params}:
        raise UnsupportedError("the optimizer does not update exactly the model's parameters")
    options: dict[str, Any] = {"weight_decay": optimizer.weight_decay}
    if type(optimizer) is Adam:
        return "adam", options | {"betas": optimizer.betas, "epsilon": optimizer.eps}
    if type(optimizer) is SGD:
        rule = "nesterov" if optimizer.nesterov else "momentum" if optimizer.momentum else "sgd"
        return rule, options | {"momentum": optimizer.momentum}
    raise UnsupportedError(f"there is no compiled kernel for the optimizer {type(optimizer).__name__}")


def penalties_of(optimizer: Optimizer | None, device: str) -> dict[Parameter, float]:
    """Return the strengths of an optimizer's L1 penalties, by parameter; InputError for those that have no compiled kernel."""
    if optimizer is None:
        return {}
    penalties = {p: strength for p, strength in zip(optimizer.params, optimizer.l1, strict=True) if strength}
    if any(p.ndim == 2 for p in penalties) or (penalties and device != "cpu"):
        which = "for the CPU, and not for weights of linear layers"
        raise InputError(f"L1 penalties are compiled {which}: train eagerly, or penalise other parameters")
    return penalties
