"""Learning-rate schedules: small values that say by which factor the learning rate is multiplied at an iteration (from 0)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from tinyticket.errors import InputError, near


@dataclass(frozen=True)
class Constant:
    """The learning rate as given, always."""

    def __call__(self, iteration: int) -> float:
        return 1.0


@dataclass(frozen=True)
class MultiStep:
    """Multiply by `gamma` from each milestone on."""

    milestones: tuple[int, ...]
    gamma: float = 0.1

    def __post_init__(self):
        object.__setattr__(self, "milestones", tuple(self.milestones))  # a list, as JSON gives it, is the same schedule

    def __call__(self, iteration: int) -> float:
        return self.gamma ** sum(iteration >= milestone for milestone in self.milestones)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 down to 0 over `iterations`."""

    iterations: int

    def __post_init__(self):
        _check_length(self.iterations)

    def __call__(self, iteration: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(iteration, self.iterations) / self.iterations))


@dataclass(frozen=True)
class Warmup:
    """Rise in a line from 0 to 1 over the first `iterations`, on top of another schedule."""

    iterations: int
    then: Constant | MultiStep | Cosine = Constant()

    def __post_init__(self):
        _check_length(self.iterations)

    def __call__(self, iteration: int) -> float:
        return min(1.0, iteration / self.iterations) * self.then(iteration)


def _check_length(iterations: int) -> None:
    if iterations < 1:
        raise InputError(f"a schedule runs over at least one iteration, not {iterations}")


Schedule = Constant | MultiStep | Cosine | Warmup
KINDS: dict[str, type] = {kind.__name__.lower(): kind for kind in (Constant, MultiStep, Cosine, Warmup)}


def to_plain(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as JSON values, such as {"kind": "multistep", "milestones": [...], "gamma": 0.1}."""
    plain: dict[str, Any] = {"kind": type(schedule).__name__.lower()}
    for field in dataclasses.fields(schedule):
        value = getattr(schedule, field.name)
        plain[field.name] = to_plain(value) if isinstance(value, Schedule) else value
    return plain


def from_plain(plain: dict[str, Any]) -> Schedule:
    """Return the schedule that `to_plain` described."""
    fields = dict(plain)
    kind = fields.pop("kind", "")
    if kind not in KINDS:
        raise InputError(f"no schedule is called {kind!r}{near(kind, KINDS)}")
    if "then" in fields:
        fields["then"] = from_plain(fields["then"])
    return KINDS[kind](**fields)
