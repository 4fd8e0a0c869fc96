"""From path-averaged velocities to the posterior of a map, by a trained network and NumPy alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from vip.errors import ConfigError
from vip.forward.neural.saved import load_tensors
from vip.forward.tomo2d.amortised.checks import check_survey, doubts
from vip.forward.tomo2d.amortised.graph import Prior, Survey, framed
from vip.forward.tomo2d.amortised.linearise import Linear
from vip.forward.tomo2d.amortised.network import Shape, beliefs, layers
from vip.forward.tomo2d.amortised.posterior import Mixture, NoiseScale, Posterior
from vip.forward.tomo2d.data import Picks
from vip.kernels_c.eikonal2d import Grid
from vip.protocols import Floats

SHIPPED = Path(__file__).with_name("network.safetensors")
"""The network that comes with the package."""
FORMAT = "vip tomography network 1"

COARSE, STAGES = np.linspace(-1.5, 2.5, 5), 3
"""Logarithms of the noise scale at which an unknown one is first sought, and number of stages for that."""
AROUND, WIDTH = np.array([-1.2, 0.0, 1.2]), 0.7
"""Centres and standard deviation of the components of the mixture that stands for the scale, in its standard deviations."""
FINE = 401
"""Number of noise scales at which the evidence is computed."""


class Tomography(Protocol):
    """The part of a `Tomo2D` that its posterior depends on."""

    grid: Grid
    unknown_noise: bool

    @property
    def picks(self) -> Mapping[str, Picks]:
        """Data by the label of the period."""


class NoisePrior(NamedTuple):
    """Gaussian prior of the logarithm of the unknown noise scale."""

    mean: float = 0.0
    sd: float = 1.0


class Answer(NamedTuple):
    """Gaussians for several noise scales, in the network's frame."""

    log_weights: Floats
    means: Floats
    precisions: Floats
    line: Linear
    covariance: Floats
    log_scales: Floats


