"""Posteriors whose moments are known: in closed form, by quadrature, or from a long run of HMC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vip.config import Config
from vip.inference.priors import Gaussian, Joint
from vip.inference.transforms import Logit, Transform, Whitened
from vip.protocols import Floats, Forward, ModelSpace, Prior, Variable
from vip.runs.build import load_problem
from vip.runs.problem import Problem

SIDES = {100: (10, 10), 400: (20, 20), 1558: (41, 38)}
"""Rows and columns of the linear tomographies."""
RAYS = {100: 120, 400: 250, 1558: 401}


@dataclass(frozen=True)
class Truth:
    """Means (d,), standard deviations (d,), and correlations of the pairs of neighbours (k,)."""

    mean: Floats
    sd: Floats
    pairs: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), int))
    correlation: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of_samples(cls, models: Floats, pairs: np.ndarray) -> Truth:
        """Moments of samples (m, d)."""
        mean, sd = models.mean(axis=0), models.std(axis=0)
        u = (models - mean) / np.maximum(sd, 1e-300)
        return cls(mean, sd, pairs, np.mean(u[:, pairs[:, 0]] * u[:, pairs[:, 1]], axis=0))


def neighbours(shape: tuple[int, int]) -> np.ndarray:
    """Pairs (k, 2) of nodes that are next to each other on a grid."""
    node = np.arange(shape[0] * shape[1]).reshape(shape)
    along = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1)
    return np.concatenate([along, np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1)])


def plane(shape: tuple[int, int], name: str, units: str) -> ModelSpace:
    """One variable on a grid of 1 km."""
    coords = {"y": np.arange(float(shape[0])), "x": np.arange(float(shape[1]))}
    return ModelSpace((Variable(name, units, ("y", "x"), coords, coord_units={"y": "km", "x": "km"}),))


class StraightRays:
    """Travel times of straight rays between stations, ``t = G s``, with Gaussian errors."""

    def __init__(self, shape: tuple[int, int], n_rays: int, rng: np.random.Generator) -> None:
        self.space, self.sigma = plane(shape, "slowness", "s/km"), 0.05
        self.ndim = self.space.size
        stations = rng.uniform([0, 0], np.array(shape) - 1.0, (61, 2))
        a, b = np.triu_indices(61, 1)
        chosen = rng.choice(len(a), n_rays, replace=False)
        self.matrix = np.stack([self._ray(stations[i], stations[j], shape) for i, j in zip(a[chosen], b[chosen], strict=True)])
        self.times = np.zeros(n_rays)

    @staticmethod
    def _ray(start: Floats, end: Floats, shape: tuple[int, int]) -> Floats:
        """Length (km) near each node, from points along the ray."""
        points = start + (np.arange(500)[:, None] + 0.5) / 500 * (end - start)
        near = np.rint(points).astype(int)
        length = np.zeros(shape)
        np.add.at(length, (near[:, 0], near[:, 1]), np.linalg.norm(end - start) / 500)
        return length.ravel()

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        residual = (models @ self.matrix.T - self.times) / self.sigma
        return -0.5 * (residual**2).sum(axis=1), -residual @ self.matrix / self.sigma


class Density:
    """A log-density that stands for a forward and its prior."""

    includes_prior = True

    def __init__(self, d: int, log_density: Callable[[Floats], tuple[Floats, Floats]]) -> None:
        self.space, self.ndim, self.log_density = plane((1, d), "x", "1"), d, log_density

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        return self.log_density(models)


class Target(NamedTuple):
    """What is to be sampled, and its moments."""

    forward: Forward
    prior: Prior
    transform: Transform
    truth: Truth

    def with_algorithm(self, table: dict, seed: int = 1) -> Problem:
        """The problem with the algorithm that a table describes."""
        name = self.forward.space.variables[0].name
        prior = {name: {"kind": "uniform", "lower": 0, "upper": 1}}  # a stand-in: the prior is given
        settings = Config.model_validate({"seed": seed, "forward": {"plugin": "-"}, "prior": prior, "algorithm": table})
        return Problem(self.forward, self.prior, self.transform, settings, Path("benchmark.toml"))


def linear(d: int) -> Target:
    """Linear-Gaussian tomography with a smooth prior, and its posterior by linear algebra."""
    shape, rng = SIDES[d], np.random.default_rng(d)
    forward = StraightRays(shape, RAYS[d], rng)
    prior = Gaussian.smooth(np.full(d, 0.33), 0.03, max(shape) / 5, forward.space.variables[0])
    truth = prior.sample(1, rng)[0]
    forward.times = forward.matrix @ truth + forward.sigma * rng.standard_normal(len(forward.matrix))
    covariance = np.linalg.inv(prior.precision.toarray() + forward.matrix.T @ forward.matrix / forward.sigma**2)
    shift = covariance @ forward.matrix.T @ (forward.times - forward.matrix @ prior.mean) / forward.sigma**2
    sd, pairs = np.sqrt(np.diag(covariance)), neighbours(shape)
    correlation = covariance[pairs[:, 0], pairs[:, 1]] / (sd[pairs[:, 0]] * sd[pairs[:, 1]])
    transform = Whitened(Logit(prior.lower, prior.upper), [(slice(0, d), prior)])
    return Target(forward, Joint([prior]), transform, Truth(prior.mean + shift, sd, pairs, correlation))


def known(d: int, log_density: Callable, mean: list[float], sd: list[float]) -> Target:
    """A density with known moments, started from a Gaussian of standard deviation 2."""
    prior = Gaussian.diagonal(np.zeros(d), np.full(d, 2.0))
    truth = Truth(np.array(mean), np.array(sd))
    return Target(Density(d, log_density), Joint([prior]), Logit(prior.lower, prior.upper), truth)


def independent(d: int = 1000) -> Target:
    """As many independent parameters, their standard deviations from 0.5 to 2: what collapses here has too few particles."""
    sd = np.geomspace(0.5, 2, d)

    def log_density(theta: Floats) -> tuple[Floats, Floats]:
        return -0.5 * ((theta / sd) ** 2).sum(axis=1), -theta / sd**2

    return known(d, log_density, [0.0] * d, sd.tolist())


def banana() -> Target:
    """X ~ N(0, 1), y ~ N(x^2 - 1, 1)."""

    def log_density(theta: Floats) -> tuple[Floats, Floats]:
        x, y = theta.T
        rest = y - (x**2 - 1)
        return -0.5 * (x**2 + rest**2), np.stack([-x + 2 * x * rest, -rest], axis=1)

    return known(2, log_density, [0, 0], [1, np.sqrt(3)])


def funnel(d: int = 10, spread: float = 1.5) -> Target:
    """V ~ N(0, spread^2), the others ~ N(0, exp(v)) (Neal 2003, narrower)."""

    def log_density(theta: Floats) -> tuple[Floats, Floats]:
        v, x = theta[:, :1], theta[:, 1:]
        square = (x**2).sum(axis=1, keepdims=True) * np.exp(-v)
        value = -0.5 * (v**2 / spread**2 + square + (d - 1) * v)
        by_v = -v / spread**2 + 0.5 * square - 0.5 * (d - 1)
        return value[:, 0], np.concatenate([by_v, -x * np.exp(-v)], axis=1)

    return known(d, log_density, [0.0] * d, [spread] + [np.exp(spread**2 / 4)] * (d - 1))


def two_modes() -> Target:
    """A third of the mass at x = -2.5, the rest at 2.5, both with unit variance."""

    def log_density(theta: Floats) -> tuple[Floats, Floats]:
        x, y = theta.T
        left, right = np.log(1 / 3) - 0.5 * (x + 2.5) ** 2, np.log(2 / 3) - 0.5 * (x - 2.5) ** 2
        value = np.logaddexp(left, right)
        share = np.exp(left - value)
        return value - 0.5 * y**2, np.stack([-share * (x + 2.5) - (1 - share) * (x - 2.5), -y], axis=1)

    return known(2, log_density, [2.5 / 3, 0], [np.sqrt(1 + 2.5**2 * 8 / 9), 1])


TRAVEL_TIMES = """
[forward]
plugin = "tomo2d"
stations = "stations.csv"
times = "times.csv"
precision = "float64"
[forward.grid]
unit = "km"
shape = [21, 21]
origin = [0.0, 0.0]
spacing = [5.0, 5.0]
refinement = 2
[dispatch]
threads = 1
[prior.velocity]
kind = "uniform"
lower = 1.5
upper = 4.5
[algorithm]
name = "svgd"
particles = 2
iterations = 1
step_size = 1.0
"""


def travel_times(folder: Path) -> Target:
    """16 stations, 120 times along bent rays, 21 x 21 velocities, each uniform; the moments are still to be found."""
    rng = np.random.default_rng(16)
    places, (a, b) = rng.uniform(5, 95, (16, 2)), np.triu_indices(16, 1)
    pd.DataFrame({"name": np.arange(16), "y": places[:, 0], "x": places[:, 1]}).to_csv(folder / "stations.csv")
    table = pd.DataFrame({"source": a, "receiver": b, "time": 1.0, "sigma": 0.5})
    table.to_csv(folder / "times.csv")
    (folder / "problem.toml").write_text(TRAVEL_TIMES)
    y, x = np.mgrid[0:21, 0:21] * 5.0
    slow = np.exp(-((y - 35) ** 2 + (x - 40) ** 2) / 15**2)
    fast = np.exp(-((y - 65) ** 2 + (x - 65) ** 2) / 20**2)
    velocities = (3.0 - 1.0 * slow + 1.0 * fast).reshape(1, -1)
    table["time"] = load_problem(folder / "problem.toml").forward.simulate(velocities)[0] + 0.5 * rng.standard_normal(len(a))
    table.to_csv(folder / "times.csv")
    problem = load_problem(folder / "problem.toml")
    return Target(problem.forward, problem.prior, problem.transform, Truth(np.zeros(441), np.ones(441), neighbours((21, 21))))
