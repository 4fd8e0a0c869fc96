"""Travel times as a linear function of the normal scores z, from the eikonal kernel at draws of what is believed so far.

Statistical linear regression (Garcia-Fernandez et al. 2015, IEEE Trans. Signal Process. 63, 5561): the mean time and the mean
Jacobian over draws, instead of those at one point. A ray through a smooth mean is straighter than rays through the rough models
that fit the data, so a linearisation at the mean is not the best line.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vip.forward.tomo2d.amortised.graph import Prior, Survey, mean_slowness
from vip.kernels_c.eikonal2d import Plan, ray_weights
from vip.protocols import Floats

LANES = 16
"""Number of models at once: the kernel's lanes, and few enough for their rays to stay in the cache."""


class Linear(NamedTuple):
    """Times t(z) = times + rays (z - at) + error, for n surveys that differ in their data alone; NumPy or torch arrays.

    Attributes
    ----------
    at : (n, nodes)
    times : (n, n_paths)
    rays : (n, n_paths, nodes)
        Mean of the derivatives of times by z over the draws.
    bend : (n, n_paths, nodes)
        Variance of the derivatives over the draws.
    error : (n, n_paths)
        Variance of the times about the line.
    """

    at: Any
    times: Any
    rays: Any
    bend: Any
    error: Any

    def mixed(self, older: Linear, share: Any) -> Linear:
        """Mean of two linearisations about the point of this one, which has a share between 0 and 1, the older one the rest."""
        moved = older.times + (older.rays @ (self.at - older.at)[..., None])[..., 0]
        rest = 1 - share
        return Linear(
            self.at,
            share * self.times + rest * moved,
            share * self.rays + rest * older.rays,
            share * self.bend + rest * older.bend + share * rest * (self.rays - older.rays) ** 2,
            share * self.error + rest * older.error,
        )


def straight(survey: Survey, lengths: Floats, n: int) -> Linear:
    """Best line for straight rays of given lengths (n_paths, nodes) under the prior, the same for n surveys."""
    mean, slope, variance = mean_slowness(survey.prior)
    error = (lengths**2).sum(axis=1) * variance
    line = Linear(np.zeros(lengths.shape[1]), lengths.sum(axis=1) * mean, lengths * slope, 0 * lengths, error)
    return Linear(*(np.broadcast_to(x, (n, *x.shape)).copy() for x in line))


def by_draws(plan: Plan, prior: Prior, mean: Floats, draws: Floats) -> Linear:
    """Line through the exact times at draws.

    Parameters
    ----------
    plan : Plan
    prior : Prior
    mean : (n, nodes) float
        Point about which the line is written.
    draws : (n, n_draws, nodes) float
        Draws of z, in pairs that are symmetric about the mean; or the mean alone.
    """
    n, n_draws, _ = draws.shape
    at_once = max(1, LANES // n_draws)
    parts = [_line(plan, prior, mean[i : i + at_once], draws[i : i + at_once]) for i in range(0, n, at_once)]
    return Linear(*(np.concatenate(x) for x in zip(*parts, strict=True)))


def _line(plan: Plan, prior: Prior, mean: Floats, draws: Floats) -> Linear:
    n, n_draws, nodes = draws.shape
    z = draws.reshape(-1, nodes)
    times, rays = ray_weights(prior.velocity(z), plan)
    rays *= prior.slope(z)[:, None]
    times, rays = times.reshape(n, n_draws, -1), rays.reshape(n, n_draws, -1, nodes)
    mean_times, mean_rays = times.mean(axis=1), rays.mean(axis=1)
    bend = np.einsum("nkpc,nkpc->npc", rays, rays) / n_draws - mean_rays**2
    off = times - mean_times[:, None] - (draws - mean[:, None]) @ mean_rays.swapaxes(1, 2)
    return Linear(mean, mean_times, mean_rays, np.maximum(bend, 0), (off**2).sum(axis=1) / max(n_draws - 1, 1))


def antithetic(mean: Floats, root: Floats, noise: Floats) -> Floats:
    """Draws (n, n_draws, nodes) from Gaussians with means (n, nodes) and precisions L L^T, L = `root` (n, nodes, nodes).

    `noise` (n, n_draws / 2, nodes) is white; each of its rows gives two draws, on both sides of the mean.
    """
    half = np.linalg.solve(root.swapaxes(1, 2), noise.swapaxes(1, 2)).swapaxes(1, 2)
    draws: Floats = mean[:, None] + np.concatenate([half, -half], axis=1)
    return draws
