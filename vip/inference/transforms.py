"""Transforms between models and the unconstrained theta in which algorithms move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy.special import logit

from vip.inference.priors import Gaussian
from vip.protocols import Floats


class Transform(Protocol):
    """A smooth map from theta to models, one to one."""

    has_hard_bounds: bool
    """Whether theta has bounds, at which a density does not vanish."""

    def to_model(self, theta: Floats) -> Floats:
        """Models (n, d) of theta (n, d)."""

    def to_theta(self, models: Floats) -> Floats:
        """Theta (n, d) of models (n, d)."""

    def pull(self, theta: Floats, gradient: Floats) -> Floats:
        """Gradients (n, d) by theta, from gradients by the models."""

    def push(self, theta: Floats, gradient: Floats) -> Floats:
        """Gradients (n, d) by the models, from gradients by theta: the inverse of `pull`."""

    def log_jacobian(self, theta: Floats) -> tuple[Floats, Floats]:
        """Logarithm of the Jacobian determinant (n,) of `to_model` and its gradient (n, d)."""

    def project(self, theta: Floats) -> Floats:
        """The nearest theta (n, d) that is allowed."""


class Logit:
    """The logarithmic transform of bounded entries, eq. 12 of Zhang & Curtis (2024); the identity for unbounded ones.

    Parameters
    ----------
    lower, upper : (d,) float
        Bounds; infinite on both sides where an entry has none.

    Examples
    --------
    >>> logit_ = Logit(np.array([1.0]), np.array([3.0]))
    >>> float(logit_.to_model(np.array([[0.0]]))[0, 0])
    2.0
    """

    has_hard_bounds = False

    def __init__(self, lower: Floats, upper: Floats) -> None:
        self.bounded = np.isfinite(lower) & np.isfinite(upper)
        self.lower = np.where(self.bounded, lower, 0.0)
        self.upper = np.where(self.bounded, upper, 1.0)
        self.width = self.upper - self.lower

    def to_model(self, theta: Floats) -> Floats:
        """Models (n, d) of theta (n, d)."""
        larger, smaller = _sigmoids(theta)
        inside = self.lower + self.width * np.where(theta > 0, larger, smaller)
        return np.where(self.bounded, np.minimum(inside, self.upper), theta)  # rounding may go one step too far

    def to_theta(self, models: Floats) -> Floats:
        """Theta (n, d) of models (n, d) inside the bounds."""
        return np.where(self.bounded, logit((models - self.lower) / self.width), models)

    def slope(self, theta: Floats) -> Floats:
        """Derivative (n, d) of each model entry by its theta."""
        larger, smaller = _sigmoids(theta)
        return np.where(self.bounded, self.width * larger * smaller, 1.0)

    def pull(self, theta: Floats, gradient: Floats) -> Floats:
        """Gradients (n, d) by theta, from gradients by the models."""
        return gradient * self.slope(theta)

    def push(self, theta: Floats, gradient: Floats) -> Floats:
        """Gradients (n, d) by the models, from gradients by theta."""
        return gradient / self.slope(theta)

    def log_jacobian(self, theta: Floats) -> tuple[Floats, Floats]:
        """Logarithm of the Jacobian determinant (n,) of `to_model` and its gradient (n, d)."""
        larger, smaller = _sigmoids(theta)
        log_slope = np.log(self.width) - np.abs(theta) + 2 * np.log(larger)
        gradient = np.where(theta > 0, smaller - larger, larger - smaller)
        return np.where(self.bounded, log_slope, 0.0).sum(axis=1), np.where(self.bounded, gradient, 0.0)

    def project(self, theta: Floats) -> Floats:
        """Theta as it is: every theta is allowed."""
        return theta


def _sigmoids(theta: Floats) -> tuple[Floats, Floats]:
    """The logistic function of |theta| and of -|theta|; neither overflows or loses digits."""
    decay = np.exp(-np.abs(theta))
    larger = 1 / (1 + decay)
    return larger, decay * larger


class Clip:
    """Hard bounds: theta is the model, and an entry beyond a bound is reset to it (section 3 of the paper).

    The prior's mass beyond a bound collects on it; prefer `Logit` unless reproducing published runs.
    """

    has_hard_bounds = True

    def __init__(self, lower: Floats, upper: Floats) -> None:
        self.lower, self.upper = lower, upper

    def to_model(self, theta: Floats) -> Floats:
        """Models (n, d) of theta (n, d)."""
        return theta

    def to_theta(self, models: Floats) -> Floats:
        """Theta (n, d) of models (n, d)."""
        return models

    def pull(self, theta: Floats, gradient: Floats) -> Floats:
        """The gradients as they are."""
        return gradient

    def push(self, theta: Floats, gradient: Floats) -> Floats:
        """The gradients as they are."""
        return gradient

    def log_jacobian(self, theta: Floats) -> tuple[Floats, Floats]:
        """Zero everywhere."""
        return np.zeros(len(theta)), np.zeros_like(theta)

    def project(self, theta: Floats) -> Floats:
        """Theta reset to the bounds."""
        return np.clip(theta, self.lower, self.upper)


class Whitened:
    """A transform that makes theta white noise under the prior for Gaussian variables, and leaves the others to another one.

    What the data do not constrain then has unit variance and no correlation, however smooth the prior is.

    Parameters
    ----------
    others : Transform
        Transform of all variables, used for those that are not whitened.
    gaussians : mapping of slice to Gaussian
        Priors of the entries that are whitened instead.

    Examples
    --------
    >>> prior = Gaussian.diagonal(np.array([3.0]), np.array([0.5]))
    >>> whitened = Whitened(Logit(prior.lower, prior.upper), [(slice(0, 1), prior)])
    >>> float(whitened.to_model(np.array([[2.0]]))[0, 0])
    4.0
    """

    def __init__(self, others: Transform, gaussians: Sequence[tuple[slice, Gaussian]]) -> None:
        self.others, self.gaussians = others, gaussians
        self.has_hard_bounds = others.has_hard_bounds

    def to_model(self, theta: Floats) -> Floats:
        """Models (n, d) of theta (n, d)."""
        models = np.array(self.others.to_model(theta))
        for where, prior in self.gaussians:
            models[:, where] = prior.coloured(theta[:, where])
        return models

    def to_theta(self, models: Floats) -> Floats:
        """Theta (n, d) of models (n, d)."""
        theta = np.array(self.others.to_theta(models))
        for where, prior in self.gaussians:
            theta[:, where] = prior.whitened(models[:, where])
        return theta

    def pull(self, theta: Floats, gradient: Floats) -> Floats:
        """Gradients (n, d) by theta, from gradients by the models."""
        pulled = np.array(self.others.pull(theta, gradient))
        for where, prior in self.gaussians:
            pulled[:, where] = prior.pulled(gradient[:, where])
        return pulled

    def push(self, theta: Floats, gradient: Floats) -> Floats:
        """Gradients (n, d) by the models, from gradients by theta."""
        pushed = np.array(self.others.push(theta, gradient))
        for where, prior in self.gaussians:
            pushed[:, where] = prior.pushed(gradient[:, where])
        return pushed

    def log_jacobian(self, theta: Floats) -> tuple[Floats, Floats]:
        """Logarithm of the Jacobian determinant (n,) of `to_model` and its gradient (n, d)."""
        value, gradient = self.others.log_jacobian(theta)
        for _, prior in self.gaussians:
            value = value + prior.log_volume
        return value, gradient

    def project(self, theta: Floats) -> Floats:
        """The nearest theta (n, d) that the other transform allows."""
        return self.others.project(theta)
