"""A classifier that predicts with a winning ticket."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from tinyticket.kernels import reference
from tinyticket.sklearn.estimator import LotteryTicketEstimator, described


@described
class LotteryTicketClassifier(ClassifierMixin, LotteryTicketEstimator):
    """Find winning tickets among fully-connected networks with ReLU, and classify with one of them.

    Columns should have similar scales, as after `StandardScaler`.

    Parameters
    ----------
    {parameters}
    class_weight : dict, "balanced" or None
        What examples count in the loss by their label.
    label_smoothing : float
        The share of each label that is spread over all classes.

    Attributes
    ----------
    classes_ : ndarray
        Labels, in the order of the columns of `predict_proba`.
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from tinyticket.sklearn import LotteryTicketClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = LotteryTicketClassifier(random_state=0).fit(X, y)
    >>> classifier.density_ < 0.5 and classifier.score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        hidden_layers=(100,),
        *,
        density="smallest",
        tolerance=0.01,
        rounds=4,
        prune=0.3,
        iterations="auto",
        batch_size="auto",
        lr=3e-3,
        optimizer="adam",
        weight_decay=0.0,
        class_weight=None,
        label_smoothing=0.0,
        trials=1,
        controls="none",
        validation_fraction=0.1,
        test_fraction=0.1,
        ticket=None,
        settings=None,
        eager="auto",
        n_jobs=None,
        random_state=None,
    ):
        super().__init__(
            hidden_layers,
            density=density,
            tolerance=tolerance,
            rounds=rounds,
            prune=prune,
            iterations=iterations,
            batch_size=batch_size,
            lr=lr,
            optimizer=optimizer,
            weight_decay=weight_decay,
            trials=trials,
            controls=controls,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            ticket=ticket,
            settings=settings,
            eager=eager,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> LotteryTicketClassifier:
        """Find tickets in a network for these examples.

        Parameters
        ----------
        X : array_like, sparse matrix or data frame, shape (samples, features)
        y : array_like, shape (samples,)
            Labels of any kind.
        sample_weight : array_like, shape (samples,), optional
            What the loss of each example counts; those of weight 0 are left out.
        """
        inputs, labels = self._checked(X, column_or_1d(y, warn=True), ensure_min_samples=3)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        weights = self._weights(sample_weight, inputs)
        if self.class_weight is not None:
            by_class = compute_sample_weight(self.class_weight, labels)
            weights = by_class if weights is None else by_class * weights
        smoothing = {"label_smoothing": self.label_smoothing}
        self._fit(inputs, codes.astype(np.int64), weights, len(self.classes_), **smoothing)
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable label of each example."""
        most_probable = self._outputs(X).argmax(axis=1)
        return self.classes_[most_probable]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities (samples, classes) of `classes_`."""
        return reference.softmax(self._outputs(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logits (samples, classes); of two classes the second's minus the first's (samples,)."""
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs
