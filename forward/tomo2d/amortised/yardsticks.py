"""How good posteriors are on simulated surveys, whose truth is known: gain, coverage, ranks, data fit, time.

Each number has its own fault to find. The gain is the log-density of the true model over that of the prior: it falls if the
posterior is too wide, too narrow, or in the wrong place. Coverage of cells sees wrong deviations, that of joint regions wrong
correlations (a region holds the models that are denser than its border). Ranks of cells, of travel times and of the
log-likelihood among those of draws are uniform if the posterior is right (Talts et al. 2018, simulation-based calibration), and
chi-square per datum of draws tells whether they fit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vip.forward.tomo2d.amortised.examples import Examples, draw_examples
from vip.forward.tomo2d.amortised.graph import plan
from vip.forward.tomo2d.amortised.judges import Judge
from vip.forward.tomo2d.amortised.settings import Range, SurveySettings
from vip.kernels_c.eikonal2d import travel_times
from vip.protocols import Floats

LEVELS = np.array([0.5, 0.9, 0.95])
"""Levels of the regions whose coverage is counted."""
AT_ONCE = 8
"""Number of maps with the same stations."""
DRAWS, SIMULATED = 500, 63
"""Number of draws of each posterior, and of those whose times are computed: their ranks have 64 values."""
REFINEMENT = 5
"""Refinement with which data are made and draws are simulated: times are right to 0.3 %."""
NODES, STATIONS, SIGMA, RATIO = 11, (16, 16), 0.02, 4 / 1.8
"""The yardstick: nodes along each side, stations, relative sigma and ratio of the velocity's bounds."""
OTHER_STATIONS, SIGMAS = ((6, 8), (10, 13), (16, 16), (22, 29)), (0.01, 0.02, 0.04)
"""Numbers of stations and noise levels at which calibration is shown."""


class Marks(NamedTuple):
    """What is found of one map.

    Attributes
    ----------
    gain : float
        Log-density of the true model over that of the prior, nats.
    cells : (nodes,) float
        Share of draws below the truth at each node.
    joint : float
        Share of draws at which the density of the normal scores is above that at the truth.
    paths : (n_paths,) float
        Share of draws whose travel time along a path is below the true one.
    likelihood : float
        Share of draws whose log-likelihood is below that of the truth.
    chi2 : float
        Mean squared residual of draws in sigma.
    seconds : float
        CPU time of the answer.
    """

    gain: float
    cells: Floats
    joint: float
    paths: Floats
    likelihood: float
    chi2: float
    seconds: float


class Group(NamedTuple):
    """Surveys of one kind, and what a judge's answers were worth on them.

    Attributes
    ----------
    stations : range of int
    sigma : float
        Standard deviation of times over the times.
    marks : sequence of Marks
    """

    stations: tuple[int, int]
    sigma: float
    marks: Sequence[Marks]

    @property
    def name(self) -> str:
        """Words for the kind."""
        low, high = self.stations
        return f"{low if low == high else f'{low} to {high}'} stations, noise {self.sigma:.3g}"

    def mean(self, name: str) -> tuple[float, float]:
        """Mean of a mark that is one number, and its standard error."""
        values = np.array([getattr(mark, name) for mark in self.marks])
        return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))

    def cells(self) -> tuple[Floats, Floats]:
        """Coverage of cells at each of `LEVELS`, and its standard errors; maps are independent, cells of one are not."""
        inside = np.array([(abs(mark.cells - 0.5)[:, None] <= LEVELS / 2).mean(axis=0) for mark in self.marks])
        return inside.mean(axis=0), inside.std(axis=0, ddof=1) / np.sqrt(len(inside))

    def joint(self) -> tuple[Floats, Floats]:
        """Coverage of joint regions at each of `LEVELS`, and its standard errors if the posterior is right."""
        inside = np.mean([mark.joint <= LEVELS for mark in self.marks], axis=0)
        return inside, np.sqrt(LEVELS * (1 - LEVELS) / len(self.marks))


