"""Families of distributions that variational inference fits: Gaussians with covariances from diagonal to full.

A distribution is a vector of parameters (p,). A family turns white noise into samples, knows their density, and carries a
gradient by the samples back to the parameters, so that one algorithm serves them all.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from vip.algorithms.metrics import SMALLEST
from vip.protocols import Floats


class Family(Protocol):
    """A family of distributions of d entries with p parameters."""

    def init(self, theta0: Floats) -> Floats:
        """Parameters (p,) that suit particles (n, d)."""

    def pace(self, d: int) -> Floats | float:
        """Factor by which the step of each parameter is multiplied, since many parameters may act on one entry."""

    def n_noise(self, d: int) -> int:
        """Number of white-noise values that a sample takes."""

    def sample(self, parameters: Floats, noise: Floats) -> Floats:
        """Samples (s, d) made from noise (s, n_noise)."""

    def noise(self, parameters: Floats, theta: Floats) -> Floats:
        """Noise that makes these samples, as far as `density` needs it."""

    def density(self, parameters: Floats, theta: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """Log-density (s,) of samples made from that noise, and its gradient (s, d) by the samples."""

    def chain(self, parameters: Floats, gradient: Floats, noise: Floats) -> Floats:
        """Gradient (p,) of a mean over samples by the parameters, from the gradient (s, d) by the samples."""


class Triangular:
    """Gaussian with covariance L L^T; L is lower triangular, and a pattern says which of its entries may differ from zero.

    The parameters are the mean, the logarithms of the diagonal of L, and the entries below it. Without any of these the family
    is mean-field; with all, full-rank; with those between neighbours, the physically structured family of Zhao & Curtis (2024),
    of O(d) parameters.

    Parameters
    ----------
    rows, columns : (m,) int
        Positions of the entries of L below its diagonal.
    """

    def __init__(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> None:
        self.rows, self.columns = rows, columns

    @classmethod
    def between(cls, neighbours: Any) -> Triangular:
        """The family whose L couples entries that are neighbours, (d, d) sparse."""
        below = sp.coo_array(sp.tril(neighbours, -1))
        return cls(below.row.astype(np.intp), below.col.astype(np.intp))

    @classmethod
    def mean_field(cls) -> Triangular:
        """The family with diagonal covariances."""
        return cls(np.zeros(0, np.intp), np.zeros(0, np.intp))

    @classmethod
    def full_rank(cls, d: int) -> Triangular:
        """The family with all covariances of d entries."""
        return cls(*np.tril_indices(d, -1))

    def init(self, theta0: Floats) -> Floats:
        """Parameters (p,) of independent entries with the means and standard deviations of particles (n, d)."""
        spread = np.sqrt(np.maximum(theta0.var(axis=0), SMALLEST))
        return np.concatenate([theta0.mean(axis=0), np.log(spread), np.zeros(len(self.rows))])

    def pace(self, d: int) -> Floats:
        """Factors (p,) that let all entries of a row of L together, which optimizers move alike, act as much as the mean."""
        in_row = np.bincount(self.rows, minlength=d)
        return np.concatenate([np.ones(2 * d), 1 / np.sqrt(in_row[self.rows] + 1.0)])

    def n_noise(self, d: int) -> int:
        """Number of white-noise values that a sample takes: one for each entry."""
        return d

    def sample(self, parameters: Floats, noise: Floats) -> Floats:
        """Samples (s, d): mean + L noise."""
        mean, log_diagonal, below = self._split(parameters)
        theta: Floats = mean + noise * np.exp(log_diagonal)
        return theta + (self._below(below, len(mean)) @ noise.T).T if len(below) else theta

    def noise(self, parameters: Floats, theta: Floats) -> Floats:
        """Noise (s, d) that makes these samples: ``L^-1 (theta - mean)``."""
        return self._solved(parameters, theta - parameters[: theta.shape[1]], "N")

    def density(self, parameters: Floats, theta: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """Log-density (s,) and its gradient (s, d), ``-L^-T noise``."""
        mean, log_diagonal, _ = self._split(parameters)
        value = -0.5 * (noise**2).sum(axis=1) - log_diagonal.sum() - 0.5 * len(mean) * math.log(2 * math.pi)
        return value, -self._solved(parameters, noise, "T")

    def _solved(self, parameters: Floats, rows: Floats, trans: str) -> Floats:
        """``L^-1`` ("N") or ``L^-T`` ("T") times each of the rows (s, d)."""
        mean, log_diagonal, below = self._split(parameters)
        if not len(below):
            return rows / np.exp(log_diagonal)
        L = self._below(below, len(mean))
        if sp.issparse(L):
            # A triangular matrix is its own factor: no entry is filled in, and nothing is exchanged.
            whole = sp.csc_array(L + sp.diags_array(np.exp(log_diagonal)))
            factor = splu(whole, permc_spec="NATURAL", diag_pivot_thresh=0.0)
            return np.ascontiguousarray(factor.solve(np.ascontiguousarray(rows.T), trans).T)
        L[np.diag_indices_from(L)] = np.exp(log_diagonal)
        solved: Floats = scipy.linalg.solve_triangular(L, rows.T, lower=True, trans=trans).T
        return solved

    def chain(self, parameters: Floats, gradient: Floats, noise: Floats) -> Floats:
        """Gradient (p,) by mean, logarithm of the diagonal, and entries below it (eqs. 10 and 11 of Zhang & Curtis 2024)."""
        mean, log_diagonal, _ = self._split(parameters)
        by_diagonal = np.mean(gradient * noise, axis=0) * np.exp(log_diagonal)
        if self._is_dense(len(mean)):
            by_below = (gradient.T @ noise / len(noise))[self.rows, self.columns]
        else:
            by_below = np.mean(gradient[:, self.rows] * noise[:, self.columns], axis=0)
        return np.concatenate([gradient.mean(axis=0), by_diagonal, by_below])

    def _split(self, parameters: Floats) -> tuple[Floats, Floats, Floats]:
        d = (len(parameters) - len(self.rows)) // 2
        return parameters[:d], parameters[d : 2 * d], parameters[2 * d :]

    def _is_dense(self, d: int) -> bool:
        return len(self.rows) > 0.1 * d**2

    def _below(self, below: Floats, d: int) -> Any:
        """The entries below the diagonal as a matrix (d, d)."""
        if not self._is_dense(d):
            return sp.csr_array((below, (self.rows, self.columns)), shape=(d, d))
        L = np.zeros((d, d))
        L[self.rows, self.columns] = below
        return L


class LowRankGaussian:
    """Gaussian with covariance B B^T + diag(s)^2, B of a few columns (Ong, Nott & Smith 2018): O(d) parameters.

    Parameters
    ----------
    rank : int
        Number of columns of B.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def init(self, theta0: Floats) -> Floats:
        """Parameters (p,): half of the particles' variance on the diagonal, leading directions in B, as zero is a saddle."""
        n, d = theta0.shape
        centred = (theta0 - theta0.mean(axis=0)) / math.sqrt(n)
        leading = np.zeros((self.rank, d))
        vectors = np.linalg.svd(centred, full_matrices=False)
        kept = min(self.rank, len(vectors[1]))
        leading[:kept] = 0.7 * vectors[1][:kept, None] * vectors[2][:kept]
        spread = np.sqrt(np.maximum(0.5 * (centred**2).sum(axis=0), SMALLEST))
        return np.concatenate([theta0.mean(axis=0), np.log(spread), leading.ravel()])

    def pace(self, d: int) -> Floats:
        """Factors (p,) that let all entries of a row of B together, which optimizers move alike, act as much as the mean."""
        return np.concatenate([np.ones(2 * d), np.full(self.rank * d, 1 / math.sqrt(self.rank + 1))])

    def n_noise(self, d: int) -> int:
        """Number of white-noise values that a sample takes: one for each column of B, and one for each entry."""
        return self.rank + d

    def sample(self, parameters: Floats, noise: Floats) -> Floats:
        """Samples (s, d): mean + B z + s e, of noise z and e."""
        mean, log_s, B = self._split(parameters)
        theta: Floats = mean + noise[:, : self.rank] @ B + noise[:, self.rank :] * np.exp(log_s)
        return theta

    def noise(self, parameters: Floats, theta: Floats) -> Floats:
        """Empty: many values of noise make the same sample, and the density needs none."""
        return np.zeros((len(theta), 0))

    def density(self, parameters: Floats, theta: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """Log-density (s,) and its gradient (s, d), by Woodbury's identity: with solves of the rank's size."""
        mean, log_s, B = self._split(parameters)
        s = np.exp(log_s)
        scaled = B / s
        capacitance = scipy.linalg.cho_factor(np.eye(self.rank) + scaled @ scaled.T, lower=True)
        z = (theta - mean) / s
        solved = z - scipy.linalg.cho_solve(capacitance, scaled @ z.T).T @ scaled
        log_determinant = 2 * (log_s.sum() + np.log(np.diag(capacitance[0])).sum())
        value = -0.5 * ((z * solved).sum(axis=1) + log_determinant + len(mean) * math.log(2 * math.pi))
        return value, -solved / s

    def chain(self, parameters: Floats, gradient: Floats, noise: Floats) -> Floats:
        """Gradient (p,) by mean, logarithm of s, and B."""
        _, log_s, _ = self._split(parameters)
        by_s = np.mean(gradient * noise[:, self.rank :], axis=0) * np.exp(log_s)
        by_B = noise[:, : self.rank].T @ gradient / len(noise)
        return np.concatenate([gradient.mean(axis=0), by_s, by_B.ravel()])

    def _split(self, parameters: Floats) -> tuple[Floats, Floats, Floats]:
        d = len(parameters) // (self.rank + 2)
        return parameters[:d], parameters[d : 2 * d], parameters[2 * d :].reshape(self.rank, d)
