"""Log-likelihoods of the traces of one shot. Masked samples have weight zero and do not count."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class Observed(NamedTuple):
    """Traces of one shot with their weights, made by `observe`."""

    traces: Array
    """Traces (samples, traces)."""
    weight: Array
    """Inverse standard deviations, broadcastable to the traces."""
    n: int
    """Number of samples that count."""
    log_weights: float
    """Sum of the logarithms of their weights."""


def observe(traces: Array, weight: Array) -> Observed:
    """Observed traces (samples, traces), and weights broadcastable to them."""
    every = np.broadcast_to(weight, traces.shape)
    counted = every[every != 0]
    return Observed(traces, weight, counted.size, float(np.log(counted, dtype=np.float64).sum()))


class Value(NamedTuple):
    """A log-likelihood with its derivatives."""

    value: float
    by_trace: Array
    """Derivatives (samples, traces) by the predicted traces."""
    by_log_scale: float


class Likelihood(Protocol):
    """A likelihood, ``(predicted (samples, traces), observed, log_scale) -> Value``.

    Its `log_scale` is the logarithm of a factor of all standard deviations.
    """

    def constant(self, observed: Observed) -> float:
        """The part of the log-likelihood that depends on neither the prediction nor the scale."""

    def __call__(self, predicted: Array, observed: Observed, log_scale: float) -> Value:
        """The log-likelihood without the constant, and its derivatives."""


class Gaussian:
    """Likelihood of independent Gaussian errors (Zhang & Curtis 2024, eq. 26)."""

    def constant(self, observed: Observed) -> float:
        """Normalisation of the density."""
        return observed.log_weights - 0.5 * observed.n * math.log(2 * math.pi)

    def __call__(self, predicted: Array, observed: Observed, log_scale: float) -> Value:
        """The log-likelihood without the constant, and its derivatives."""
        residual = (predicted - observed.traces) * observed.weight
        shrink = math.exp(-2 * log_scale)
        misfit = shrink * float(np.square(residual).sum(dtype=np.float64))
        return Value(-0.5 * misfit - observed.n * log_scale, (-shrink * residual) * observed.weight, misfit - observed.n)


class StudentT:
    """Likelihood of independent errors of Student's t distribution, whose tails forgive outliers (Lange et al. 1989).

    Parameters
    ----------
    degrees_of_freedom : float
        Degrees of freedom; few give heavy tails, many a Gaussian.
    """

    def __init__(self, degrees_of_freedom: float) -> None:
        self.nu = degrees_of_freedom

    def constant(self, observed: Observed) -> float:
        """Normalisation of the density."""
        nu = self.nu
        one = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(nu * math.pi)
        return observed.log_weights + observed.n * one

    def __call__(self, predicted: Array, observed: Observed, log_scale: float) -> Value:
        """The log-likelihood without the constant, and its derivatives."""
        nu, weight = self.nu, observed.weight * math.exp(-log_scale)
        z = (predicted - observed.traces) * weight
        square = np.square(z)
        value = -0.5 * (nu + 1) * float(np.log1p(square / nu).sum(dtype=np.float64)) - observed.n * log_scale
        pull = (nu + 1) * z / (nu + square)
        return Value(value, -pull * weight, float((pull * z).sum(dtype=np.float64)) - observed.n)
