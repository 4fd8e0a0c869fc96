"""Posterior densities of velocity maps as mixtures of Gaussians in the normal scores of the velocities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, ndtr

from vip.forward.tomo2d.amortised.graph import Prior
from vip.protocols import Floats

LOG_2PI = math.log(2 * math.pi)


class NoiseScale(NamedTuple):
    """Logarithms of the noise scale for which the components of a mixture stand, and the width of each."""

    centres: Floats
    """Centres (k,)."""
    width: float
    """Standard deviation of each component about its centre."""


class Mixture:
    """Posterior of one map: a mixture of Gaussians in z = probit((v - lower) / (upper - lower)).

    Parameters
    ----------
    prior : Prior
    log_weights : (k,) float
        Logarithms of the weights, up to a constant.
    means : (k, nodes) float
    precisions : (k, nodes, nodes) float
    noise : NoiseScale, optional
        If the scale of the noise is unknown: the component of each scale.
    """

    def __init__(
        self, prior: Prior, log_weights: Floats, means: Floats, precisions: Floats, noise: NoiseScale | None = None
    ) -> None:
        self.prior, self.means, self.noise = prior, means, noise
        self.log_weights = log_weights - logsumexp(log_weights)
        self.roots = np.linalg.cholesky(precisions)
        self.ndim = means.shape[1] + (noise is not None)

    def moments(self) -> tuple[Floats, Floats]:
        """Means and standard deviations (ndim,) of the velocities (km/s), and of the logarithm of the noise scale."""
        weights = np.exp(self.log_weights)
        variance = np.stack([(np.linalg.inv(root) ** 2).sum(axis=0) for root in self.roots])
        node, part = np.polynomial.hermite_e.hermegauss(60)
        part = part / part.sum()
        share = ndtr(self.means[..., None] + np.sqrt(variance)[..., None] * node)
        mean = weights @ (share @ part)
        sd = np.sqrt(np.maximum(weights @ (share**2 @ part) - mean**2, 0))
        width = self.prior.upper - self.prior.lower
        mean, sd = self.prior.lower + width * mean, width * sd
        if self.noise is None:
            return mean, sd
        centre = weights @ self.noise.centres
        spread = weights @ (self.noise.centres - centre) ** 2 + self.noise.width**2
        return np.append(mean, centre), np.append(sd, math.sqrt(spread))

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw models (n, ndim)."""
        component = rng.choice(len(self.log_weights), n, p=np.exp(self.log_weights))
        noise = rng.standard_normal((n, self.means.shape[1]))
        z = np.empty_like(noise)
        for k in np.unique(component):
            mine = component == k
            z[mine] = self.means[k] + np.linalg.solve(self.roots[k].T, noise[mine].T).T
        models = self.prior.velocity(z)
        if self.noise is None:
            return models
        log_scale = self.noise.centres[component] + self.noise.width * rng.standard_normal(n)
        return np.column_stack([models, log_scale])

    def log_density(self, models: Floats) -> Floats:
        """Log-density (n,) of models (n, ndim), in physical units; minus infinity outside the prior's bounds."""
        nodes = self.means.shape[1]
        velocity = models[:, :nodes]
        inside = ((velocity > self.prior.lower) & (velocity < self.prior.upper)).all(axis=1)
        z = self.prior.scores(velocity)
        parts = np.empty((len(self.log_weights), len(z)))
        for k, (weight, mean, root) in enumerate(zip(self.log_weights, self.means, self.roots, strict=True)):
            white = (z - mean) @ root
            parts[k] = weight + np.log(np.diag(root)).sum() - 0.5 * (white**2).sum(axis=1) - 0.5 * nodes * LOG_2PI
        if self.noise is not None:
            off = (models[:, nodes] - self.noise.centres[:, None]) / self.noise.width
            parts -= 0.5 * off**2 + math.log(self.noise.width) + 0.5 * LOG_2PI
        value = logsumexp(parts, axis=0) - np.log(self.prior.slope(z)).sum(axis=1)
        return np.where(inside, value, -np.inf)


class Posterior:
    """Posterior of all maps of a problem, which are independent, with what makes it doubtful.

    Parameters
    ----------
    maps : sequence of Mixture
        One for each period.
    warnings : sequence of str
        What the user should know before believing it; empty if nothing is unusual.

    Attributes
    ----------
    mean, std : (d,) float
        Means and standard deviations of models: velocities of each period in turn, km/s, and then, if the noise scale is
        unknown, the logarithm of that of each period.
    """

    def __init__(self, maps: Sequence[Mixture], warnings: Sequence[str] = ()) -> None:
        self.maps, self.warnings = list(maps), list(warnings)
        self.mean, self.std = (self._joined(x) for x in zip(*(one.moments() for one in self.maps), strict=True))

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw models (n, d)."""
        return self._joined([one.sample(n, rng) for one in self.maps])

    def log_density(self, models: Floats) -> Floats:
        """Normalised log-density (n,) of models (n, d), in physical units."""
        total: Floats = np.sum(
            [one.log_density(models[:, of]) for one, of in zip(self.maps, self._columns(), strict=True)], axis=0
        )
        return total

    def _columns(self) -> list[Floats]:
        """Columns of a model that belong to each map."""
        nodes = self.maps[0].means.shape[1]
        columns = [np.arange(i * nodes, (i + 1) * nodes) for i in range(len(self.maps))]
        if self.maps[0].noise is not None:
            columns = [np.append(of, len(self.maps) * nodes + i) for i, of in enumerate(columns)]
        return columns

    def _joined(self, parts: Sequence[Floats]) -> Floats:
        """Models (..., d) from those of each map."""
        models = np.empty((*parts[0].shape[:-1], sum(part.shape[-1] for part in parts)))
        for part, of in zip(parts, self._columns(), strict=True):
            models[..., of] = part
        return models
