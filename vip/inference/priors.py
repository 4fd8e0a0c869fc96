"""Prior densities of physical models: uniform, Gaussian, smooth, and their products.

All are normalised except a product with bounds, whose constant has no closed form and does not matter to any algorithm here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu
from scipy.special import ndtr, ndtri

from vip.earth import KM_PER_DEGREE
from vip.protocols import Floats, Prior, Variable

GIBBS_SWEEPS = 100


class Uniform:
    """Uniform prior: constant density between bounds.

    Parameters
    ----------
    lower, upper : (d,) float
        Bounds in physical units; each lower below its upper.

    Examples
    --------
    >>> prior = Uniform(np.array([1.0]), np.array([3.0]))
    >>> [float(value) for value in prior.log_density(np.array([[2.0], [4.0]]))[0].round(3)]
    [-0.693, -inf]
    """

    def __init__(self, lower: Floats, upper: Floats) -> None:
        self.lower, self.upper = lower, upper

    def log_density(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-density (n,) and its gradient (n, d), zero."""
        inside = np.all((models >= self.lower) & (models <= self.upper), axis=1)
        value = -np.log(self.upper - self.lower).sum()
        return np.where(inside, value, -np.inf), np.zeros_like(models)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw models (n, d)."""
        return rng.uniform(self.lower, self.upper, size=(n, len(self.lower)))


class CorrelatedUniform(Uniform):
    """Uniform at each node, and alike at neighbouring ones: normal scores ``z = probit((v - lower) / (upper - lower))`` are a
    Gaussian field with Matern covariance of smoothness 3/2.

    Parameters
    ----------
    lower, upper : (d,) float
        Bounds in physical units.
    correlation_length : float
        Length l of the correlation ``(1 + s) exp(-s)`` with ``s = sqrt(3) distance / l``, in km or the coordinates' own unit.
    variable : Variable
        Gives the grid; maps of different labels, such as periods, are independent.
    """

    def __init__(self, lower: Floats, upper: Floats, correlation_length: float, variable: Variable) -> None:
        super().__init__(lower, upper)
        self.correlation_length = correlation_length
        covariance = matern(variable, correlation_length)
        self._root = np.linalg.cholesky(covariance)
        self._beyond_white = np.linalg.inv(covariance) - np.eye(len(covariance))

    def log_density(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-density (n,) and its gradient (n, d)."""
        value, nothing = super().log_density(models)
        width = self.upper - self.lower
        inside = np.isfinite(value)[:, None]
        # Scores of a model on its very bounds, or beyond, are infinite: such a model has no gradient that could be used.
        share = np.where(inside, (models - self.lower) / width, 0.5)
        z = ndtri(np.clip(share, np.finfo(float).tiny, 1 - np.finfo(float).epsneg))
        maps = z.reshape(len(z), -1, len(self._root))
        pull = -(maps @ self._beyond_white).reshape(z.shape)
        value = value + 0.5 * (z * pull).sum(axis=1) - maps.shape[1] * np.log(np.diag(self._root)).sum()
        return value, np.where(inside, pull * math.sqrt(2 * math.pi) * np.exp(0.5 * z**2) / width, nothing)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw models (n, d)."""
        white = rng.standard_normal((n, len(self.lower) // len(self._root), len(self._root)))
        models: Floats = self.lower + (self.upper - self.lower) * ndtr((white @ self._root.T).reshape(n, -1))
        return models


class Gaussian:
    """Gaussian prior with precision R R^T, R sparse or dense: one class for diagonal, full and Markov precisions.

    Parameters
    ----------
    mean : (d,) float
    root : (d, m) sparse or dense
        R; its product with its transpose is the precision (inverse covariance).
    """

    def __init__(self, mean: Floats, root: Any) -> None:
        self.mean = mean
        self.root = sp.csr_array(root)
        self.precision = sp.csr_array(self.root @ self.root.T)
        self.lower, self.upper = np.full(len(mean), -np.inf), np.full(len(mean), np.inf)
        self._solve, log_determinant = _factorise(self.precision)
        self._log_norm = 0.5 * (log_determinant - len(mean) * math.log(2 * math.pi))

    @classmethod
    def diagonal(cls, mean: Floats, sd: Floats) -> Gaussian:
        """Independent entries with standard deviations (d,)."""
        return cls(mean, sp.diags_array(1 / sd))

    @classmethod
    def full(cls, mean: Floats, covariance: Floats) -> Gaussian:
        """Covariance (d, d), symmetric positive definite (numpy.linalg.LinAlgError if not)."""
        return cls(mean, np.linalg.inv(np.linalg.cholesky(covariance)).T)

    @classmethod
    def smooth(cls, mean: Floats, sigma: float, correlation_length: float, variable: Variable) -> Gaussian:
        """Gaussian Markov random field with Matern covariance (smoothness 1 in two dimensions).

        The precision is proportional to (kappa^2 - Laplacian)^2 on the grid of `variable`, without flux through its edges
        (Lindgren, Rue & Lindstroem 2011, eqs. 2 and 10).

        Parameters
        ----------
        mean : (d,) float
        sigma : float
            Standard deviation at the middle of the grid, physical units.
        correlation_length : float
            Distance, in km or the coordinates' own unit, at which the correlation has fallen to about 0.13.
        variable : Variable
            Gives the grid.
        """
        root = helmholtz(variable, kappa=math.sqrt(8.0) / correlation_length)
        middle = np.zeros(variable.size)
        middle[np.ravel_multi_index([n // 2 for n in variable.shape], variable.shape)] = 1
        # Of precision R R^T the variance at the middle is |R^-1 e|^2; scaling R sets it to sigma^2.
        sd_unscaled = np.linalg.norm(splu(sp.csc_array(root)).solve(middle))
        return cls(mean, root * (sd_unscaled / sigma))

    def times(self, other: Gaussian) -> Gaussian:
        """The normalised product of two Gaussian densities: precisions add."""
        product = Gaussian(self.mean, sp.hstack([self.root, other.root]))
        product.mean = product._solve(self.precision @ self.mean + other.precision @ other.mean)
        return product

    def coloured(self, noise: Floats) -> Floats:
        """Models (n, d) of white noise (n, d): mean + L noise with L L^T the covariance."""
        models: Floats = self.mean + self._white_root.solve(np.ascontiguousarray(noise.T), "T").T
        return models

    def whitened(self, models: Floats) -> Floats:
        """The noise (n, d) of models (n, d)."""
        noise: Floats = (self._square_root.T @ (models - self.mean).T).T
        return noise

    def pulled(self, gradient: Floats) -> Floats:
        """Gradients (n, d) by the noise, from gradients by the models."""
        return np.ascontiguousarray(self._white_root.solve(np.ascontiguousarray(gradient.T)).T)

    def pushed(self, gradient: Floats) -> Floats:
        """Gradients (n, d) by the models, from gradients by the noise."""
        by_models: Floats = (self._square_root @ gradient.T).T
        return by_models

    @property
    def log_volume(self) -> float:
        """Log-determinant of L."""
        return -self._log_norm - 0.5 * len(self.mean) * math.log(2 * math.pi)

    @cached_property
    def _square_root(self) -> Any:
        """A square R with R R^T the precision: `root` if that is square, else a Cholesky factor."""
        if self.root.shape[0] == self.root.shape[1]:
            return self.root
        return sp.csr_array(scipy.linalg.cholesky(self.precision.toarray(), lower=True))

    @cached_property
    def _white_root(self) -> Any:
        """LU factors of a square R, the transpose of whose inverse is L."""
        return splu(sp.csc_array(self._square_root))

    def log_density(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-density (n,) and its gradient (n, d)."""
        centred = models - self.mean
        gradient = -(self.precision @ centred.T).T
        return self._log_norm + 0.5 * (centred * gradient).sum(axis=1), gradient

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw models (n, d): the solution of Q x = R z with white z has covariance Q^-1."""
        return self.mean + self._solve(self.root @ rng.standard_normal((self.root.shape[1], n))).T


class Bounded:
    """A Gaussian cut off at bounds: the product with a Uniform prior, known up to its constant."""

    def __init__(self, uniform: Uniform, gaussian: Gaussian) -> None:
        self.lower, self.upper = uniform.lower, uniform.upper
        self.uniform, self.gaussian = uniform, gaussian

    def log_density(self, models: Floats) -> tuple[Floats, Floats]:
        """Sum of the two log-densities (n,), not normalised, and its gradient (n, d)."""
        value, gradient = self.gaussian.log_density(models)
        return value + self.uniform.log_density(models)[0], gradient

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw models (n, d): from the Gaussian where that is inside the bounds, by Gibbs sampling where not.

        Gibbs sampling draws all entries that are independent given the others at once.
        """
        x = self.gaussian.sample(n, rng)
        outside = np.any((x <= self.lower) | (x >= self.upper), axis=1)
        x[outside] = self._gibbs(np.clip(x[outside], self.lower, self.upper), rng)
        return x

    def _gibbs(self, x: Floats, rng: np.random.Generator) -> Floats:
        precision, mean = self.gaussian.precision, self.gaussian.mean
        diagonal = precision.diagonal()
        classes = _independent_sets(precision)
        rows = [precision[members] for members in classes]
        for _ in range(GIBBS_SWEEPS):
            for members, coupling in zip(classes, rows, strict=True):
                pull = (coupling @ (x - mean).T).T / diagonal[members]
                centre, sd = x[:, members] - pull, 1 / np.sqrt(diagonal[members])
                x[:, members] = _truncated_normal(centre, sd, self.lower[members], self.upper[members], rng)
        return x


