"""What decides an experiment's result and how it is run, each setting declared once.

The signature and documentation of `find`, the command line with its help, what files hold and docs/format.md are made from this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyticket.compiler.network import DEVICES
from tinyticket.data.augmentation import NAMES as AUGMENTATIONS
from tinyticket.errors import InputError
from tinyticket.lottery.callbacks import Callback, in_order
from tinyticket.lottery.controls import parse_controls
from tinyticket.lottery.losses import LOSSES, check_loss, read_class_weights
from tinyticket.lottery.mask_0 import MASK_0, check_mask_0
from tinyticket.lottery.methods import METHODS, check_device, check_method
from tinyticket.lottery.methods.early_bird import BY as EARLY_BIRDS
from tinyticket.lottery.methods.gradual import parse_gradual
from tinyticket.lottery.pruning import CRITERIA, SCOPES, check_pruning
from tinyticket.lottery.rewinding import OPTIMIZERS as REWOUND
from tinyticket.lottery.rewinding import REWINDS, STRATEGIES, check_rewinding
from tinyticket.lottery.settings import readers
from tinyticket.lottery.settings.declare import BySize, Declared, Open, setting, settings_of
from tinyticket.nn import models
from tinyticket.optim.schedules import Schedule, to_plain
from tinyticket.prune import TIES, check_graph
from tinyticket.results.result import Result
from tinyticket.results.verdict import MARGIN

OPTIMIZERS = ("adam", "sgd", "momentum", "nesterov", "adamw", "sign-in")
EXTENDABLE = ("rounds", "trials")  # a later run may ask for more of these
# What decides masks:
MASKING = ("prune", "one_shot", "scope", "criterion", "ties", "samples_per_class", "gradual", "strategy", "method")


# fmt: off
@dataclass(frozen=True)
class Settings(Declared):
    """Everything that decides an experiment's result; two runs with equal settings give equal files.

    The fields stand in the order in which files hold them. Settings that came after the first files are written only where they
    differ from their default, which means what was done before there was a choice.
    """

    data: str = setting(
        "Experiment", "digits", "A data set's name (see tinyticket data list), an .npz or a .csv file.",
        takes="str, Dataset, tuple or frame",
        python="Or a Dataset, a data frame of pandas or polars, or a tuple of arrays (x_train, y_train, x_test, y_test), inputs "
        "perhaps as sparse matrices.",
        common=True)
    model: str = setting(
        "Experiment", "lenet-300-100", f"{', '.join(models.names())}, or FILE.py:FUNCTION. Names of mlps may go on with "
        "-norm, -dropout0.3 and -srelu, in this order, those of sparse ones with -layerfans.", takes="str, Module or function",
        python="Instead of a file's function one of a generator, or a Module, whose initial weights every trial draws anew by "
        "reset_parameters(rng).", common=True)
    rounds: int = setting(
        "Pruning", BySize(8, 13), "How many times to prune after the dense training.", least=0, below=10**5, common=True)
    iterations: int = setting("Training", BySize(600, 10_000), "Length of every training.", least=1, common=True)
    batch_size: int = setting("Training", 60, "Examples in a batch.", least=1)
    lr: float = setting(
        "Training", 1.2e-3, "Learning rate.", least=math.ulp(0), expected="the learning rate is above 0")
    optimizer: str = setting(
        "Training", "adam", "adam, sgd, momentum or nesterov (momentum 0.9), adamw or sign-in, which train eagerly.",
        known=OPTIMIZERS, kind="optimizer")
    weight_decay: float = setting(
        "Training", 0.0, "L2 penalty added to the gradients; of adamw decay beside them, of sign-in decay of factors.",
        least=0, expected="the weight decay is at least 0")
    schedule: Schedule = setting(
        "Training", "constant", "How the learning rate changes, in iterations: constant, step:20000,25000 (a tenth from each on), "
        "cosine:30000, linear:30000 (or linear:30000:0.01), warmup:10000, or warmup:10000+step:20000,25000.",
        python="Or a schedule of tt.optim.",
        parse=readers.read_schedule, takes="str or Schedule", form="SCHEDULE",
        expected="the schedule is one of tinyticket.optim's, or text such as step:20000,25000")
    prune: dict[str, float] = setting(
        "Pruning", 0.2, "Fraction of the survivors removed every round (output layer, in layer scope: half of it), or one for each "
        "group of layers: conv=0.1,fc=0.2,output=0.1.", parse=readers.read_fractions, takes="float, str or dict", form="FRACTION",
        expected="prune is a fraction such as 0.2, or one for each group of layers (conv, fc, output)", common=True)
    one_shot: tuple[float, ...] = setting(
        "Pruning", None, "Prune the dense network once to each of these densities, instead of `rounds` and `prune`.",
        parse=readers.read_densities, takes="float, str or list", form="DENSITY,...", common=True,
        expected="one-shot wants densities between 0 and 1, such as 0.5,0.2,0.1")
    scope: str = setting(
        "Pruning", Open("layer; global before training and for early-bird, erk where a mask moves"),
        "Compare scores within each layer or in the global network; with `one_shot` also give all layers one density (uniform), "
        "all but the first or the last, which stays dense (uniform-first-dense, uniform-last-dense), or those of an Erdos-Renyi "
        "kernel (erk).", known=SCOPES)
    trials: int = setting(
        "Experiment", Open("digits 12, other small data 3, large data 1"), "Independent repetitions.", least=1, below=10**5,
        common=True)
    controls: tuple[str, ...] = setting(
        "Controls", Open("reinit,random; where a mask moves static, for early-bird random"),
        "What runs beside every ticket: reinit (same mask, new initial weights), random (same weights, random mask of the same "
        "counts) and others; reinit-2 is a second one; none for none.",
        python="All are in tinyticket.lottery.controls.KINDS; a function (ticket, rng, origin) -> Start is one too.",
        parse=parse_controls, takes="str or list", form="NAME,...", common=True)
    seed: int = setting("Experiment", 0, "Where all randomness comes from.", least=0, below=2**63, common=True)
    validation: int = setting(
        "Experiment", Open("200 or a fifth, for large data 5000"),
        "Examples split off the training set, which choose the early-stopping iteration.", least=1)
    evaluate_every: int = setting("Training", BySize(20, 100), "Iterations between evaluations.", least=1)
    eager: bool = setting(
        "Training", False, "Train through the autograd instead of compiled kernels, whose float32 rounding is another.")
    rewind: str = setting(
        "Rewinding", "weights", "What goes back before a pruned network is trained: weights (with optimizer, statistics and "
        "learning rate), lr (the learning rate alone), or finetune (nothing: training goes on at the last learning rate).",
        later=True, known=REWINDS, kind="rewind")
    rewind_to: int = setting(
        "Rewinding", 0, "To which iteration of the dense training; every retraining lasts from there to the last iteration.",
        later=True, form="ITERATION", least=-(2**31), expected="rewind to is an iteration of the dense training")
    strategy: str = setting(
        "Rewinding", "reset", "reset: a round prunes what the last ticket became; continue: a network beside it that keeps its "
        "weights from round to round, while tickets are rewound as ever.", later=True, known=STRATEGIES, kind="strategy")
    criterion: str = setting(
        "Pruning", "magnitude", "What makes a weight worth keeping: of what was trained, or with `one_shot` of theta_0 before "
        "it is trained (snip, grasp, synflow, magnitude-init).",
        python="The former are random, those of tt.prune.CRITERIA, or a function (final, initial) -> scores.",
        parse=CRITERIA.name_of, takes="str or function", later=True)
    gradual: tuple[int, ...] = setting(
        "Pruning", None, "With `one_shot`: prune while training from theta_0, from iteration BEGIN to END, every so many.",
        absent=(), parse=parse_gradual, takes="str or (begin, end, every)", form="BEGIN,END,EVERY")
    masks_from: str = setting(
        "Experiment", None, "Prune nothing: train the masks and initial weights of another result, on other data of the same "
        "shapes. Rounds, trials and model are its own unless given. Or those of a file of another program: .npz, .safetensors or "
        ".pt (docs/exchange.md).", absent="none", takes="Result or path", form="FILE")
    method: str = setting(
        "Methods", "tickets", "What makes a round's network: pruning (tickets), or a method that finds its mask while one "
        "network trains (docs/dynamic.md), or learns a mask of theta_0 (docs/supermasks.md).", later=True,
        parse=METHODS.name_of, takes="str or Method")
    update_every: int = setting(
        "Methods", 100, "Iterations between updates of a mask that moves.", later=True, least=1)
    drop: float = setting("Methods", 0.3, "First fraction of a layer that such an update drops.", later=True)
    salient: float = setting(
        "Methods", 0.3, "SRigL ablates a neuron of which less than this share of its fan-in is worth keeping (0: none).",
        later=True, least=0, below=1, expected="the share of salient weights is at least 0 and below 1")
    augment: str = setting(
        "Training", "none", "flip-crop: shift training images by up to 4 pixels and mirror them; flip-crop-turn: by up to 3, "
        "turn them by up to 10 degrees too, and fill with the edge.",
        later=True, known=AUGMENTATIONS, kind="augmentation")
    recipe: str = setting(
        "Experiment", None, "A published experiment, whose settings hold where none are given.", absent="none", form="NAME",
        python="All are in tinyticket.lottery.recipes.")
    mask_0: str = setting(
        "Pruning", "zero", "What pruned weights are: zero, or frozen at their initial values, all (freeze) or those that had moved "
        "away from zero (freeze-away); these are trained eagerly.", later=True, known=MASK_0, kind="mask-0 action")
    signed_constant: bool = setting(
        "Methods", False, "Untrained weights are a constant of their layer, with their signs.", later=True)
    rescale: bool = setting("Methods", False, "Supermasks: multiply a layer's weights by size / sum of the mask.", later=True)
    score_lr: float = setting(
        "Methods", Open("supermask 100, edge-popup 0.1"), "Learning rate of a mask's scores.", absent=0.0)
    score_start: float = setting(
        "Methods", 0.0, "Continuous sparsification: every score at first; a mask is of the scores above 0.", later=True)
    score_penalty: float = setting(
        "Methods", 1e-5, "Continuous sparsification: penalty of each weight that the soft mask keeps.", later=True, least=0,
        expected="the penalty of a soft mask is at least 0")
    early_bird_by: str = setting(
        "Methods", EARLY_BIRDS[0], "What an early bird's masks are of: weights, or channels by the scale of their batch "
        "normalisation, of which `one_shot` then gives the share.", later=True, known=EARLY_BIRDS)
    scale_penalty: float = setting(
        "Methods", Open("for channels 0.0001"), "L1 penalty on these scales while an early bird's channels are drawn.", absent=0.0,
        least=0, expected="the penalty of scales is at least 0")
    device: str = setting(
        "Training", "cpu", "cuda: train on an NVIDIA GPU, which rounds differently (needs the extra cuda; see docs/cuda.md).",
        later=True, known=DEVICES, kind="device")
    margin: float = setting(
        "Experiment", BySize(0.005, MARGIN), "Accuracy (0.002: 0.2 points) by which a ticket may be below dense and still match "
        "(docs/verdict.md).", absent=MARGIN, least=0, below=1,
        expected="the margin is a share of the test examples, such as 0.002")
    first_trial: int = setting(
        "Experiment", 0, "Number of the first trial, where the ones before are run elsewhere: tinyticket merge puts their files "
        "together.", later=True, least=0, below=10**5)
    test_at: str = setting(
        "Training", "all", "minima: read the test set at new minima of the validation loss and at the end alone, not at all "
        "evaluations; the other rows have no test columns.", later=True, known=("all", "minima"), kind="test-at")
    loss: str = setting(
        "Training", LOSSES[0], "What is minimised: cross-entropy, binary-cross-entropy (of two classes, with one output), or mse, "
        "mean squared error, of targets that are numbers: R2 then stands where accuracies are. Cross-entropy and mse "
        "compile.", later=True, known=LOSSES, kind="loss")
    label_smoothing: float = setting(
        "Training", 0.0, "Share of each label that is spread over all classes.", later=True, least=0, below=1,
        expected="the label smoothing is a share from 0 to 1")
    class_weights: str = setting(
        "Training", "none", "What classes count in the loss: numbers, one for each, or balanced, for which each class counts as "
        "much as any other.", later=True, parse=read_class_weights, takes="str or list of float", form="NUMBER,...",
        expected="class weights are numbers above 0, one for each class, or balanced")
    target: str = setting(
        "Experiment", None, "Of a CSV file or data frame, the column that is to be predicted; without it the last one.",
        absent="", form="COLUMN")
    exact_convolutions: bool = setting(
        "Training", False, "Compute all convolutions as direct sums, none by Winograd's algorithm, which has fewer products and "
        "errors two to thirteen times as large.", later=True)
    label_noise: float = setting(
        "Training", 0.0, "Share of the training labels that are another class, at random; validation and test labels stay right.",
        later=True, least=0, below=1, expected="the share of wrong labels is at least 0 and below 1")
    ties: str = setting(
        "Pruning", Open("random for criteria that keep changed signs (diff_sign), index for others"),
        "Which of equal scores are removed first: those of higher index in the layer, or random ones, as Zhou et al. do.",
        absent="index", known=TIES, kind="way to break ties")
    samples_per_class: int = setting(
        "Pruning", 0, "Score weights by so many examples of each class, as GraSP's authors do (snip and grasp); 0: by a batch "
        "drawn at random.", later=True, least=0, below=2**31)
    rewind_optimizer: str = setting(
        "Rewinding", REWOUND[0], "What the optimizer remembers where weights go back to a later iteration: what it did then "
        "(rewound), or nothing (new), as in open_lth.", later=True, known=REWOUND, kind="optimizer after rewinding")
    first_graph: str = setting(
        "Methods", "random", "Links of the mask that such a method starts with: random, small-world:0.25 (share that is put "
        "anywhere), scale-free, receptive-field:0.3 (0 to 1: how far), or correlated, of pixels whose values correlate.",
        later=True, parse=check_graph, form="GRAPH")
    first_weights: str = setting(
        "Methods", "init", "Its weights: those of theta_0 (init), or in sparse layers scaled, to a variance of 2 / (weights of a "
        "neuron).", later=True, known=("init", "scaled"), kind="way to start weights")
    interpolate_norms: bool = setting(
        "Training", False, "Compute every training step with scales and shifts of normalisation at random between their initial "
        "and their present values (AWS: mask and signs then suffice); trained eagerly.", later=True)
    # fmt: on

    def __post_init__(self):
        super().__post_init__()
        check_pruning(self)
        check_rewinding(self)
        check_mask_0(self)
        check_method(self)
        check_device(self)
        check_loss(self)

    @property
    def trial_numbers(self) -> range:
        """The numbers of the trials."""
        return range(self.first_trial, self.first_trial + self.trials)

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as JSON values, without those that are at the default of files without them."""
        plain = {name: value for name in SETTINGS if (value := getattr(self, name)) != SETTINGS[name].absent}
        lists = {name: list(value) for name, value in plain.items() if isinstance(value, tuple)}
        return plain | lists | {"schedule": to_plain(self.schedule)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Settings:
        """Return the settings that `to_plain` wrote; raise InputError if there are some that this version does not know."""
        if unknown := plain.keys() - SETTINGS.keys():
            raise InputError(
                f"the experiment has the setting {', '.join(sorted(unknown))}, which this version of tinyticket does not know; "
                "go on with it with the version that wrote it, or a newer one"
            )
        return cls(**plain)

    def check_continues(self, recorded: Settings, where: str) -> None:
        """Raise InputError unless these settings continue or extend the recorded ones; the settings that differ are named."""
        differing = []
        for name in SETTINGS:
            now, before = getattr(self, name), getattr(recorded, name)
            if now != before and not (name in EXTENDABLE and now > before):
                differing.append(f"{name.replace('_', '-')} was {_show(before)} and is now {_show(now)}")
        if differing:
            raise InputError(
                f"{where} holds an experiment with other settings: {'; '.join(differing)}. Repeat its settings to go on "
                "with it (more rounds or trials extend it), or choose another file"
            )


# fmt: off
@dataclass(frozen=True)
class Running(Declared):
    """How an experiment is run, which decides no result."""

    dense_from: Result | None = setting(
        "Running", None, "Copy the dense training of another result, which differs in what follows it alone: in rewinding, "
        "densities, controls, method and the like.", later=True, takes="Result or path", form="FILE")
    threads: int | None = setting(
        "Running", None, "Threads, without it all cores; never changes a result.", later=True, least=1,
        expected="threads are at least 1")
    workers: int | None = setting(
        "Running", 1, "Processes that train side by side and share the threads; on the command line as many as there are threads.",
        python="None for as many as there are threads, if there is work for some seconds. Models of classes or functions of the "
        "script itself cannot be sent to them.", later=True, least=1, expected="workers are at least 1")
    executor: Executor | str | None = setting(
        "Running", None, "Train on the workers of a Dask scheduler instead (needs the extra cluster).", later=True,
        python="Or on those of a concurrent.futures.Executor, which see this machine's temporary folder; `workers` says how many.",
        parse=readers.read_executor, takes="str or Executor", option="scheduler", form="tcp://HOST:PORT",
        expected="executor is a concurrent.futures.Executor or the address of a Dask scheduler")
    data_folder: Path | None = setting("Running", None, "Where data sets lie: looked for there alone.", later=True, form="PATH")
    out: Path | None = setting(
        "Running", None, "The result file (HDF5); continued if it is there.", later=True, form="PATH", common=True,
        python="Without it the result stays in memory.", parse=readers.read_out, takes="Path",
        expected="out is a path")
    callbacks: Callback | None = setting(
        "Running", None,
        "Are told what happens, in their order: ProgressBar(), CSVLog(path), TensorBoard(folder), or your own.",
        later=True, parse=in_order, takes="Callback or iterable of Callback", option="")
# fmt: on


SETTINGS, RUNNING = settings_of(Settings), settings_of(Running)


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={number:g}" for key, number in value.items()) or "nothing"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value)
