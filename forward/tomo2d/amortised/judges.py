"""Who answers a simulated survey: a trained network, or the closed form for straight rays, which it must beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vip.forward.neural.saved import format_of
from vip.forward.tomo2d.amortised.examples import Examples
from vip.forward.tomo2d.amortised.graph import linear_posterior, mean_slowness, plan, straight_rays
from vip.forward.tomo2d.amortised.graph_mdn import MDN_FORMAT, GraphMDN
from vip.forward.tomo2d.amortised.inference import Network
from vip.forward.tomo2d.amortised.posterior import Mixture
from vip.protocols import Floats

INFLATION, EARLY = 2.5, 0.94
"""Factors on sigma and on the times of straight rays, which bent rays are ahead of, for the closed form: the best of a grid on
60 maps of the yardstick. Without them it is 240 nats worse than the prior."""

Answers = Callable[[Examples, int], Mixture]
"""Posterior of the survey of a number among examples."""


class Judge(NamedTuple):
    """One who answers.

    Attributes
    ----------
    name : str
    answers : Answers
    about : mapping
        What is known of its training.
    """

    name: str
    answers: Answers
    about: Mapping[str, Any]


def straight_posterior(one: Examples, number: int) -> Mixture:
    """Posterior in closed form for straight rays: errors of the linear relation are added to those of the data."""
    lengths = straight_rays(plan(one.survey))
    mean, slope, variance = mean_slowness(one.survey.prior)
    noise = (INFLATION * one.sigma[number]) ** 2 + (lengths**2).sum(axis=1) * variance
    late = one.times[number] - EARLY * lengths.sum(axis=1) * mean
    found, covariance = linear_posterior(lengths * slope, late, noise, one.survey.prior.covariance(one.survey.grid))
    precision = np.asarray(np.linalg.inv(covariance), np.float64)
    return Mixture(one.survey.prior, np.zeros(1), found[None], precision[None])


STRAIGHT = Judge("straight rays", straight_posterior, {})


def of_network(network: Network, name: str = "network") -> Judge:
    """Judge that asks a network of paths and cells."""

    def answers(one: Examples, number: int) -> Mixture:
        return network.map(one.survey, one.times[number], one.sigma[number])[0]

    return Judge(name, answers, network.about)


def of_graph_mdn(mdn: GraphMDN, about: Mapping[str, Any]) -> Judge:
    """Judge that asks a graph mixture density network."""

    def answers(one: Examples, number: int) -> Mixture:
        alone = Examples(one.survey, *(x[number : number + 1] for x in one[1:]))
        log_weights, means, sds = (x[0].detach().double().numpy() for x in mdn.mixture(alone))
        precisions: Floats = np.eye(means.shape[1]) / sds[:, :, None] ** 2
        return Mixture(one.survey.prior, log_weights, means, precisions)

    return Judge("graph-mdn", answers, about)


def load_judge(file: Path | None) -> Judge:
    """Judge of a file that `train` wrote, of either kind, or that of the package.

    Raises
    ------
    ConfigError
        If there is no such file, or it is damaged or of another format.
    """
    if file is not None and format_of(file) == MDN_FORMAT:
        mdn, about = GraphMDN.load(file)
        return of_graph_mdn(mdn, about)
    network = Network.load(file)
    return of_network(network)
