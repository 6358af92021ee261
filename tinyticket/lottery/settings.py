"""Everything that decides an experiment's result, checked once and written to its file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from tinyticket.data.augmentation import by_name
from tinyticket.errors import InputError, near
from tinyticket.lottery.controls import parse_controls
from tinyticket.lottery.device import check_device_settings
from tinyticket.lottery.mask_0 import check_mask_0
from tinyticket.lottery.methods import METHODS, check_method
from tinyticket.lottery.methods.early_bird import SCALE_PENALTY
from tinyticket.lottery.methods.gradual import parse_gradual
from tinyticket.lottery.pruning import AT_INIT, CRITERIA, check_pruning
from tinyticket.lottery.rewinding import check_rewinding
from tinyticket.optim.schedules import Constant, Schedule, from_plain, parse, to_plain
from tinyticket.prune import parse_fractions
from tinyticket.results.verdict import MARGIN

OPTIMIZERS = ("adam", "sgd", "momentum", "nesterov")
EXTENDABLE = ("rounds", "trials")  # a later run may ask for more of these


@dataclass(frozen=True)
class Settings:
    """The settings of an experiment; two runs with equal ones give equal files.

    Attributes
    ----------
    data, model : str
        Names, as the user gave them.
    rounds : int
        How many times to prune; with `one_shot`, as many as it has densities.
    iterations, batch_size, evaluate_every : int
        Length of a training, examples in a batch, iterations between evaluations.
    lr : float
    optimizer : {"adam", "sgd", "momentum", "nesterov"}
        The last two with momentum 0.9.
    weight_decay : float
    schedule : Schedule
    prune : dict
        Fraction of the survivors removed per round from each group of layers; empty with `one_shot`.
    one_shot : tuple of float
        Densities to prune to in one shot; empty for iterative pruning.
    scope : {"layer", "global", "uniform", "erk"}
    trials, seed : int
    controls : tuple of str
    validation : int
        Examples split off the training set.
    eager : bool
        Whether training goes through the autograd where it could be compiled: float32 rounds differently there.
    augment : {"none", "flip-crop"}
        What happens to images whenever they are trained on.
    recipe : str
        Name of the recipe that filled in what was not given, or "none".
    rewind : {"weights", "lr", "finetune"}
        What goes back after pruning.
    rewind_to : int
        The iteration to which it goes back.
    criterion : str
        A name in `pruning.AFTER_TRAINING`, or with `one_shot` in `pruning.AT_INIT`.
    gradual : tuple of int
        With `one_shot`: at which iteration pruning begins, at which it ends, and how many lie between two prunings; empty for
        pruning between trainings.
    masks_from : str
        What identifies the file whose masks and initial weights these are (`transfer.label`), or "none".
    method : str
        A name in `methods.METHODS`: how masks are found.
    update_every, drop : int, float
        Of dynamic sparse training: iterations between updates of the mask, and the first fraction dropped.
    early_bird_by : {"weights", "channels"}
        What an early bird's masks are of.
    scale_penalty : float
        Strength of the L1 penalty on the scales of batch normalisation while an early bird's masks of channels are drawn.
    strategy : {"reset", "continue"}
        Whether a round prunes the ticket of the round before, or a network that keeps its weights between prunings.
    mask_0 : {"zero", "freeze", "freeze-away"}
        What pruned weights are.
    signed_constant, rescale, score_lr : bool, bool, float
        Of the methods that leave weights untrained; the rate is 0 for others.
    device : {"cpu", "cuda"}
        Where networks are trained: float32 rounds differently there.
    margin : float
        Of the verdict: the accuracy by which a ticket may be below its dense network and still match it. It is set beforehand.

    Settings with a default came after the first files. They are written only where they differ from it, and a file without them
    means it: that is what was done before there was a choice.
    """

    data: str
    model: str
    rounds: int
    iterations: int
    batch_size: int
    lr: float
    optimizer: str
    weight_decay: float
    schedule: Schedule
    prune: dict[str, float]
    one_shot: tuple[float, ...]
    scope: str
    trials: int
    controls: tuple[str, ...]
    seed: int
    validation: int
    evaluate_every: int
    eager: bool
    rewind: str = "weights"
    rewind_to: int = 0
    strategy: str = "reset"
    criterion: str = "magnitude"
    gradual: tuple[int, ...] = ()
    masks_from: str = "none"
    method: str = "tickets"
    update_every: int = 100
    drop: float = 0.3
    augment: str = "none"
    recipe: str = "none"
    mask_0: str = "zero"
    signed_constant: bool = False
    rescale: bool = False
    score_lr: float = 0.0
    early_bird_by: str = "weights"
    scale_penalty: float = 0.0
    device: str = "cpu"
    margin: float = MARGIN

    def __post_init__(self):
        for name, least in {
            "rounds": 0,
            "iterations": 1,
            "batch_size": 1,
            "trials": 1,
            "seed": 0,
            "validation": 1,
            "evaluate_every": 1,
            "update_every": 1,
        }.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise InputError(f"{name.replace('_', ' ')} is a whole number of at least {least}, not {value!r}")
        if not (0 < self.lr < math.inf and 0 <= self.weight_decay < math.inf):
            raise InputError(
                f"the learning rate is above 0 and the weight decay at least 0; got {self.lr} and {self.weight_decay}"
            )
        if not 0 <= self.margin < 1:
            raise InputError(f"the margin is a share of the test examples, such as 0.002, not {self.margin}")
        if not 0 <= self.scale_penalty < math.inf:
            raise InputError(f"the penalty of scales is at least 0, not {self.scale_penalty}")
        if not isinstance(self.schedule, Schedule):
            raise InputError(f"the schedule is one of tinyticket.optim's, not {self.schedule!r:.60}")
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"no optimizer is called {self.optimizer!r}{near(self.optimizer, OPTIMIZERS)}")
        by_name(self.augment)  # says what is wrong with it
        rewinds = self.rewind != "weights" or self.rewind_to != 0
        check_pruning(self.criterion, self.scope, bool(self.one_shot), rewinds)
        check_rewinding(self.rewind, self.rewind_to, self.strategy, self.iterations, bool(self.one_shot))
        check_mask_0(self)
        check_method(self)
        check_device_settings(self)

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as JSON values, without those that are at their defaults."""
        plain = {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }
        lists = {name: list(value) for name, value in plain.items() if isinstance(value, tuple)}
        return plain | lists | {"schedule": to_plain(self.schedule)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Settings:
        """Return the settings that `to_plain` wrote.

        Raises
        ------
        InputError
            If there are some that this version does not know.
        """
        if unknown := plain.keys() - {field.name for field in dataclasses.fields(cls)}:
            raise InputError(
                f"the experiment has the setting {', '.join(sorted(unknown))}, which this version of tinyticket does not know; "
                "go on with it with the version that wrote it, or a newer one"
            )
        tuples = {name: tuple(value) for name, value in plain.items() if isinstance(value, list)}
        return cls(**{**plain, **tuples, "schedule": from_plain(plain["schedule"])})

    def check_continues(self, recorded: Settings, where: str) -> None:
        """Raise InputError unless these settings continue or extend the recorded ones; the settings that differ are named."""
        differing = []
        for field in dataclasses.fields(self):
            now, before = getattr(self, field.name), getattr(recorded, field.name)
            if now != before and not (field.name in EXTENDABLE and now > before):
                differing.append(f"{field.name.replace('_', '-')} was {_show(before)} and is now {_show(now)}")
        if differing:
            raise InputError(
                f"{where} holds an experiment with other settings: {'; '.join(differing)}. Repeat its settings to go on "
                "with it (more rounds or trials extend it), or choose another file"
            )


def resolve(
    *,
    data: str,
    model: str,
    training_examples: int,
    rounds: int | None = None,
    iterations: int | None = None,
    batch_size: int | None = None,
    lr: float = 1.2e-3,
    optimizer: str = "adam",
    weight_decay: float = 0.0,
    schedule: Schedule | str | None = None,
    prune: float | str | Mapping[str, float] | None = None,
    one_shot: float | Iterable[float] | None = None,
    criterion: str = "magnitude",
    scope: str | None = None,
    trials: int | None = None,
    controls: str | Iterable[str] | None = None,
    seed: int = 0,
    validation: int | None = None,
    evaluate_every: int | None = None,
    eager: bool = False,
    augment: str = "none",
    recipe: str = "none",
    rewind: str = "weights",
    rewind_to: int = 0,
    strategy: str = "reset",
    gradual: str | Iterable[int] | None = None,
    masks_from: str = "none",
    method: str = "tickets",
    update_every: int | None = None,
    drop: float = 0.3,
    mask_0: str = "zero",
    signed_constant: bool = False,
    rescale: bool = False,
    score_lr: float | None = None,
    early_bird_by: str = "weights",
    scale_penalty: float | None = None,
    device: str = "cpu",
    margin: float | None = None,
) -> Settings:
    """Fill in what was left open: the paper's Lenet recipe, shortened for data sets below 10,000 examples such as the digits.

    docs/verdict.md says why the digits have 12 trials, and small data a margin of half a point.
    """
    small = training_examples < 10_000
    criterion, method = CRITERIA.name_of(criterion), METHODS.name_of(method)
    defaults: dict[str, Any] = {
        "scope": "global" if criterion in AT_INIT else "layer",
        "controls": ("reinit", "random"),
    }
    defaults |= METHODS[method].defaults
    scope = str(defaults["scope"] if scope is None else scope)
    controls = defaults["controls"] if controls is None else controls
    if scale_penalty is None:
        scale_penalty = SCALE_PENALTY if early_bird_by == "channels" else 0.0
    if one_shot is not None:
        for name, value in {"rounds": rounds, "prune": prune}.items():
            if value is not None:
                raise InputError(
                    f"{name} and one-shot exclude each other: one-shot prunes the dense network once to each density"
                )
        if isinstance(one_shot, int | float):
            one_shot = [one_shot]
        one_shot = tuple(float(density) for density in one_shot)
        if not one_shot or len(set(one_shot)) < len(one_shot):
            raise InputError(f"one-shot wants one or more different densities; got {one_shot}")
        rounds, fractions = len(one_shot), {}
    else:
        rounds = defaults.get("rounds") if rounds is None else rounds
        prune = defaults.get("prune", 0.2) if prune is None else prune
        fractions = parse_fractions(prune, scope) if prune != {} else {}
    return Settings(
        data=data,
        model=model,
        rounds=_default(rounds, 8 if small else 13),
        iterations=_default(iterations, 600 if small else 10_000),
        batch_size=_default(batch_size, 60),
        lr=float(lr),  # NumPy's scalars are no JSON
        optimizer=optimizer,
        weight_decay=float(weight_decay),
        schedule=parse(schedule) if isinstance(schedule, str) else schedule or Constant(),
        prune=fractions,
        one_shot=one_shot or (),
        scope=scope,
        trials=_default(trials, (12 if data == "digits" else 3) if small else 1),
        controls=parse_controls(controls),
        seed=_default(seed, 0),
        validation=_default(validation, max(1, min(200, training_examples // 5)) if small else 5_000),
        evaluate_every=_default(evaluate_every, 20 if small else 100),
        eager=bool(eager),
        augment=augment,
        recipe=recipe,
        rewind=rewind,
        rewind_to=_default(rewind_to, 0),
        strategy=strategy,
        criterion=criterion,
        gradual=parse_gradual(gradual),
        masks_from=masks_from,
        method=method,
        update_every=_default(update_every, 100),
        drop=float(drop),
        mask_0=mask_0,
        signed_constant=bool(signed_constant),
        rescale=bool(rescale),
        early_bird_by=early_bird_by,
        scale_penalty=float(scale_penalty),
        score_lr=float(defaults.get("score_lr", 0.0) if score_lr is None else score_lr),
        device=device,
        margin=float((0.005 if small else MARGIN) if margin is None else margin),
    )


def _default(value: int | None, default: int) -> int:
    return default if value is None else int(value) if isinstance(value, Integral) else value  # NumPy's integers too


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={number:g}" for key, number in value.items()) or "nothing"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value)
