"""Random surveys with data: what a network learns from, and is tested on."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vip.forward.tomo2d.amortised.graph import Prior, Survey, mean_slowness, plan
from vip.forward.tomo2d.amortised.settings import Range, SurveySettings
from vip.kernels_c.eikonal2d import Grid, travel_times
from vip.protocols import Floats


class Examples(NamedTuple):
    """Surveys with the same grid, prior and paths.

    Attributes
    ----------
    survey : Survey
        Lengths in cells, velocities over the geometric mean of their bounds.
    z : (n, nodes) float
        True normal scores.
    times, sigma : (n, n_paths) float
        Noisy times, and standard deviations of their noise.
    """

    survey: Survey
    z: Floats
    times: Floats
    sigma: Floats


def draw_survey(settings: SurveySettings, refinement: int, rng: np.random.Generator) -> Survey:
    """Random grid, prior, stations and pairs."""
    low, high = settings.nodes
    shape = (int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1)))
    ratio = rng.uniform(*settings.ratio)
    correlated = rng.random() >= settings.white
    correlation = rng.uniform(*settings.correlation) if correlated else 0.0
    prior = Prior(1 / math.sqrt(ratio), math.sqrt(ratio), correlation)
    n_stations = round(_even_in_logarithm(settings.stations, rng))
    first, second = np.triu_indices(n_stations, 1)
    kept = rng.permutation(len(first))[: max(1, min(settings.most_paths, round(len(first) * _share(settings.kept, rng))))]
    side = np.sqrt(rng.uniform(*settings.fill, 2))
    corner = rng.random(2) * (1 - side)
    places = (corner + side * rng.random((n_stations, 2))) * (np.array(shape) - 1)
    ends = np.stack([places[first[kept]], places[second[kept]]], axis=1)
    return Survey(Grid(shape, (0.0, 0.0), (1.0, 1.0), False, refinement), prior, ends)


def simulate(survey: Survey, n: int, relative: Floats, rng: np.random.Generator) -> Examples:
    """Draw n models from the prior, and times with noise.

    Standard deviations are `relative` (n, n_paths) to the times that the prior's mean slowness gives along straight rays: a
    share of the true times would tell the network what these are.
    """
    covariance = survey.prior.covariance(survey.grid)
    z = rng.standard_normal((n, len(covariance))) @ np.linalg.cholesky(covariance).T
    exact = travel_times(survey.prior.velocity(z), plan(survey))
    distance = survey.grid.distance(survey.ends[:, 0], survey.ends[:, 1])
    sigma = relative * distance * mean_slowness(survey.prior)[0]
    return Examples(survey, z, exact + sigma * rng.standard_normal(exact.shape), sigma)


def draw_examples(settings: SurveySettings, n: int, refinement: int, rng: np.random.Generator) -> Examples:
    """Examples of one random survey; each has a noise level of its own, and its paths vary about it."""
    survey = draw_survey(settings, refinement, rng)
    level = np.exp(rng.uniform(math.log(settings.sigma[0]), math.log(settings.sigma[1]), n))
    uneven = rng.uniform(0, settings.uneven, n)
    relative = level[:, None] * np.exp(uneven[:, None] * rng.standard_normal((n, len(survey.ends))))
    return simulate(survey, n, np.clip(relative, settings.sigma[0] / 2, 2 * settings.sigma[1]), rng)


def _even_in_logarithm(between: Range, rng: np.random.Generator) -> float:
    low, high = between
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def _share(between: Range, rng: np.random.Generator) -> float:
    """Part of the pairs that are kept; in half of the surveys, all."""
    return 1.0 if rng.random() < 0.5 else rng.uniform(*between)
