"""Automatic differentiation variational inference (Kucukelbir et al. 2017), eqs. 8-11 of Zhang & Curtis (2024).

A Gaussian in unconstrained space, with diagonal or full covariance ``L L^T``, is fitted by stochastic ascent of the ELBO.
Diagonal entries of L are kept as logarithms, so that L stays a Cholesky factor whatever the step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vip.algorithms.optimizers import Optimizer, OptimizerState
from vip.protocols import Floats, Info, LogDensity


class ADVIState(NamedTuple):
    """Mean (d,), log-diagonal (d,) and, if full, the factor's strict lower triangle (d, d); moments of each."""

    mean: Floats
    log_diagonal: Floats
    lower: Floats
    mean_optimizer: OptimizerState
    diagonal_optimizer: OptimizerState
    lower_optimizer: OptimizerState


class ADVI:
    """Mean-field or full-rank Gaussian approximation.

    Parameters
    ----------
    n_samples : int
        Monte Carlo samples of the gradient at each step.
    optimizer : Optimizer
    full_rank : bool
        Full covariance; memory is then six times d^2 numbers.
    """

    is_chain = False
    n_particles = 200

    def __init__(self, n_samples: int, optimizer: Optimizer, full_rank: bool = False) -> None:
        self.n_evaluated, self.optimizer, self.full_rank = n_samples, optimizer, full_rank

    def init(self, theta0: Floats) -> ADVIState:
        """The independent Gaussian with the mean and spread of particles theta0 (n, d) drawn from the prior."""
        d = theta0.shape[1]
        mean, log_diagonal = theta0.mean(axis=0), np.log(theta0.std(axis=0))
        lower = np.zeros((d, d)) if self.full_rank else np.zeros((0, 0))
        start = self.optimizer.init
        return ADVIState(mean, log_diagonal, lower, start(mean), start(log_diagonal), start(lower))

    def step(self, state: ADVIState, log_density: LogDensity, rng: np.random.Generator) -> tuple[ADVIState, Info]:
        """Eqs. 10 and 11. The entropy's gradient by L, ``L^-T``, is upper triangular: in L's pattern only its diagonal."""
        eta = rng.standard_normal((self.n_evaluated, len(state.mean)))
        diagonal = np.exp(state.log_diagonal)
        value, gradient = log_density(self._theta(state, eta))
        by_diagonal = np.mean(gradient * eta, axis=0) * diagonal + 1  # by its logarithm
        mean_optimizer, mean_step = self.optimizer.step(state.mean_optimizer, gradient.mean(axis=0))
        diagonal_optimizer, diagonal_step = self.optimizer.step(state.diagonal_optimizer, by_diagonal)
        lower, lower_optimizer = state.lower, state.lower_optimizer
        if self.full_rank:
            by_lower = np.tril(gradient.T @ eta / len(eta), -1)
            lower_optimizer, lower_step = self.optimizer.step(lower_optimizer, by_lower)
            # Optimizers normalise each entry; d of them act on one parameter, and together move it as far as the mean.
            lower = lower + lower_step / np.sqrt(len(state.mean))
        moved = ADVIState(
            state.mean + mean_step,
            state.log_diagonal + diagonal_step,
            lower,
            mean_optimizer,
            diagonal_optimizer,
            lower_optimizer,
        )
        return moved, Info(float(value.mean()), float(np.sqrt(np.mean(mean_step**2))))

    def draw(self, state: ADVIState, n: int, rng: np.random.Generator) -> Floats:
        """N draws (n, d) of the fitted Gaussian."""
        return self._theta(state, rng.standard_normal((n, len(state.mean))))

    def _theta(self, state: ADVIState, eta: Floats) -> Floats:
        spread = eta * np.exp(state.log_diagonal)
        return state.mean + (spread + eta @ state.lower.T if self.full_rank else spread)
