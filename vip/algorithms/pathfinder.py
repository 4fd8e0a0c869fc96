"""Pathfinder (Zhang, Carpenter, Gelman & Vehtari 2022): Gaussians along quasi-Newton paths from the prior to a mode.

Each path climbs by L-BFGS; at each of its points the inverse Hessian estimate makes a Gaussian, and the path keeps that with
the largest ELBO. Several paths make a mixture.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from scipy.special import softmax

from vip.algorithms.metrics import SMALLEST, Metric
from vip.protocols import Floats, Info, LogDensity

HISTORY = 6
"""Number of pairs of differences that an inverse Hessian is made from (the paper's J)."""
DRAWS = 5
"""Number of draws for an ELBO (the paper's K)."""
SUFFICIENT = 1e-4
"""Least rise of a step, over the rise that the slope predicts (Armijo)."""
STRAIGHT = 1e-8
"""Least cosine between differences of positions and gradients: below it they show no curvature."""
SHORTEST = 2.0**-30
"""Shortest step: below it the path ends."""
FLAT = 1e-8
"""Rise of the log-density, over its size, below which a path ends."""


class PathfinderState(NamedTuple):
    """State of n paths: their positions and knowledge of the Hessian, the steps they try next, and the best Gaussian of each.

    `differences` and `changes` (n, J, d) are of positions and gradients, newest last, `pairs` (n,) how many there are. The best
    Gaussian has a mean (n, d), and `scale` (n, d), `basis` (n, d, 2 J) and `stretch` (n, 2 J) of the `Metric` that whitens it.
    `is_new` marks the paths whose current Gaussian has not been judged yet, `is_done` those that have ended.
    """

    particles: Floats
    value: Floats
    gradient: Floats
    variance: Floats
    differences: Floats
    changes: Floats
    pairs: Floats
    direction: Floats
    length: Floats
    is_new: Floats
    is_done: Floats
    mean: Floats
    scale: Floats
    basis: Floats
    stretch: Floats
    elbo: Floats
    log_ratios: Floats
    iteration: int


class Pathfinder:
    """A mixture of Gaussians, one a path, each in proportion to the exponential of its ELBO.

    Parameters
    ----------
    n_particles : int
        Number of paths.
    """

    is_chain = False
    rejects = True

    def __init__(self, n_particles: int) -> None:
        self.n_particles = n_particles
        self.n_evaluated = n_particles * (1 + DRAWS)

    def init(self, theta0: Floats) -> PathfinderState:
        """Paths that start at particles (n, d) drawn from the prior."""
        n, d = theta0.shape
        variance = np.broadcast_to(np.maximum(theta0.var(axis=0), SMALLEST) if n > 1 else np.ones(d), (n, d)).copy()
        history, k = np.zeros((n, HISTORY, d)), min(2 * HISTORY, d)
        none = np.zeros(n)
        return PathfinderState(
            *(theta0, np.full(n, -np.inf), np.zeros((n, d)), variance, history, history.copy(), none, np.zeros((n, d))),
            *(none, none, none, theta0, 1 / np.sqrt(variance), np.broadcast_to(np.eye(d, k), (n, d, k)).copy()),
            *(np.ones((n, k)), np.full(n, -np.inf), np.full((n, DRAWS), np.nan), 0),
        )

    def step(self, state: PathfinderState, log_density: LogDensity, rng: np.random.Generator) -> tuple[PathfinderState, Info]:
        """Each path tries a step; the Gaussians at points that are new are judged in the same evaluation."""
        running = np.flatnonzero(state.is_done == 0).tolist()
        new = [i for i in running if state.is_new[i]]
        if not running:
            return state._replace(iteration=state.iteration + 1), Info(_mean(state.value), 0.0)
        trial = state.particles + state.length[:, None] * state.direction
        gaussians = {i: local_gaussian(state, i) for i in new}
        noise = rng.standard_normal((len(new), DRAWS, trial.shape[1]))
        draws = [mean + metric.unwhiten(z) for (mean, metric), z in zip(gaussians.values(), noise, strict=True)]
        found = log_density(np.concatenate([trial[running], *draws]))
        value, gradient = found.value, found.gradient
        of_draws = value[len(running) :].reshape(len(new), DRAWS)
        copies: list[Any] = [*(np.copy(field) for field in state[:-1]), state.iteration]
        moved = PathfinderState(*copies)
        for row, (i, (mean, metric)) in enumerate(gaussians.items()):
            _judge(moved, i, mean, metric, of_draws[row] - log_normal(noise[row], metric))
        for row, i in enumerate(running):
            _climb(moved, i, trial[i], value[row], gradient[row])
        change = np.sqrt(np.mean((moved.particles - state.particles) ** 2))
        best = float(moved.elbo.max())
        return moved._replace(iteration=state.iteration + 1), Info(
            _mean(moved.value), float(change), {"elbo": best} if best > -np.inf else {}
        )

    def draw(self, state: PathfinderState, n: int, rng: np.random.Generator) -> Floats:
        """N draws (n, d) of the mixture."""
        weight = softmax(state.elbo) if np.isfinite(state.elbo).any() else np.full(len(state.elbo), 1 / len(state.elbo))
        path = rng.choice(len(weight), size=n, p=weight)
        noise, theta = rng.standard_normal((n, state.mean.shape[1])), np.empty((n, state.mean.shape[1]))
        for i in np.unique(path):
            metric = Metric(state.scale[i], state.basis[i], state.stretch[i])
            theta[path == i] = state.mean[i] + metric.unwhiten(noise[path == i])
        return theta

    def has_converged(self, state: PathfinderState) -> bool:
        """Whether all paths have ended."""
        return bool(state.is_done.all())


def _mean(value: Floats) -> float:
    """Mean of the log-densities (n,) that are finite; -inf if none is."""
    known = value[np.isfinite(value)]
    return float(known.mean()) if len(known) else -np.inf


def local_gaussian(state: PathfinderState, i: int) -> tuple[Floats, Metric]:
    """Mean (d,) and whitening metric of the Gaussian at the point of path i (the paper's algorithm 4)."""
    metric = _inverse_hessian(state.variance[i], state.differences[i], state.changes[i], int(state.pairs[i]))
    step = metric.unwhiten(metric.pull(state.gradient[i][None]))[0]
    return state.particles[i] + step, metric


def log_normal(noise: Floats, metric: Metric) -> Floats:
    """Log-density (k,) of draws that a metric makes from noise (k, d)."""
    log_determinant = np.log(metric.scale).sum() + np.log(metric.stretch).sum()
    value: Floats = -0.5 * (noise**2).sum(axis=1) + log_determinant - 0.5 * noise.shape[1] * np.log(2 * np.pi)
    return value


def _inverse_hessian(variance: Floats, differences: Floats, changes: Floats, pairs: int) -> Metric:
    """The metric whose ``Q^-1`` is the L-BFGS estimate, diagonal plus low rank (Byrd, Nocedal & Schnabel 1994, eq. 3.13)."""
    d, k = len(variance), min(2 * HISTORY, len(variance))
    scale = 1 / np.sqrt(variance)
    if pairs == 0:
        return Metric(scale, np.eye(d, k), np.ones(k))
    S, Y = differences[-pairs:].T * scale[:, None], changes[-pairs:].T / scale[:, None]
    inverse_R = scipy.linalg.inv(np.triu(S.T @ Y))
    E = np.diag(np.sum(S * Y, axis=0))
    corner = inverse_R.T @ (E + Y.T @ Y) @ inverse_R
    middle = np.block([[corner, -inverse_R.T], [-inverse_R, np.zeros((pairs, pairs))]])
    basis, R = scipy.linalg.qr(np.concatenate([S, Y], axis=1), mode="economic")
    value, vectors = scipy.linalg.eigh(np.eye(basis.shape[1]) + R @ middle @ R.T)
    found = Metric(scale, basis @ vectors, 1 / np.sqrt(np.maximum(value, SMALLEST)))
    missing = k - len(value)
    if missing <= 0:
        return found
    return Metric(
        scale, np.concatenate([found.basis, np.zeros((d, missing))], axis=1), np.append(found.stretch, np.ones(missing))
    )


def _judge(state: PathfinderState, i: int, mean: Floats, metric: Metric, log_ratio: Floats) -> None:
    """Keep the Gaussian at path i if its ELBO is the largest so far."""
    state.is_new[i] = 0
    if log_ratio.mean() > state.elbo[i]:
        state.elbo[i], state.log_ratios[i], state.mean[i] = log_ratio.mean(), log_ratio, mean
        state.scale[i], state.basis[i], state.stretch[i] = metric


def _climb(state: PathfinderState, i: int, trial: Floats, value: float, gradient: Floats) -> None:
    """Take the step that path i tried if it rose enough, else halve it."""
    promised = SUFFICIENT * state.length[i] * float(state.gradient[i] @ state.direction[i])
    first = not np.isfinite(state.value[i])
    if not (first or value >= state.value[i] + promised) or not np.isfinite(value):
        state.length[i] /= 2
        state.is_done[i] = state.length[i] < SHORTEST
        return
    if not first:
        _learn(state, i, trial - state.particles[i], state.gradient[i] - gradient)
        state.is_done[i] = value - state.value[i] < FLAT * (1 + abs(value))
    state.particles[i], state.value[i], state.gradient[i], state.is_new[i] = trial, value, gradient, 1
    metric = _inverse_hessian(state.variance[i], state.differences[i], state.changes[i], int(state.pairs[i]))
    state.direction[i] = metric.unwhiten(metric.pull(gradient[None]))[0]
    # The first step knows no curvature: it is at most as long as the prior is wide.
    width = float(np.linalg.norm(state.direction[i] * metric.scale)) / np.sqrt(len(trial))
    state.length[i] = 1.0 if state.pairs[i] else 1 / max(1.0, width)


def _learn(state: PathfinderState, i: int, s: Floats, y: Floats) -> None:
    """Keep a pair of differences of position and (negative) gradient, if the curvature along it is positive.

    The diagonal follows Gilbert & Lemarechal (1989), eq. 4.9, as in the paper's algorithm 3.
    """
    b = float(s @ y)
    if b <= STRAIGHT * float(np.linalg.norm(s) * np.linalg.norm(y)):
        return
    variance = state.variance[i]
    a, c = float(y @ (variance * y)), float(s @ (s / variance))
    state.variance[i] = 1 / (a / (b * variance) + y**2 / b - a * s**2 / (b * c * variance**2))
    state.differences[i] = np.concatenate([state.differences[i][1:], s[None]])
    state.changes[i] = np.concatenate([state.changes[i][1:], y[None]])
    state.pairs[i] = min(state.pairs[i] + 1, HISTORY, len(s))
