"""What a network cannot use, and what makes its answer doubtful."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from vip.errors import ConfigError
from vip.forward.tomo2d.amortised.graph import Survey, node_spacing
from vip.forward.tomo2d.amortised.linearise import Linear
from vip.protocols import Floats

FEWEST_STATIONS = 4
"""Least number of stations that have a measurement."""
BEYOND = 5.0
"""Number of standard deviations by which a path's velocity may lie beyond the prior's bounds."""
MISFIT_LIMIT = 3.5
"""Limit of the standardised misfit if the network's own file does not tell it: that of 1 % of surveys of its training."""


def check_survey(survey: Survey, times: Floats, sigma: Floats) -> None:
    """Raise `ConfigError` for data that cannot be used; the message names the path, the value and the remedy."""
    grid, prior, ends = survey
    if not 0 < prior.lower < prior.upper < math.inf:
        raise ConfigError("prior", [prior.lower, prior.upper], "needs a lower and a higher bound of velocity, both positive")
    for name, values in (("time", times), ("sigma", sigma)):
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(wrong):
            raise ConfigError(f"path {wrong[0] + 1}: {name}", float(values[wrong[0]]), "must be a positive number")
    outside = np.argwhere(~grid.contains(ends.reshape(-1, 2)).reshape(-1, 2))
    if len(outside):
        path, end = outside[0]
        raise ConfigError(f"path {path + 1}: station", ends[path, end].tolist(), "lies outside the grid; enlarge it")
    n_stations = len(np.unique(ends.reshape(-1, 2), axis=0))
    if n_stations < FEWEST_STATIONS:
        raise ConfigError("stations", n_stations, f"at least {FEWEST_STATIONS} are needed")
    distance = grid.distance(ends[:, 0], ends[:, 1])
    same = np.flatnonzero(distance == 0)
    if len(same):
        raise ConfigError(f"path {same[0] + 1}", ends[same[0], 0].tolist(), "both stations are in one place; remove the path")
    slow, fast = (distance / bound for bound in (prior.lower, prior.upper))
    beyond = np.flatnonzero((times > slow + BEYOND * sigma) | (times < fast - BEYOND * sigma))
    if len(beyond):
        path = beyond[0]
        raise ConfigError(
            f"path {path + 1}: velocity",
            round(float(distance[path] / times[path]), 3),
            f"lies beyond the prior's bounds, {prior.lower:g} to {prior.upper:g} km/s, by more than {BEYOND:g} sigma",
        )


def doubts(
    survey: Survey, times: Floats, sigma: Floats, line: Linear, number: int, covariance: Floats, about: Mapping[str, Any]
) -> list[str]:
    """Warnings, in the network's frame; `number` is that of the survey in the linearised times."""
    found = _out_of_range(survey, times, sigma, about.get("surveys", {}))
    misfit = standard_misfit(times, sigma, line, number, covariance)
    limit = about.get("misfit_limit", MISFIT_LIMIT)
    if misfit > limit:
        found.append(
            f"the data do not fit the prior and the errors: misfit {misfit:.1f}, above {limit:.1f} in 1 % of simulations; "
            "sigma may be too small, a station misplaced, or the bounds of the prior too narrow"
        )
    return found


def standard_misfit(times: Floats, sigma: Floats, line: Linear, number: int, covariance: Floats) -> float:
    """Squared misfit of the data to what prior and noise predict, less its mean, in its standard deviations.

    The times are taken as linear in z, with the last linearisation: the misfit is then chi-square with n_paths degrees.
    """
    rays = line.rays[number]
    late = times - line.times[number] + rays @ line.at[number]
    predicted = rays @ covariance @ rays.T + np.diag(sigma**2 + line.error[number])
    squared = float(late @ np.linalg.solve(predicted, late))
    return (squared - len(times)) / math.sqrt(2 * len(times))


def _out_of_range(survey: Survey, times: Floats, sigma: Floats, surveys: Mapping[str, Any]) -> list[str]:
    """One line for each property of a survey that the network was not trained for."""
    prior, shape = survey.prior, survey.grid.shape
    relative = sigma / times
    spacing = math.sqrt(math.prod(node_spacing(survey.grid)))
    known = {
        "nodes": ("rows and columns", (min(shape), max(shape))),
        "stations": ("stations", (len(np.unique(survey.ends.reshape(-1, 2), axis=0)),) * 2),
        "ratio": ("upper over lower bound of the velocity", (prior.upper / prior.lower,) * 2),
        "sigma": ("median of sigma over time", (float(np.median(relative)),) * 2),
        "correlation": ("correlation length in cells", (0.0, prior.correlation / spacing)),
    }
    found = []
    for key, (words, (low, high)) in known.items():
        if key not in surveys:
            continue
        least, most = surveys[key]
        least = 0 if key == "correlation" else least
        if low < least * 0.999 or high > most * 1.001:
            value = high if high > most else low
            found.append(f"{words}: {value:.3g}: the network was trained for {least:g} to {most:g}")
    return found
