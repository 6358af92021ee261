"""A regressor that predicts with a winning ticket."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from tinyticket.sklearn.estimator import LotteryTicketEstimator, described


@described
class LotteryTicketRegressor(RegressorMixin, LotteryTicketEstimator):
    """Find winning tickets among fully-connected networks with ReLU, and predict numbers with one of them.

    The mean squared error is minimised, of targets that are brought to mean 0 and deviation 1; accuracies of its `Result` are R2.
    Columns should have similar scales, as after `StandardScaler`.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of float, shape (targets,)
        By which targets are scaled.
    {attributes}
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> LotteryTicketRegressor:
        """Find tickets in a network for these examples.

        Parameters
        ----------
        X : array_like, sparse matrix or data frame, shape (samples, features)
        y : array_like, shape (samples,) or (samples, targets)
        sample_weight : array_like, shape (samples,), optional
            What the squared error of each example counts; those of weight 0 are left out.
        """
        inputs, targets = self._checked(X, y, ensure_min_samples=3, y_numeric=True, multi_output=True)
        numbers = np.asarray(targets, np.float64).reshape(len(targets), -1)
        self.target_mean_, scale = numbers.mean(axis=0), numbers.std(axis=0)
        self.target_scale_ = np.where(scale > 0, scale, 1.0)
        self._one_target = targets.ndim == 1
        scaled = np.ascontiguousarray((numbers - self.target_mean_) / self.target_scale_, np.float32)
        self._fit(inputs, scaled, self._weights(sample_weight, inputs), scaled.shape[1], loss="mse")
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the numbers that each example has, in the shape of the targets that were fitted."""
        outputs = self._outputs(X)
        predicted = outputs * self.target_scale_ + self.target_mean_
        return predicted[:, 0] if self._one_target else predicted
