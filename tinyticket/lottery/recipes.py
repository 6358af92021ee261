"""Published experiments by name: settings that `find` takes where it was given none of its own.

Frankle and Carbin 2019 (arXiv 1803.03635): figure 2 has networks, optimizers and pruning, section 4 the lower and the warmed-up
learning rates of the two deep networks. Their "Resnet-18" is the residual network of 20 layers. The number of rounds is ours: down
to below 2% of the weights, where the paper's claims end, and in the residual network, of 271,000 weights in all, to 7%.

Mocanu et al. 2018 (SET, arXiv 1707.04780) and Wesselink et al. 2024 (Nerva, arXiv 2407.17437): networks that were never dense, with
the batches, learning rates, dropout, activations, initial weights and lengths of their experiments. Nerva's connections rest; ours
move beside resting ones.

Zhang et al. 2025 (CHTs, arXiv 2501.19107): networks with 1% of the links in all layers but the last, with the optimizer, learning
rates, first graphs and weights of the commands in their repository (biomedical-cybernetics/Cannistraci-Hebb-training).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyticket.lottery.registry import Registry
from tinyticket.lottery.settings.defaults import Options, merge

_EVERYWHERE: Options = {
    "trials": 5,
    "controls": "reinit,reinit-2,reinit-3",
    "validation": 5_000,
    "evaluate_every": 100,
    "weight_decay": 0.0,
    "schedule": "constant",
    "augment": "none",
    "scope": "layer",
}


def _small(model: str, iterations: int, lr: float, prune: str, rounds: int, data: str = "cifar10") -> Options:
    """Return the settings of a network that is trained by Adam and pruned layer by layer."""
    own = {"model": model, "data": data, "iterations": iterations, "lr": lr, "prune": prune, "rounds": rounds}
    return {**_EVERYWHERE, "batch_size": 60, "optimizer": "adam", **own}


_DEEP: Options = {
    **_EVERYWHERE,
    "data": "cifar10",
    "optimizer": "momentum",
    "lr": 0.1,
    "weight_decay": 1e-4,
    "augment": "flip-crop",
    "scope": "global",
    "prune": "conv=0.2,fc=0,output=0",
}
_RESNET: Options = {
    **_DEEP, "model": "resnet-20", "iterations": 30_000, "batch_size": 128, "schedule": "step:20000,25000", "rounds": 12,
}  # fmt: skip
_VGG: Options = {  # 703 whole batches an epoch: the drops are after 80 and 120 of the 160 epochs
    **_DEEP, "model": "vgg-19", "iterations": 112_480, "batch_size": 64, "schedule": "step:56240,84360", "rounds": 18,
}  # fmt: skip


_MOVING: Options = {
    **_EVERYWHERE, "batch_size": 100, "lr": 0.01, "method": "set", "one_shot": "1", "scope": "erk", "controls": "static",
}  # fmt: skip


def _never_dense(model: str, data: str, optimizer: str, epochs: int, **own: Any) -> Options:
    """Return the settings of a network whose connections move after every epoch, beside the same ones at rest."""
    epoch = 450 if data == "cifar10" else 550  # batches
    own = {"model": f"sparse-mlp-{model}", "data": data, "optimizer": optimizer, **own}
    return {**_MOVING, **own, "iterations": epoch * epochs, "evaluate_every": epoch}


def _set(sizes: str, data: str, **own: Any) -> Options:
    """Return the settings of one of SET's networks, as its authors' code for CIFAR-10 trains it."""
    return _never_dense(f"{sizes}@e20-dropout0.3-srelu-layerfans", data, "momentum", 1000, method="set-original", **own)


def _cht(data: str) -> Options:
    """Return the settings of a network of Cannistraci-Hebb training, as its authors' code trains it."""
    epoch, epochs = 1718, 100  # whole batches
    return {
        **_EVERYWHERE, "model": "mlp-784-784-784-784-10", "data": data, "method": "cht-original", "one_shot": "0.01",
        "scope": "uniform-last-dense", "first_graph": "correlated", "first_weights": "scaled", "controls": "static",
        "optimizer": "momentum", "lr": 0.025, "weight_decay": 5e-4, "batch_size": 32, "iterations": epoch * epochs,
        "schedule": f"linear:{epoch * epochs}:0.01", "evaluate_every": epoch,
    }  # fmt: skip


_OWN: dict[str, Options] = {
    "frankle-carbin/lenet": _small("lenet-300-100", 50_000, 1.2e-3, "conv=0.2,fc=0.2,output=0.1", 18, data="mnist"),
    "frankle-carbin/conv-2": _small("conv-2", 20_000, 2e-4, "conv=0.1,fc=0.2,output=0.1", 18),
    "frankle-carbin/conv-4": _small("conv-4", 25_000, 3e-4, "conv=0.1,fc=0.2,output=0.1", 22),
    "frankle-carbin/conv-6": _small("conv-6", 30_000, 3e-4, "conv=0.15,fc=0.2,output=0.1", 22),
    "frankle-carbin/resnet-18": _RESNET,
    "frankle-carbin/resnet-18-low": {**_RESNET, "lr": 0.01},
    "frankle-carbin/resnet-18-warmup": {**_RESNET, "lr": 0.03, "schedule": "warmup:20000+step:20000,25000"},
    "frankle-carbin/vgg-19": _VGG,
    "frankle-carbin/vgg-19-low": {**_VGG, "lr": 0.01},
    "frankle-carbin/vgg-19-warmup": {**_VGG, "schedule": "warmup:10000+step:56240,84360"},
    "mocanu/set-mnist": _set("784-1000-1000-1000-10", "mnist"),
    "mocanu/set-fashion-mnist": _set("784-1000-1000-1000-10", "fashion-mnist"),
    "mocanu/set-cifar10": _set("3072-4000-1000-4000-10", "cifar10", augment="flip-crop-turn"),
    "zhang/cht-mnist": _cht("mnist"),
    "zhang/cht-fashion-mnist": _cht("fashion-mnist"),
    "wesselink/nerva-cifar10": _never_dense(
        "3072-1024-1024-1024-10@0.01", "cifar10", "nesterov", 100, update_every=450
    ),
}
RECIPES = Registry("recipe", _OWN, lambda recipe: isinstance(recipe, Mapping), "a table of options of find")

DEFAULTS: Options = {"model": "lenet-300-100", "data": "digits"}


def fill(recipe: str | None, given: Options) -> Options:
    """Return options of `find`: what was given, where None is not, then the recipe's, then the model and data of no recipe."""
    given = {name: value for name, value in given.items() if value is not None}
    if recipe in (None, "none"):
        return {**DEFAULTS, **given}
    return {**merge(RECIPES[RECIPES.name_of(recipe)], given), "recipe": recipe}


def describe(recipe: str) -> str:
    """Return a recipe's settings in one line."""
    options = RECIPES[recipe]
    shown = (f"{name.replace('_', '-')} {options[name]}" for name in ("iterations", "batch_size", "lr", "schedule"))
    return f"{options['model']} on {options['data']}, {options['optimizer']}, {', '.join(shown)}"
