"""What both estimators share: tables become an experiment in memory, one of whose networks predicts."""

from __future__ import annotations

import itertools
import math
import os
import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from tinyticket import compiler
from tinyticket.data import Dataset, SparseInputs, weighted
from tinyticket.data.dataset import Inputs
from tinyticket.data.pixels import select
from tinyticket.errors import InputError
from tinyticket.lottery import find
from tinyticket.lottery.settings.table import SETTINGS
from tinyticket.nn import Module
from tinyticket.results import Result

EPOCHS, SHORTEST, LONGEST = 20, 200, 5000
"""How often a training sees every example by default, and its iterations at least and at most."""

EVALUATIONS = 10
"""Of a training, besides that at its start."""

EAGER_STEPS, EAGER_WEIGHTS = 2000, 20_000
"""Steps of a fit, and weights of its network, up to which loading compiled kernels takes longer than it saves."""

PARAMETERS = """hidden_layers : tuple of int
        Units of the hidden layers.
    density : {"smallest", "winning"} or float
        Which network predicts: the smallest whose score on the validation examples, in means over trials, is at most `tolerance`
        below that of the dense network; the smallest that the verdict proves to be a winning ticket (which takes `trials` of at
        least 3 and the control "reinit"), or the dense one, with a warning, where none is proved; or the one whose share of
        weights is nearest to a number.
    tolerance : float
        See `density`: of the accuracy, or of R2.
    rounds : int
        How many times to prune.
    prune : float
        Fraction of the surviving weights that a round removes, half of it in the output layer.
    iterations, batch_size : int or "auto"
        Length of a training, and examples in a batch. By default a batch is a 25th of the training examples, from 16 to 200, and
        a training sees each example 20 times, in 200 to 5,000 iterations.
    lr : float
        Learning rate.
    optimizer : {"adam", "sgd", "momentum", "nesterov", "adamw", "sign-in"}
    weight_decay : float
    trials : int
        Repetitions with other initial weights; the verdict needs 3.
    controls : str or list of str
        What runs beside every ticket, such as "reinit,random".
    validation_fraction, test_fraction : float
        Shares of the examples that are not trained on: the first choose the network that predicts (unless `density` is "winning"),
        the others are what the verdict is about.
    ticket : Result or path, optional
        An earlier experiment whose masks and initial weights are trained, instead of new ones that are searched for. Layers,
        rounds, fractions and trials are its own.
    settings : dict, optional
        Further settings of `tinyticket.lottery.find`, which win over those above.
    eager : bool or "auto"
        Train through the autograd instead of compiled kernels: where little is trained, if "auto".
    n_jobs : int, optional
        Threads of compiled trainings.
    random_state : int, RandomState instance or None"""

ATTRIBUTES = """ticket_ : Result
        The experiment: `ticket_.save("ticket.h5")` writes the file that `tinyticket show`, `verify` and others read.
    verdict_ : str
        What its trials prove, in a sentence.
    trial_, round_ : int
        Which of its networks predicts.
    density_ : float
        The share of weights that this network has.
    network_ : Module
        This network.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Names of the columns, of data frames only."""


def described(kind: type) -> type:
    """Describe the parameters and attributes that both estimators have where a class's docstring names them."""
    kind.__doc__ = (kind.__doc__ or "").replace("{parameters}", PARAMETERS).replace("{attributes}", ATTRIBUTES)
    return kind


