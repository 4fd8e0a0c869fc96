"""A proposal for a travel-time tomography: the answer of a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from vip.errors import ConfigError
from vip.forward.tomo2d.amortised.graph import Prior, Survey
from vip.forward.tomo2d.amortised.inference import SHIPPED, Network, NoisePrior, Tomography
from vip.forward.tomo2d.amortised.posterior import Posterior
from vip.forward.tomo2d.residuals import station_scores
from vip.protocols import Floats, PriorFacts
from vip.rng import Purpose, stream

ODD = 4.0
"""Standard score of a station's mean residual beyond which it is named: fewer than 1 % of simulated surveys have such a one."""
N_SIMULATED, MOST_NAMED = 16, 3
"""Numbers of draws that are simulated, and of stations that are named."""


class Simulated(Tomography, Protocol):
    """A tomography that predicts times."""

    def simulate(self, models: Floats) -> Floats:
        """Travel times (n, n_data), s, of models (n, d)."""


def propose(forward: Simulated, prior: Mapping[str, PriorFacts], file: Path | None = None) -> Posterior:
    """Posterior of all maps of a tomography by a network, each map with a prior of its own.

    Parameters
    ----------
    forward : Simulated
    prior : mapping of str to PriorFacts
        Priors of "velocity" and, if the noise is unknown, of "log_noise".
    file : path, optional
        Network; without it, the one of the package.

    Raises
    ------
    ConfigError
        If there is no network, or it does not know such priors, or the data cannot be used.
    """
    velocity, labels = prior["velocity"], list(forward.picks)
    if velocity.kind != "uniform":
        raise ConfigError("prior.velocity.kind", velocity.kind, "a network knows a uniform prior, alone: use `vip run`")
    bounds = [_each("prior.velocity", velocity.lower, velocity.upper, i, len(labels)) for i in range(len(labels))]
    noise = [_noise(prior, i, len(labels)) for i in range(len(labels))] if forward.unknown_noise else [None] * len(labels)
    network = load(file)
    maps, warnings = [], []
    for (label, data), (lower, upper), scale in zip(forward.picks.items(), bounds, noise, strict=True):
        ends = data.stations[np.stack([data.source, data.receiver], axis=1)]
        survey = Survey(forward.grid, Prior(lower, upper, velocity.correlation_length), ends)
        try:
            found, doubts = network.map(survey, data.time, data.sigma, scale)
        except ConfigError as error:
            raise ConfigError(f"{label}: {error.key}" if label else error.key, error.value, error.remedy) from error
        maps.append(found)
        warnings += [f"{label}: {text}" if label else text for text in doubts]
    posterior = Posterior(maps, warnings)
    return Posterior(maps, warnings + _odd_stations(forward, posterior))


def _odd_stations(forward: Simulated, posterior: Posterior) -> list[str]:
    """A line for each period with stations whose residuals, by the exact forward, are far from those that errors would make."""
    models = posterior.sample(N_SIMULATED, stream(0, 0, Purpose.CHECK))
    scales = np.exp(posterior.mean[-len(forward.picks) :]) if forward.unknown_noise else np.ones(len(forward.picks))
    found = []
    for scale, (label, of) in zip(scales, station_scores(forward.picks, forward.simulate(models)).items(), strict=True):
        odd = sorted((name for name in of if abs(of[name]) > ODD * scale), key=lambda name: -abs(of[name]))
        shown = ", ".join(f"{name} ({of[name] / scale:+.0f} standard deviations)" for name in odd[:MOST_NAMED])
        if odd:
            text = f"residuals of all paths of {shown} go one way: a wrong clock or place?"
            found.append(f"{label}: {text}" if label else text)
    return found


def load(file: Path | None = None) -> Network:
    """A network from a file, or the one of the package.

    Raises
    ------
    ConfigError
        If there is none, or it is damaged or of another format.
    """
    if file is None and not SHIPPED.is_file():
        raise ConfigError("network", "none", "no trained network comes with this installation: name one of yours")
    try:
        return Network.load(file)
    except ConfigError as error:
        remedy = f"{error.remedy.split(';')[0]}; name another network, or restore this one"
        raise ConfigError(f"network{error.key and f': {error.key}'}", error.value, remedy, error.file) from error


def _noise(prior: Mapping[str, PriorFacts], i: int, n: int) -> NoisePrior:
    known = prior["log_noise"]
    if known.kind != "gaussian":
        raise ConfigError("prior.log_noise.kind", known.kind, "a network knows a Gaussian prior of the noise: use `vip run`")
    return NoisePrior(*_each("prior.log_noise", known.mean, known.sd, i, n))


def _each(name: str, first: Floats, second: Floats, i: int, n: int) -> tuple[float, float]:
    """Two numbers that describe the prior of map number i of n, which must be the same at all its nodes."""
    pairs = np.unique(np.stack([np.split(first, n)[i], np.split(second, n)[i]], axis=1), axis=0)
    if len(pairs) > 1:
        raise ConfigError(name, pairs[:2].tolist(), "a network knows one prior for all nodes of a map: use `vip run`")
    return float(pairs[0, 0]), float(pairs[0, 1])