def yardstick(surveys: SurveySettings) -> SurveySettings:
    """Settings of the yardstick, or what is nearest to them among surveys that a network learns from."""
    nodes = int(_nearest(NODES, surveys.nodes))
    ratio = _nearest(RATIO, surveys.ratio)
    low, high = (int(_nearest(n, surveys.stations)) for n in STATIONS)
    sigma = _nearest(SIGMA, surveys.sigma)
    middle = 0.5 * sum(surveys.correlation)
    return SurveySettings(
        nodes=(nodes, nodes),
        stations=(low, high),
        kept=(1.0, 1.0),
        most_paths=surveys.most_paths,
        fill=(surveys.fill[1],) * 2,
        sigma=(sigma, sigma),
        uneven=0.0,
        ratio=(ratio, ratio),
        white=1.0 if surveys.white else 0.0,
        correlation=(middle, middle),
    )


def groups(surveys: SurveySettings) -> Iterator[SurveySettings]:
    """Settings for each number of stations and noise level of a test that the surveys of a training reach."""
    base = yardstick(surveys)
    low, high = surveys.stations
    stations = [(max(a, low), min(b, high)) for a, b in OTHER_STATIONS if a <= high and b >= low] or [base.stations]
    sigmas = [sigma for sigma in SIGMAS if surveys.sigma[0] <= sigma <= surveys.sigma[1]] or [base.sigma[0]]
    for pair in stations:
        for sigma in sigmas:
            yield base.model_copy(update={"stations": pair, "sigma": (sigma, sigma)})


def judged(
    judges: Sequence[Judge],
    surveys: SurveySettings,
    n: int,
    seed: int = 0,
    tell: Callable[[int], None] | None = None,
) -> list[Group]:
    """Ask all judges about the same n simulated maps.

    Parameters
    ----------
    judges : sequence of Judge
    surveys : SurveySettings
        Surveys; stations are new every `AT_ONCE` maps.
    n : int
        Number of maps.
    seed : int
        Seed of surveys and draws.
    tell : callable, optional
        Called after each map with their number so far.

    Returns
    -------
    list of Group
        One for each judge.
    """
    marks: list[list[Marks]] = [[] for _ in judges]
    for number in range(n):
        group, i = divmod(number, AT_ONCE)
        if i == 0:
            one = draw_examples(surveys, min(AT_ONCE, n - number), REFINEMENT, np.random.default_rng([seed, group, 16]))
        for of, judge in enumerate(judges):
            marks[of].append(mark(judge, one, i, np.random.default_rng([seed, number, 17])))
        if tell is not None:
            tell(number + 1)
    return [Group(surveys.stations, surveys.sigma[0], found) for found in marks]


def mark(judge: Judge, one: Examples, i: int, rng: np.random.Generator) -> Marks:
    """Compare the answer of a judge with the truth."""
    began = time.process_time()
    posterior = judge.answers(one, i)
    seconds = time.process_time() - began
    prior, truth = one.survey.prior, one.survey.prior.velocity(one.z[i])
    draws = posterior.sample(DRAWS, rng)
    models = np.vstack([truth, draws])
    density = posterior.log_density(models) + np.log(prior.slope(prior.scores(models))).sum(
        axis=1
    )  # of z: the prior's is one bell
    exact, times = np.split(travel_times(np.vstack([truth, draws[:SIMULATED]]), plan(one.survey)), [1])
    squared = ((np.vstack([exact, times]) - one.times[i]) / one.sigma[i]) ** 2
    misfits = squared.sum(axis=1)
    return Marks(
        float(posterior.log_density(truth[None])[0]) + len(truth) * math.log(prior.upper - prior.lower),
        (draws < truth).mean(axis=0),
        float((density[1:] > density[0]).mean()),
        (times < exact).mean(axis=0),
        float((misfits[1:] > misfits[0]).mean()),
        float(squared[1:].mean()),
        seconds,
    )


def ranks(found: Iterable[Group], name: str) -> Floats:
    """All shares of one kind, of several groups: "cells", "paths" or "likelihood"."""
    return np.concatenate([np.atleast_1d(getattr(mark, name)) for group in found for mark in group.marks])


def _nearest(value: float, between: Range) -> float:
    return min(max(value, between[0]), between[1])
