"""Batch and layer normalisation."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinyticket.nn import functional
from tinyticket.nn.init import constant, zeros
from tinyticket.nn.module import Module
from tinyticket.nn.parameter import Buffer, Parameter


class _BatchNorm(Module):
    """Every channel with mean 0 and variance 1, times a weight, plus a bias (Ioffe and Szegedy 2015).

    Training normalises with the batch's own mean and variance, and moves the running ones towards them; evaluation normalises
    with the running ones.

    Parameters
    ----------
    num_features : int
        Number of channels.
    eps : float
        Added to the variance.
    momentum : float
        How far running statistics move at each batch, from 0 to 1.
    affine : bool
        Whether there are a weight, which starts at one, and a bias, which starts at zero.

    Attributes
    ----------
    weight, bias : Parameter, shape (num_features,), or None
    running_mean, running_var : Buffer, shape (num_features,)
        They start at 0 and 1; the variance is the unbiased one.
    """

    axes: tuple[int, str]

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True):
        self.num_features, self.eps, self.momentum = operator.index(num_features), float(eps), float(momentum)
        kind = type(self).__name__
        if self.num_features < 1:
            raise ValueError(f"{kind} wants at least one channel, not {num_features}")
        if not self.eps > 0:
            raise ValueError(f"{kind}: eps is above 0, not {eps}")
        if not 0 <= self.momentum <= 1:
            raise ValueError(f"{kind}: momentum is from 0 to 1, not {momentum}")
        shape = (self.num_features,)
        self.weight = Parameter(constant(shape, value=1)) if affine else None
        self.bias = Parameter(zeros(shape)) if affine else None
        self.running_mean, self.running_var = Buffer(zeros(shape)), Buffer(constant(shape, value=1))

    def forward(self, x):
        """Normalise each channel; the shape stays."""
        ndim, words = self.axes
        if np.ndim(x) != ndim:
            raise ValueError(f"{type(self).__name__} wants an input {words}; got shape {np.shape(x)}")
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )

    def reset_parameters(self, rng: Any) -> None:
        """Set everything back to its start, running statistics included; nothing is drawn."""
        for start, ones in ((self.weight, 1), (self.bias, 0), (self.running_mean, 0), (self.running_var, 1)):
            if start is not None:
                start.data = constant((self.num_features,), value=ones)

    def settings(self):
        """Return the constructor's arguments."""
        return {
            "num_features": self.num_features,
            "eps": self.eps,
            "momentum": self.momentum,
            "affine": self.weight is not None,
        }


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of features (N, C), with the arguments `num_features`, `eps`, `momentum` and `affine`.

    `weight` and `bias` (None without `affine`) are Parameters, `running_mean` and `running_var` Buffers, all of shape (C,).
    """

    axes = (2, "(N, C)")


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (N, C, H, W), with the arguments `num_features`, `eps`, `momentum` and `affine`.

    `weight` and `bias` (None without `affine`) are Parameters, `running_mean` and `running_var` Buffers, all of shape (C,).
    """

    axes = (4, "(N, C, H, W)")


class LayerNorm(Module):
    """Each example with mean 0 and variance 1 over its last axes, times a weight, plus a bias (Ba, Kiros and Hinton 2016).

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Sizes of these axes.
    eps : float
        Added to the variance.
    elementwise_affine, bias : bool
        Whether there are a weight, which starts at one, and beside it a bias, which starts at zero.

    Attributes
    ----------
    weight, bias : Parameter, of the normalised shape, or None
    """

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True):
        sizes = [normalized_shape] if np.ndim(normalized_shape) == 0 else normalized_shape
        self.normalized_shape, self.eps = tuple(map(operator.index, sizes)), float(eps)
        if not self.normalized_shape or min(self.normalized_shape) < 1 or not self.eps > 0:
            raise ValueError(f"LayerNorm wants sizes of at least 1 and eps above 0, not {normalized_shape} and {eps}")
        self.weight = Parameter(constant(self.normalized_shape, value=1)) if elementwise_affine else None
        self.bias = Parameter(zeros(self.normalized_shape)) if elementwise_affine and bias else None

    def forward(self, x):
        """Normalise each example; the shape stays."""
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def reset_parameters(self, rng: Any) -> None:
        """Set weight and bias back to their start; nothing is drawn."""
        for start, value in ((self.weight, 1), (self.bias, 0)):
            if start is not None:
                start.data = constant(self.normalized_shape, value=value)

    def settings(self):
        """Return the constructor's arguments."""
        return {
            "normalized_shape": list(self.normalized_shape),
            "eps": self.eps,
            "elementwise_affine": self.weight is not None,
            "bias": self.bias is not None,
        }
