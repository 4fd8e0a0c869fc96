"""HARPA (Shi, de Hoop & Dokmanic 2024), for comparison: events whose arrival times have the distribution of the picks.

No pick is given to an event before the end. The loss is the sum, over channels, of the Wasserstein distance between the
arrivals of all events and the picks (eq. 10), or of the loss of their section 5.7 where the two differ in number; both are sums
over the pairs of the best assignment. It has many minima, out of which Langevin dynamics with RMSProp's preconditioner lead
(eq. 12; Li et al. 2016), from several starts at once. Every step uses all channels, where the paper draws some.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from vip.algorithms.burn_in import BurnIn
from vip.algorithms.langevin import SGLD
from vip.algorithms.metrics import RootMeanSquareGradient
from vip.algorithms.optimizers import Schedule
from vip.algorithms.step_sizes import Scheduled
from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.association.window.fit import Events, Rules
from vip.protocols import Evaluated, Floats
from vip.rng import Purpose, stream

SMALLEST = 1e-9
"""Least distance, s, that the gradient of a root is taken at."""


class Langevin(NamedTuple):
    """How the least loss is sought; places are in units of the region, times in units of the record."""

    power: int = 2
    """Power p of differences of time, 1 or 2."""
    trials: int = 10
    """Number of random starts, which run side by side."""
    iterations: int = 3000
    step_size: float = 0.01
    """First step; the last is one tenth of it."""
    noise: float = 0.1
    """Factor of the noise, epsilon in eq. 12."""


class Transported(NamedTuple):
    """The events of the least loss."""

    events: Events
    event: Ints
    """Event of each pick (n,), or -1."""
    loss: float
    """Loss, s."""


def transport(picks: Arrivals, channels: Channels, rules: Rules, search: Langevin, seed: int) -> Transported:
    """Find as many events as the channel with most picks has picks, and then the picks of each.

    Parameters
    ----------
    picks : Arrivals
        Those of one short window, in which each channel sees about every event.
    channels : Channels
    rules : Rules
        Only the region counts.
    search : Langevin
    seed : int
        The same seed gives the same result.
    """
    observed = np.split(picks.time, channels.starts(picks.channel)[1:-1])
    n_events = max(len(times) for times in observed)
    if not n_events:
        return Transported(Events.none(), np.zeros(0, int), 0.0)
    lower, width = _ends(picks, channels, rules)

    def arrivals(theta: Floats) -> tuple[Floats, Floats]:
        places = lower + width * theta.reshape(len(theta), n_events, 4)
        time, gradient = channels.travel_times(places[..., :3].reshape(-1, 3))
        shape = (len(theta), n_events, len(channels))
        jacobian = np.concatenate([gradient.reshape(*shape, 3), np.ones((*shape, 1))], axis=3)
        return places[..., 3:] + time.reshape(shape), jacobian

    def density(theta: Floats) -> Evaluated:
        predicted, jacobian = arrivals(theta)
        value, by_time = loss(predicted, observed, search.power)
        gradient = np.einsum("nec,neci->nei", by_time, jacobian) * width
        temperature = search.noise**2
        return Evaluated(-value / temperature, -gradient.reshape(theta.shape) / temperature)

    theta = _descended(density, 4 * n_events, search, seed)
    predicted, _ = arrivals(theta[None])
    places = lower + width * theta.reshape(n_events, 4)
    events = Events(places[:, :3], places[:, 3], np.full(n_events, len(channels)))
    event = np.concatenate([_owners(predicted[0, :, c], times, search.power) for c, times in enumerate(observed)])
    return Transported(events, event, float(loss(predicted, observed, search.power)[0][0]))


def loss(predicted: Floats, observed: list[Floats], power: int) -> tuple[Floats, Floats]:
    """Loss (n,), s, of arrivals (n, n_events, n_channels) and the sorted picks of each channel; gradient by the arrivals.

    The root of the mean of ``|difference|^p`` over the pairs of the best assignment, summed over channels with picks.
    """
    n, n_events, _ = predicted.shape
    total, gradient = np.zeros(n), np.zeros_like(predicted)
    equal = np.array([len(times) == n_events for times in observed])
    if equal.any():  # the best assignment is that of the ranks
        event = np.argsort(predicted[:, :, equal], axis=1, kind="stable")
        times = np.stack([observed[c] for c in np.flatnonzero(equal)], axis=1)
        distance, gradient[:, :, equal] = _distance(predicted[:, :, equal], event, times, power)
        total += distance.sum(axis=1)
    for c in np.flatnonzero(~equal):
        if not len(observed[c]):
            continue
        pairs = [_assigned(each, observed[c], power) for each in predicted[:, :, c]]
        event, pick = (np.stack(part)[..., None] for part in zip(*pairs, strict=True))
        distance, gradient[:, :, [c]] = _distance(predicted[:, :, [c]], event, observed[c][pick], power)
        total += distance[:, 0]
    return total, gradient


def _distance(predicted: Floats, event: Ints, times: Floats, power: int) -> tuple[Floats, Floats]:
    """Root (n, n_channels) of the mean of `|difference|^p` of pairs (n, n_pairs, n_channels), and gradient by the arrivals."""
    apart = np.take_along_axis(predicted, event, axis=1) - times
    distance = np.mean(np.abs(apart) ** power, axis=1) ** (1 / power)
    relative = np.abs(apart) / np.maximum(distance, SMALLEST)[:, None]
    gradient = np.zeros_like(predicted)
    np.put_along_axis(gradient, event, np.sign(apart) * relative ** (power - 1) / event.shape[1], axis=1)
    return distance, gradient


def _assigned(predicted: Floats, times: Floats, power: int) -> tuple[Ints, Ints]:
    """Event and pick of each pair of the best assignment of the arrivals (n_events,) at a channel to its picks."""
    event, pick = linear_sum_assignment(np.abs(predicted[:, None] - times) ** power)
    return event, pick


def _owners(predicted: Floats, times: Floats, power: int) -> Ints:
    """Event of each pick of a channel, or -1."""
    owner = np.full(len(times), -1)
    event, pick = _assigned(predicted, times, power)
    owner[pick] = event
    return owner


def _ends(picks: Arrivals, channels: Channels, rules: Rules) -> tuple[Floats, Floats]:
    """Lower ends (4,) of x, y, depth and origin time, and how wide their ranges are."""
    corners = np.stack(np.meshgrid(*np.stack([rules.lower, rules.upper], axis=1), indexing="ij"), axis=-1).reshape(-1, 3)
    longest = channels.travel_times(corners)[0].max()
    lower = np.append(rules.lower, picks.time.min() - longest)
    return lower, np.append(rules.upper, picks.time.max()) - lower


def _descended(density: Callable[[Floats], Evaluated], size: int, search: Langevin, seed: int) -> Floats:
    """The place (d,) of the least loss of all trials and iterations."""
    schedule = Schedule(search.step_size, decay=9 / search.iterations)
    estimator = BurnIn(search.iterations + 1, RootMeanSquareGradient())
    method = SGLD(search.trials, Scheduled(schedule), estimator, project=lambda theta: np.clip(theta, 0, 1))
    state = method.init(stream(seed, 0, Purpose.START).random((search.trials, size)))
    best: Floats = state.particles[0]
    least = -np.inf
    for iteration in range(search.iterations):
        state, _ = method.step(state, density, stream(seed, iteration, Purpose.STEP))
        value = state.ensemble.value
        if value.max() > least:
            best, least = state.particles[value.argmax()], float(value.max())
    return best