class LotteryTicketEstimator(BaseEstimator):
    """Base of the classifier and the regressor."""

    def __init__(
        self,
        hidden_layers: tuple[int, ...] = (100,),
        *,
        density: str | float = "smallest",
        tolerance: float = 0.01,
        rounds: int = 4,
        prune: float = 0.3,
        iterations: int | str = "auto",
        batch_size: int | str = "auto",
        lr: float = 3e-3,
        optimizer: str = "adam",
        weight_decay: float = 0.0,
        trials: int = 1,
        controls: Any = "none",
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        ticket: Result | str | os.PathLike | None = None,
        settings: Mapping[str, Any] | None = None,
        eager: bool | str = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        self.hidden_layers = hidden_layers
        self.density = density
        self.tolerance = tolerance
        self.rounds = rounds
        self.prune = prune
        self.iterations = iterations
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.trials = trials
        self.controls = controls
        self.validation_fraction = validation_fraction
        self.test_fraction = test_fraction
        self.ticket = ticket
        self.settings = settings
        self.eager = eager
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def network_(self) -> Module:
        check_is_fitted(self)
        return self.ticket_.model(self.trial_, self.round_)

    @property
    def verdict_(self) -> str:
        check_is_fitted(self)
        return self.ticket_.verdict["text"]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "round_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_step", None)  # it is made of the result again
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if hasattr(self, "round_"):
            self._step = self._predicting()

    def _checked(self, X: Any, *y: Any, **options: Any) -> Any:
        """Return examples as float32 or `SparseInputs`, and targets if there are any; `validate_data` says what is wrong."""
        several = validate_data(self, X, *y, accept_sparse="csr", dtype=np.float32, reset=bool(y), **options)
        examples, *targets = several if y else (several,)
        inputs = SparseInputs(examples, "X") if sparse.issparse(examples) else np.ascontiguousarray(examples)
        return (inputs, *targets) if y else inputs

    def _fit(self, X: Inputs, targets: NDArray, weights: NDArray | None, outputs: int, **loss: Any) -> None:
        """Run the experiment on targets as a `Dataset` holds them, and choose the network that predicts."""
        self._check_choice()
        classes = 0 if targets.ndim == 2 else outputs
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if weights is not None and not (counted := weights > 0).all():
            X, targets, weights = select(X, counted), targets[counted], weights[counted]
        if weights is not None and len(weights) and (weights != weights[0]).any():
            targets = weighted(targets, weights / weights.mean())
        tested, validated = (self._share(name, len(X)) for name in ("test_fraction", "validation_fraction"))
        if (trained := len(X) - tested - validated) < 1:
            raise InputError(
                f"{len(X)} samples are too few: {tested} are for the test and {validated} for validation, so that none is left"
            )
        chosen = np.random.default_rng(seed).permutation(len(X))
        test, rest = np.sort(chosen[:tested]), np.sort(chosen[tested:])
        dataset = Dataset("table", select(X, rest), targets[rest], select(X, test), targets[test], classes)
        network = {} if self.ticket is not None else self._network(X.shape[1], outputs)
        options = {
            **network,
            **self._lengths(trained, X.shape[1], outputs),
            **loss,
            "validation": validated,
            "lr": self.lr,
            "optimizer": self.optimizer,
            "weight_decay": self.weight_decay,
            "controls": self.controls,
            "masks_from": self.ticket,
            "seed": seed,
            "threads": effective_n_jobs(self.n_jobs),
            **(self.settings or {}),
        }
        self.ticket_ = find(data=dataset, **options)
        self.round_ = self._chosen_round()
        last = {trial.number: trial.rounds[self.round_].history[-1] for trial in self.ticket_.trials}
        self.trial_ = min(last, key=lambda trial: last[trial]["validation_loss"])
        self.density_ = self.ticket_.round(self.trial_, self.round_).density
        self._step = self._predicting()

    def _share(self, name: str, examples: int) -> int:
        share = getattr(self, name)
        if not (isinstance(share, Real) and 0 < float(share) < 1):
            raise InputError(f"{name} is a share of the examples, above 0 and below 1, not {share!r}")
        return max(1, round(float(share) * examples))

    def _network(self, inputs: int, outputs: int) -> dict[str, Any]:
        model = "-".join(map(str, ("mlp", *self._sizes(inputs, outputs))))
        return {"model": model, "rounds": self.rounds, "prune": self.prune, "trials": self.trials}

    def _sizes(self, inputs: int, outputs: int) -> list[int]:
        return [inputs, *np.atleast_1d(self.hidden_layers).tolist(), outputs]

    def _lengths(self, trained: int, inputs: int, outputs: int) -> dict[str, Any]:
        """Return the settings that depend on how much there is to train."""
        batch, iterations = min(trained, 200, max(16, trained // 25)), 0
        if self.batch_size != "auto":
            batch = SETTINGS["batch_size"].read(self.batch_size)
        if self.iterations != "auto":
            iterations = SETTINGS["iterations"].read(self.iterations)
        iterations = iterations or min(LONGEST, max(SHORTEST, math.ceil(EPOCHS * trained / batch)))
        eager = self.eager
        if eager == "auto":
            sizes = self._sizes(inputs, outputs)
            weights = sum(before * after for before, after in itertools.pairwise(sizes))
            eager = weights <= EAGER_WEIGHTS and iterations * (1 + self.rounds) * self.trials <= EAGER_STEPS
        every = max(1, iterations // EVALUATIONS)
        return {"batch_size": batch, "iterations": iterations, "evaluate_every": every, "eager": bool(eager)}

    def _check_choice(self) -> None:
        """Raise InputError, before anything is trained, for what cannot choose a network."""
        share = isinstance(self.density, Real) and 0 < float(self.density) <= 1
        if not share and self.density not in ("smallest", "winning"):
            raise InputError(
                f"density is 'smallest', 'winning', or a share of weights above 0 and up to 1, not {self.density!r}"
            )
        if not (isinstance(self.tolerance, Real) and float(self.tolerance) >= 0):
            raise InputError(f"tolerance is a number from 0 on, not {self.tolerance!r}")

    def _chosen_round(self) -> int:
        """Return the round whose network predicts: see `density`."""
        trials, wanted = self.ticket_.trials, self.density
        densities = np.mean([[round.density for round in trial.rounds] for trial in trials], axis=0)
        if wanted == "smallest":
            scores = [[round.history["validation_accuracy"][-1] for round in trial.rounds] for trial in trials]
            means = np.mean(scores, axis=0)
            return int(np.flatnonzero(means >= means[0] - self.tolerance)[-1]) if np.isfinite(means[0]) else 0
        if wanted == "winning":
            rounds = self.ticket_.verdict["winning_rounds"]
            if not rounds:
                warnings.warn(f"the dense network predicts: {self.ticket_.verdict['text']}", UserWarning, stacklevel=4)
            return max(rounds, key=lambda round: -densities[round], default=0)
        return int(np.argmin(abs(densities - wanted)))

    def _predicting(self) -> Any:
        """Return the step that predicts."""
        network = self.ticket_.model(self.trial_, self.round_)
        if self.ticket_.round(self.trial_, self.round_).plan["mode"] == "eager":
            return compiler.EagerStep(
                network.astype(np.float64), None
            )  # in float32 products depend on what else is predicted
        return compiler.compile(network, threads=effective_n_jobs(self.n_jobs))

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Return the network's outputs (samples, outputs)."""
        check_is_fitted(self)
        return self._step.predict(self._checked(X)).astype(np.float64)

    def _weights(self, sample_weight: Any, X: NDArray) -> NDArray | None:
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