class Network:
    """A trained network.

    Parameters
    ----------
    shape : Shape
    weights : mapping of str to array
    about : mapping
        What is known of its training: ranges of surveys, seed, steps, tests.
    """

    def __init__(self, shape: Shape, weights: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        self.shape, self.about = shape, dict(about)
        self.weights = {name: np.asarray(weight, float) for name, weight in weights.items()}

    @classmethod
    def load(cls, file: Path | None = None) -> Network:
        """Read a network from a file, or that of the package.

        Raises
        ------
        ConfigError
            If there is no such file, or it is damaged or of another format.
        """
        file = file or SHIPPED
        try:
            about, weights = load_tensors(file, FORMAT, (), "numpy")
            shape = Shape(**about["shape"] | {"draws": tuple(about["shape"]["draws"])})
        except (ConfigError, KeyError, TypeError) as error:
            raise ConfigError("", file, f"is no network that this version can read ({error}); train one anew") from error
        missing = {name for layer in layers(shape) for name in (layer, f"{layer}.bias")} - weights.keys()
        if missing:
            raise ConfigError("weights", ", ".join(sorted(missing)), "are missing; train a network anew", file)
        return cls(shape, weights, about)

    def posterior(
        self, forward: Tomography, lower: ArrayLike, upper: ArrayLike, correlation: float = 0.0, noise: NoisePrior | None = None
    ) -> Posterior:
        """Posterior of a travel-time tomography.

        Parameters
        ----------
        forward : Tomography
            Grid and data, of one period or several.
        lower, upper : float or (nodes,) float
            Bounds of the velocities, km/s; the same at all nodes.
        correlation : float
            Correlation length of the prior, km; 0 for white noise.
        noise : NoisePrior, optional
            Prior of the logarithm of the noise scale; needed if the forward has an unknown one.

        Raises
        ------
        ConfigError
            If the data cannot be used, or the prior is not what a network knows.
        """
        if forward.unknown_noise != (noise is not None):
            raise ConfigError("unknown_noise", forward.unknown_noise, "give a prior of the noise scale if it is unknown")
        prior = Prior(_same("lower", lower), _same("upper", upper), correlation)
        maps, warnings = [], []
        for label, data in forward.picks.items():
            ends = data.stations[np.stack([data.source, data.receiver], axis=1)]
            found, doubtful = self.map(Survey(forward.grid, prior, ends), data.time, data.sigma, noise)
            maps.append(found)
            warnings += [f"{label}: {text}" if label else text for text in doubtful]
        return Posterior(maps, warnings)

    def posterior_of_paths(
        self,
        grid: Grid,
        prior: Prior,
        stations: ArrayLike,
        paths: ArrayLike,
        velocities: ArrayLike,
        sigmas: ArrayLike,
        noise: NoisePrior | None = None,
    ) -> Posterior:
        """Posterior given velocities along paths.

        Parameters
        ----------
        grid : Grid
        prior : Prior
        stations : (n_stations, 2) float
            Places in the coordinates of the grid.
        paths : (n_paths, 2) int
            Stations at the ends of each path.
        velocities : (n_paths,) float
            Distance over travel time, km/s.
        sigmas : float or (n_paths,) float
            Standard deviations of the travel times over the travel times.
        noise : NoisePrior, optional
            If the scale of the noise is unknown.

        Raises
        ------
        ConfigError
            If the data cannot be used; the message names the path.
        """
        ends = np.asarray(stations, float)[np.asarray(paths)]
        times = grid.distance(ends[:, 0], ends[:, 1]) / np.asarray(velocities, float)
        found, warnings = self.map(Survey(grid, prior, ends), times, times * np.asarray(sigmas, float), noise)
        return Posterior([found], warnings)

    def map(self, survey: Survey, times: Floats, sigma: Floats, noise: NoisePrior | None = None) -> tuple[Mixture, list[str]]:
        """Posterior of one map, and warnings, given times and their standard deviations (n_paths,), s."""
        check_survey(survey, times, sigma)
        frame = framed(survey, times, self.shape.refinement)
        times, sigma = (x[frame.paths] / frame.time_unit for x in (times, sigma))
        back = np.argsort(frame.cells)
        if noise is None:
            answer = self.answer(frame.survey, times, sigma, np.zeros(1))
            mixture = _mixture(survey.prior, answer, back, np.zeros(1), None)
            scale = 0.0
        else:
            scale, width = self._noise_scale(frame.survey, times, sigma, noise)
            centres = scale + width * AROUND
            answer = self.answer(frame.survey, times, sigma, centres)
            scales = NoiseScale(np.repeat(centres, answer.means.shape[1]), width * WIDTH)
            log_weights = -0.5 * AROUND**2 / (1 - WIDTH**2)  # with the components' width, a standard deviation of one
            mixture = _mixture(survey.prior, answer, back, log_weights, scales)
        middle = int(np.argmin(abs(answer.log_scales - scale)))
        return mixture, doubts(frame.survey, times, sigma * math.exp(scale), answer.line, middle, answer.covariance, self.about)

    def answer(self, survey: Survey, times: Floats, sigma: Floats, log_scales: Floats, stages: int | None = None) -> Answer:
        """Gaussians for several logarithms of the noise scale (k,), given a survey in the network's frame with its data.

        `stages` is the number of stages of the network, all unless it is given.
        """
        n = len(log_scales)
        scaled = sigma * np.exp(log_scales)[:, None]

        def noise(stage: int, k: int) -> Floats:
            nodes = math.prod(survey.grid.shape)
            white = np.random.default_rng([stage, nodes]).standard_normal((k, nodes))
            return np.broadcast_to(white, (n, k, nodes))

        found = beliefs(self.weights, self.shape, survey, np.tile(times, (n, 1)), scaled, noise)
        *_, (belief, line) = itertools.islice(found, stages)
        return Answer(*belief, line, survey.prior.covariance(survey.grid), log_scales)

    def _noise_scale(self, survey: Survey, times: Floats, sigma: Floats, noise: NoisePrior) -> tuple[float, float]:
        """The likeliest logarithm of the noise scale, and its standard deviation, by the evidence of the linearised times."""
        answer = self.answer(survey, times, sigma, COARSE, STAGES)
        fine = np.linspace(COARSE[0], COARSE[-1], FINE)
        nearest = abs(fine[:, None] - COARSE).argmin(axis=1)
        evidence = np.empty(FINE)
        for i in np.unique(nearest):
            mine = nearest == i
            evidence[mine] = _log_evidence(answer.line, int(i), times, sigma, answer.covariance, fine[mine], noise)
        weights = np.exp(evidence - logsumexp(evidence))
        mean = float(weights @ fine)
        return mean, max(math.sqrt(float(weights @ (fine - mean) ** 2)), 1e-2)


def _mixture(prior: Prior, answer: Answer, back: Any, log_weights: Floats, scales: NoiseScale | None) -> Mixture:
    """The answer on the original grid."""
    precisions = answer.precisions[..., back[:, None], back].reshape(-1, len(back), len(back))
    weights = (log_weights[:, None] + answer.log_weights).ravel()
    return Mixture(prior, weights, answer.means[..., back].reshape(-1, len(back)), precisions, scales)


def _log_evidence(
    line: Linear, i: int, times: Floats, sigma: Floats, covariance: Floats, log_scales: Floats, noise: NoisePrior
) -> Floats:
    """Log-density of the data and of each noise scale, in the linearised problem number i."""
    rays = line.rays[i] / sigma[:, None]
    late = (times - line.times[i] + line.rays[i] @ line.at[i]) / sigma
    vectors, singular, _ = np.linalg.svd(rays @ np.linalg.cholesky(covariance), full_matrices=False)
    seen = vectors.T @ late
    rest = float(late @ late - seen @ seen)
    variance = np.exp(2 * log_scales) + np.mean(line.error[i] / sigma**2)
    total = singular**2 + variance[:, None]
    value = -0.5 * ((seen**2 / total) + np.log(total)).sum(axis=1)
    value -= 0.5 * (rest / variance + (len(times) - len(singular)) * np.log(variance))
    evidence: Floats = value - 0.5 * ((log_scales - noise.mean) / noise.sd) ** 2
    return evidence


def _same(name: str, bound: ArrayLike) -> float:
    values = np.unique(np.asarray(bound, float))
    if len(values) != 1 or not np.isfinite(values[0]):
        raise ConfigError(f"prior.velocity.{name}", values.tolist(), "the network knows one bound for all nodes; use vip run")
    return float(values[0])
