"""Statistics that show whether samples are those of the posterior; `vip.diagnose.verdict` says what they mean for a run.

Shapes: n samples, d model parameters. Gradients are those of the log-posterior, in the same coordinates as the samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from vip.protocols import Floats

MIN_DRAWS = 4
"""Least number of draws of each chain, for R-hat."""
MIN_RATIOS = 25
"""Least number of log-ratios: with fewer, their tail has too few for a fit."""
MIN_TRACE = 20
"""Least number of iterations from which one can see whether their values rise."""
NEGLIGIBLE = 0.1
"""Rise of the mean log-posterior, over its standard deviation across the samples of a Gaussian, sqrt(d / 2)."""
REPEATS = 1000
"""Number of bootstrap repeats."""


class Convergence(NamedTuple):
    """Rank-normalised split R-hat, bulk and tail effective sample size (m,) of some entries (Vehtari et al. 2021)."""

    r_hat: Floats
    bulk_ess: Floats
    tail_ess: Floats

    def __str__(self) -> str:
        bulk, tail = self.bulk_ess, self.tail_ess
        return (
            f"R-hat {np.median(self.r_hat):.3f} median, {self.r_hat.max():.2f} worst; effective samples {np.median(bulk):,.0f}"
            f" median, {bulk.min():,.0f} fewest; in the tails {np.median(tail):,.0f} and {tail.min():,.0f};"
            f" {len(bulk):,} entries checked"
        )


def spread_entries(free: NDArray[np.bool_], most: int) -> NDArray[np.intp]:
    """At most `most` of the free entries (d,), spread over all of them.

    Examples
    --------
    >>> spread_entries(np.array([True, False, True, True]), 2).tolist()
    [0, 3]
    """
    entries = np.flatnonzero(free)
    chosen: NDArray[np.intp] = entries[np.linspace(0, len(entries) - 1, min(len(entries), most)).astype(int)]
    return chosen


def convergence(chains: Floats) -> Convergence | None:
    """R-hat and effective sample sizes of chains (chain, draw, m); None if the chains are too few or too short.

    The statistics suppose independent chains, and the particles of sSVGD interact: a large R-hat is a warning, a small one no
    proof. An entry takes 50 ms for 20 chains of 1500.
    """
    from arviz_stats.base import array_stats

    n_chains, n_draws, m = chains.shape
    if n_chains < 2 or n_draws < MIN_DRAWS or m == 0:
        return None
    axes = {"chain_axis": 0, "draw_axis": 1}
    chains = chains.astype(np.float64)
    r_hat, bulk = array_stats.rhat(chains, **axes), array_stats.ess(chains, **axes)
    tail = array_stats.ess(chains, **axes, method="tail", prob=(0.05, 0.95))
    known = np.isfinite(r_hat) & np.isfinite(bulk) & np.isfinite(tail)
    return Convergence(r_hat[known], bulk[known], tail[known]) if known.any() else None


def is_rising(trace: Floats, d: int) -> bool:
    """Whether a mean log-posterior or ELBO (iterations,) of d parameters rose between its halves by more than it scatters."""
    trace = trace[np.isfinite(trace)]
    if len(trace) < MIN_TRACE:
        return False
    first, second = np.array_split(trace, 2)
    return bool(second.mean() - first.mean() > max(second.std(), NEGLIGIBLE * np.sqrt(d / 2)))


def pareto_k(log_ratios: Floats) -> float | None:
    """Shape k of the tail of importance ratios, from ``log p - log q`` of samples of q; None if too few of these are finite.

    Below 0.5 the ratios have a variance, and q is close to the posterior p; above 0.7 no weights could mend q (Vehtari,
    Simpson, Gelman, Yao & Gabry 2024; as a test of variational inference, Yao, Vehtari, Simpson & Gelman 2018).
    """
    known = log_ratios[np.isfinite(log_ratios)]
    if len(known) < MIN_RATIOS:
        return None
    return smoothed_weights(known)[1]


def smoothed_weights(log_ratios: Floats) -> tuple[Floats, float]:
    """Logarithms (n,) of normalised importance weights, smoothed in their tail, and the tail's shape k (Vehtari et al. 2024).

    Ratios that are not finite have no weight. Where too few are finite, or those of the tail differ by more orders of magnitude
    than numbers have, k is infinite and the weights are as they are; where all are equal, k is zero.
    """
    from arviz_stats.base import array_stats

    known = np.isfinite(log_ratios)
    found, k = log_ratios[known], float("inf")
    if len(found) >= MIN_RATIOS and np.ptp(found) == 0:
        k = 0.0
    elif len(found) >= MIN_RATIOS:
        with np.errstate(divide="ignore", invalid="ignore"):
            smoothed, shape = array_stats.psislw(-found)  # it takes log-likelihoods that a datum is left out of
        if np.isfinite(smoothed).all():  # else the fit failed, and its shape means nothing
            found, k = smoothed, float(shape)
    log_weights = np.full(len(log_ratios), -np.inf)
    log_weights[known] = found - np.logaddexp.reduce(found) if len(found) else found
    return log_weights, k


def stein_spread(samples: Floats, gradient: Floats) -> float:
    """Variance of samples over that of the posterior, averaged over directions: by Stein's identity, 1 if it is right.

    ``E[(x - E x) . grad log p(x)] = -d`` for any density that vanishes at infinity. For a Gaussian posterior of covariance S
    and samples of covariance C the result is ``tr(S^-1 C) / d``, to a relative scatter of ``sqrt(2 / (n d))``. Samples that
    have not arrived at the posterior make it large.

    Parameters
    ----------
    samples, gradient : (n, d) float

    Examples
    --------
    >>> x = np.array([[-0.5], [0.5]])
    >>> stein_spread(x, -x)  # of a standard normal density: the variance
    0.5
    """
    n = len(samples)
    return float(-np.mean((samples - samples.mean(axis=0)) * gradient) * n / (n - 1))


class Discrepancy(NamedTuple):
    """Squared kernelised Stein discrepancy."""

    squared: float
    """The U-statistic, zero on average for samples of the target: chance makes it negative too."""
    p_value: float
    """Share of bootstrap repeats, as for independent samples of the target, with a larger one."""


def stein_discrepancy(samples: Floats, gradient: Floats, rng: np.random.Generator, scale: float | None = None) -> Discrepancy:
    """Distance of samples (n, d) from the density whose logarithm has these gradients (n, d); its constant need not be known.

    The U-statistic of Liu, Lee & Jordan (2016, eq. 14) with their bootstrap (eq. 15), for the inverse multiquadric kernel
    ``(scale^2 + |x - y|^2)^(-1/2)``, which notices samples that drift off (Gorham & Mackey 2017). The default `scale` is the
    median distance. All coordinates should be of one scale.
    """
    from scipy.spatial.distance import pdist

    n = len(samples)
    scale = float(np.median(pdist(samples))) if scale is None else scale
    kernel = stein_kernel(samples, gradient, scale)
    np.fill_diagonal(kernel, 0)
    squared = kernel.sum() / (n * (n - 1))
    weights = rng.multinomial(n, np.full(n, 1 / n), size=REPEATS) / n - 1 / n
    repeats = np.einsum("ri,ij,rj->r", weights, kernel, weights, optimize=True)
    return Discrepancy(float(squared), float(np.mean(repeats > squared)))


def stein_kernel(samples: Floats, gradient: Floats, scale: float) -> Floats:
    """The Stein kernel (n, n) of Liu, Lee & Jordan (2016, eq. 8), whose mean over samples of the target is zero."""
    d = samples.shape[1]
    squared_norm = np.sum(samples**2, axis=1)
    r2 = np.maximum(squared_norm[:, None] + squared_norm - 2 * samples @ samples.T, 0)
    q = scale**2 + r2
    # (g_x - g_y) . (x - y), which is all that the first derivatives of a kernel of x - y need.
    cross = gradient @ samples.T
    own = np.diag(cross)
    pulled = own[:, None] + own - cross - cross.T
    kernel: Floats = gradient @ gradient.T / np.sqrt(q) + (pulled + d) * q**-1.5 - 3 * r2 * q**-2.5
    return kernel


def contraction(prior: Floats, posterior: Floats) -> Floats:
    """``1 - var(posterior) / var(prior)`` (...) from samples (n, ...) of both: 0 where data add nothing, 1 where they fix it.

    Examples
    --------
    >>> contraction(np.array([[-2.0], [2.0]]), np.array([[-1.0], [1.0]])).tolist()
    [0.75]
    """
    share: Floats = 1 - posterior.var(axis=0, dtype=np.float64) / prior.var(axis=0)
    return share


def central_coverage(below: Floats, levels: Floats) -> Floats:
    """Share of true values inside the samples' central interval of each level, from the shares of samples `below` them.

    Examples
    --------
    >>> central_coverage(np.array([0.5, 0.3, 0.01]), np.array([0.1, 0.5, 0.9])).round(2).tolist()
    [0.33, 0.67, 0.67]
    """
    inside: Floats = np.mean(np.abs(2 * below.ravel() - 1)[:, None] <= levels, axis=0)
    return inside


def chi2_range(n_data: int) -> tuple[float, float]:
    """The 99 % range of one sample's chi^2 per datum, if model and noise are right.

    A posterior sample and the data then differ as the truth and the data do, by n_data independent errors; the cube of a normal
    variable is close to chi^2 (Wilson & Hilferty 1931).

    Examples
    --------
    >>> low, high = chi2_range(400)
    >>> round(low, 2), round(high, 2)
    (0.83, 1.19)
    """
    width = 2 / (9 * n_data)
    low, high = ((1 - width + z * np.sqrt(width)) ** 3 for z in ndtri([0.005, 0.995]))
    return float(low), float(high)
