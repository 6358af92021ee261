"""With which optimizer and through which step a network is trained, and how the plan of a training says so."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from tinyticket.compiler import CompiledStep, EagerStep
from tinyticket.compiler.choose import choose
from tinyticket.compiler.eager import Pair
from tinyticket.data.sparse_inputs import is_sparse
from tinyticket.errors import InputError
from tinyticket.lottery.settings import Settings
from tinyticket.nn import Module, own_class
from tinyticket.nn.losses import Loss
from tinyticket.nn.sources import interpolated_norms
from tinyticket.optim import SGD, Adam, AdamW, Optimizer, SignIn

Step = CompiledStep | EagerStep
ADAMS = {"adam": Adam, "adamw": AdamW}
BY_NAME = {**ADAMS, "sign-in": SignIn}


def make_optimizer(model: Module, settings: Settings) -> Optimizer:
    """Return the optimizer that the settings name."""
    if settings.optimizer in BY_NAME:
        return BY_NAME[settings.optimizer](model.parameters(), settings.lr, weight_decay=settings.weight_decay)
    momentum, nesterov = 0.0 if settings.optimizer == "sgd" else 0.9, settings.optimizer == "nesterov"
    return SGD(model.parameters(), settings.lr, momentum, settings.weight_decay, nesterov)


def make_step(
    model: Module,
    loss: Loss,
    optimizer: Optimizer,
    settings: Settings,
    examples: Pair,
    threads: int,
    plan: Mapping[str, Any] | None,
) -> Step:
    """Return the step that trains a network on such examples, as a plan says if there is one."""
    plan = plan or {}
    if settings.eager or plan.get("mode") == "eager":
        return EagerStep(model, optimizer, threads, loss=loss)
    if settings.interpolate_norms:
        if not interpolated_norms(model, None):
            raise InputError("interpolate-norms wants a network with normalisation, and this one has none")
        return EagerStep(model, optimizer, threads, "scales and shifts of normalisation are interpolated", loss)
    if own := own_class(model):  # whose forward() may do more than one look at the tape can tell
        if settings.device != "cpu":
            compiled = f"device {settings.device} runs compiled networks only"
            raise InputError(f"{compiled}, and {own} is a class of your own, which trains through the autograd")
        return EagerStep(model, optimizer, threads, f"{own} is a class of your own", loss)
    if is_sparse(examples[0]) and settings.device != "cpu":
        raise InputError(
            f"device {settings.device} trains on dense examples, not on a sparse matrix, which the CPU takes"
        )
    if examples[1].dtype.names:
        if settings.device != "cpu":
            raise InputError(f"device {settings.device} trains examples that count the same; leave their weights out")
        return EagerStep(model, optimizer, threads, "examples have weights", loss)
    return choose(
        model,
        loss,
        optimizer,
        settings.batch_size,
        threads=threads,
        kernels=plan.get("kernels"),
        turns=plan.get("turns", "batch") if plan else None,
        subnormals=plan.get("subnormals", "kept") if plan else None,
        input_shape=examples[0].shape[1:],
        device=settings.device,
        exact_convolutions=settings.exact_convolutions,
    )


def executed(plans: list[dict[str, Any]], last: dict[str, Any]) -> dict[str, Any]:
    """Return the last plan of a training, and "before" it those of earlier masks that were others, each "until" an iteration."""
    pairs = itertools.pairwise([*plans, last])
    before = [plan for plan, after in pairs if plan != {**after, "until": plan["until"]}]
    return {**last, **({"before": before} if before else {})}