class Joint:
    """Independent priors of successive variables."""

    def __init__(self, parts: Sequence[Prior]) -> None:
        self.parts = list(parts)
        self.lower = np.concatenate([part.lower for part in self.parts])
        self.upper = np.concatenate([part.upper for part in self.parts])
        ends = np.cumsum([len(part.lower) for part in self.parts]).tolist()
        self._slices = [slice(end - len(part.lower), end) for part, end in zip(self.parts, ends, strict=True)]

    def log_density(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-density (n,) and its gradient (n, d)."""
        values, gradients = zip(
            *(part.log_density(models[:, where]) for part, where in zip(self.parts, self._slices, strict=True)),
            strict=True,
        )
        return np.sum(values, axis=0), np.concatenate(gradients, axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw models (n, d)."""
        return np.concatenate([part.sample(n, rng) for part in self.parts], axis=1)


def helmholtz(variable: Variable, kappa: float) -> sp.csr_array:
    """kappa^2 minus the Laplacian (d, d) on the grid of a variable, symmetric, without flux through the edges."""
    shape, size = variable.shape, variable.size
    operator = kappa**2 * sp.eye_array(size)
    for axis, spacing in enumerate(node_spacing(variable)):
        n = shape[axis]
        step = sp.diags_array([np.full(n - 1, -1.0), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n)) / spacing
        before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        operator = operator + sp.kron(sp.kron(sp.eye_array(before), step.T @ step), sp.eye_array(after))
    return sp.csr_array(operator)


def matern(variable: Variable, correlation_length: float) -> Floats:
    """Correlation (m, m) of Matern's with smoothness 3/2 between the m nodes of one map of a variable."""
    steps = [(n, step) for n, step in zip(variable.shape, node_spacing(variable), strict=True) if math.isfinite(step)]
    places = np.stack(np.meshgrid(*(step * np.arange(n) for n, step in steps), indexing="ij"), axis=-1).reshape(-1, len(steps))
    apart = np.linalg.norm(places[:, None] - places, axis=2) * math.sqrt(3) / correlation_length
    correlation: Floats = (1 + apart) * np.exp(-apart)
    return correlation


def node_spacing(variable: Variable) -> list[float]:
    """Mean distance between nodes along each axis: km for degrees, else the coordinate's own unit.

    Labels, such as those of periods, are infinitely far apart: their entries are independent.
    """
    spacings = []
    for dim in variable.dims:
        if variable.coords[dim].dtype.kind not in "fiu":
            spacings.append(math.inf)
            continue
        step = float(np.abs(np.diff(variable.coords[dim])).mean())
        if variable.coord_units.get(dim, "").startswith("degrees"):
            step *= KM_PER_DEGREE
            if dim == "longitude":
                step *= math.cos(math.radians(float(np.mean(variable.coords["latitude"]))))
        spacings.append(step)
    return spacings


def _factorise(precision: sp.csr_array) -> tuple[Callable[[Floats], Floats], float]:
    """Solver and log-determinant of a positive definite matrix, sparse or full."""
    if precision.nnz > 0.1 * precision.shape[0] ** 2 and precision.shape[0] > 50:
        factor = scipy.linalg.cho_factor(precision.toarray())
        return (lambda b: scipy.linalg.cho_solve(factor, b)), 2 * float(np.log(np.diag(factor[0])).sum())
    lu = splu(sp.csc_array(precision))
    return lu.solve, float(np.log(np.abs(lu.U.diagonal())).sum())


def _independent_sets(precision: sp.csr_array) -> list[NDArray[np.intp]]:
    """Classes of entries without coupling inside a class (greedy colouring)."""
    colour = np.full(precision.shape[0], -1)
    for i in range(len(colour)):
        taken = set(colour[precision.indices[precision.indptr[i] : precision.indptr[i + 1]]])
        colour[i] = next(c for c in range(len(colour)) if c not in taken)
    return [np.flatnonzero(colour == c) for c in range(colour.max() + 1)]


def _truncated_normal(centre: Floats, sd: Floats, lower: Floats, upper: Floats, rng: np.random.Generator) -> Floats:
    """Inverse-CDF draws strictly between the bounds, mirrored so that the CDF is taken where it is far from one."""
    flip = centre < 0.5 * (lower + upper)
    a = np.where(flip, centre - upper, lower - centre) / sd
    b = np.where(flip, centre - lower, upper - centre) / sd
    low, high = ndtr(a), ndtr(b)
    standard = ndtri(low + rng.random(centre.shape) * (high - low))
    draw = centre + np.where(flip, -1, 1) * sd * standard
    # Far outside the bounds both tails round to one; the mass is then at the nearer bound.
    draw = np.where(np.isfinite(draw), draw, np.where(flip, lower, upper))
    return np.clip(draw, np.nextafter(lower, upper), np.nextafter(upper, lower))
