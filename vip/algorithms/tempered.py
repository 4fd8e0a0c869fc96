"""Tempered sequential Monte Carlo: particles from all modes of the posterior, in proportion to their mass, and the evidence.

Particles go from draws of the prior to the posterior while the likelihood's power rises, at each step by as much as leaves a
share of the particles effective (Del Moral, Doucet & Jasra 2006; Jasra et al. 2011). After each step, particles are resampled
and moved by Metropolis steps along the difference of two others (ter Braak 2006), which fit scale and modes of the density.

The functions here take many independent problems side by side, each with a power of its own: n particles, m problems, k
parameters of each problem. `Tempered`, the algorithm, is the case of one problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.errors import AlgorithmError
from vip.progress import Waiting
from vip.protocols import Floats, Info, LogDensity

Ints = NDArray[np.intp]
Density = Callable[[Floats], Floats]
"""Function of places (n, m, k) that returns log-densities (n, m)."""

EFFECTIVE = 0.5
"""Share of the particles that a step of the power must leave."""
MOVES, LAST_MOVES = 5, 10
"""Numbers of Metropolis steps after each step of the power, and after the last: enough to start problems of few unknowns."""
JUMPS = 0.1
"""Share of the moves that go by a whole difference, from mode to mode."""
SHORTEST = 0.05
"""Shortest of the other moves, over the length that suits a Gaussian: bent posteriors need shorter ones."""
JITTER = 1e-3
"""Noise of a move, in standard deviations, since differences of few particles reach few places."""
BISECTIONS = 30


class Population(NamedTuple):
    """Particles of several problems."""

    places: Floats
    """Places (n, m, k) of the particles."""
    log_likelihood: Floats
    """Log-likelihoods (n, m)."""
    log_prior: Floats
    """Log-densities (n, m) of the prior."""


class Moved(NamedTuple):
    """Outcome of a Metropolis step."""

    population: Population
    proposed: Floats
    """Log-likelihoods plus log-priors (n, m) of the places that were proposed."""
    accepted: NDArray[np.bool_]
    """Whether each proposal (n, m) was accepted."""


def spread(
    log_likelihood: Callable[[Floats, Ints], Floats], lower: Floats, upper: Floats, n: int, rng: np.random.Generator
) -> Floats:
    """Samples (n, m, k) of the posteriors of independent problems with uniform priors.

    Parameters
    ----------
    log_likelihood : callable
        Returns log-likelihoods (n, m'), all finite, of places (n, m', k) of the problems (m',).
    lower, upper : (m, k) float
        Bounds of the uniform priors.
    n : int
        Number of particles; some tens or more.
    rng : Generator
    """
    x = rng.uniform(lower, upper, (n, *lower.shape))
    problems = np.arange(len(lower))
    value, power = log_likelihood(x, problems), np.zeros(len(lower))
    waiting = Waiting("first samples", len(lower), "problems")
    while len(problems := np.flatnonzero(power < 1)):
        waiting(len(lower) - len(problems))
        step = longest_step(value[:, problems], 1 - power[problems])
        power[problems] += step
        origin = resampled(step * value[:, problems], rng)
        x[:, problems], value[:, problems] = x[origin, problems], value[origin, problems]
        moves = np.where(power[problems] < 1, MOVES, LAST_MOVES)
        for move in range(moves.max()):
            chosen = problems[moves > move]
            here = Population(x[:, chosen], value[:, chosen], np.zeros((n, len(chosen))))

            def inside(places: Floats, chosen: Ints = chosen) -> Floats:
                within = ((places >= lower[chosen]) & (places <= upper[chosen])).all(axis=2)
                return np.where(within, 0.0, -np.inf)

            def likelihood(places: Floats, chosen: Ints = chosen) -> Floats:
                return log_likelihood(places, chosen)

            there = moved(here, power[chosen], likelihood, inside, rng).population
            x[:, chosen], value[:, chosen] = there.places, there.log_likelihood
    return x


def longest_step(log_likelihood: Floats, longest: Floats, effective: float = EFFECTIVE) -> Floats:
    """The step (m,) of the power that leaves a share `effective` of the particles effective, at most `longest` (m,)."""
    value = log_likelihood - log_likelihood.max(axis=0)

    def share(step: Floats) -> Floats:
        weight = np.exp(step * value)
        left: Floats = weight.sum(axis=0) ** 2 / (weight**2).sum(axis=0) / len(value)
        return left

    low, high = np.zeros_like(longest), longest.copy()
    enough = share(high) >= effective
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        fine = share(middle) >= effective
        low, high = np.where(fine, middle, low), np.where(fine, high, middle)
    return np.where(enough, longest, np.maximum(low, np.finfo(float).tiny))


def resampled(log_weight: Floats, rng: np.random.Generator) -> Ints:
    """Index (n, m) of the particle that takes each place, by systematic resampling with weights (n, m)."""
    n, m = log_weight.shape
    weight = np.exp(log_weight - log_weight.max(axis=0))
    ends = np.cumsum(weight, axis=0) / weight.sum(axis=0)
    ends[-1] = 1.0
    points = (np.arange(n)[:, None] + rng.random(m)) / n
    return np.stack([np.searchsorted(ends[:, j], points[:, j]) for j in range(m)], axis=1)


def moved(here: Population, power: Floats, log_likelihood: Density, log_prior: Density, rng: np.random.Generator) -> Moved:
    """A Metropolis step of every particle at the powers (m,); the likelihood is not evaluated where the prior is zero."""
    x = here.places
    n, m, k = x.shape
    first, second = ((np.arange(n)[:, None] + rng.integers(1, n, (n, m))) % n for _ in range(2))
    length = 2.38 / np.sqrt(2 * k) * SHORTEST ** rng.random((n, m, 1))
    length[rng.random((n, m)) < JUMPS] = 1.0
    across = np.arange(m)
    there = x + length * (x[first, across] - x[second, across])
    there += JITTER * x.std(axis=0) * rng.standard_normal(there.shape)
    prior = log_prior(there)
    possible = prior > -np.inf
    there, prior = np.where(possible[..., None], there, x), np.where(possible, prior, here.log_prior)
    value = log_likelihood(there)
    gained = power * (value - here.log_likelihood) + (prior - here.log_prior)
    accepted = possible & (np.log(rng.random((n, m))) < gained)
    after = Population(
        np.where(accepted[..., None], there, x),
        np.where(accepted, value, here.log_likelihood),
        np.where(accepted, prior, here.log_prior),
    )
    return Moved(after, value + prior, accepted)


class TemperedState(NamedTuple):
    """State of tempering: particles (n, d) with their log-likelihoods and log-priors (n,), unknown before the first step.

    `power` is that of the likelihood, `log_evidence` the logarithm of its normaliser so far; `ancestors` (n,) says from which
    draw of the prior each particle comes.
    """

    particles: Floats
    log_likelihood: Floats
    log_prior: Floats
    power: float
    log_evidence: float
    ancestors: Ints


class Tempered:
    """Tempering: particles go from the prior to the posterior and give the evidence on the way; they need no gradient.

    Parameters
    ----------
    n_particles : int
        Number of particles; some hundreds or more.
    log_prior : callable
        Log-density of theta without the likelihood.
    effective : float
        Share of the particles that a step of the power leaves.
    moves, last_moves : int
        Number of Metropolis steps after each step of the power, and after the last.
    """

    is_chain = False
    rejects = True

    def __init__(
        self,
        n_particles: int,
        log_prior: Callable[[Floats], tuple[Floats, Floats]],
        effective: float = EFFECTIVE,
        moves: int = 20,
        last_moves: int = 20,
    ) -> None:
        self.n_particles, self.log_prior, self.effective = n_particles, log_prior, effective
        self.moves, self.last_moves = moves, last_moves
        self.n_evaluated = n_particles * moves

    def init(self, theta0: Floats) -> TemperedState:
        """First state from draws (n_particles, d) of the prior: with other particles, the evidence would be wrong."""
        unknown = np.full(len(theta0), np.nan)
        return TemperedState(theta0, unknown, unknown.copy(), 0.0, 0.0, np.arange(len(theta0)))

    def step(self, state: TemperedState, log_density: LogDensity, rng: np.random.Generator) -> tuple[TemperedState, Info]:
        """Raise the power as far as it may rise, resample the particles and move them; once it is one, only move them."""

        def prior(places: Floats) -> Floats:
            value, _ = self.log_prior(places[:, 0])
            return value[:, None]

        def likelihood(places: Floats) -> Floats:
            return log_density(places[:, 0]).apart(prior(places)[:, 0])[:, None]

        known = state if np.isfinite(state.log_prior).all() else _evaluated(state, likelihood, prior)
        rises = known.power < 1
        raised = self._raised(known, rng) if rises else known
        here = _population(raised)
        accepted, mean = [], 0.0
        for _ in range(self.last_moves if rises and raised.power >= 1 else self.moves):
            here, proposed, taken = moved(here, np.array([raised.power]), likelihood, prior, rng)
            accepted.append(taken.mean())
            mean = _mean_of_finite(proposed)
        after = raised._replace(
            particles=here.places[:, 0], log_likelihood=here.log_likelihood[:, 0], log_prior=here.log_prior[:, 0]
        )
        more = {"power": after.power, "log_evidence": after.log_evidence, "acceptance": float(np.mean(accepted))}
        change = math.sqrt(np.mean((after.particles - state.particles) ** 2))
        return after, Info(mean, change, more)

    def _raised(self, state: TemperedState, rng: np.random.Generator) -> TemperedState:
        """The state at the next power, resampled; the evidence grows by the mean of the weights."""
        value = state.log_likelihood[:, None]
        step = float(longest_step(value, np.array([1 - state.power]), self.effective)[0])
        log_weight = step * value
        most = float(log_weight.max())
        weight = np.exp(log_weight - most)
        origin = resampled(log_weight, rng)[:, 0]
        # The power ends at one exactly, whatever is lost in the sum.
        power = 1.0 if step >= 1 - state.power else state.power + step
        return TemperedState(
            state.particles[origin],
            state.log_likelihood[origin],
            state.log_prior[origin],
            power,
            state.log_evidence + most + math.log(weight.mean()),
            state.ancestors[origin],
        )

    def draw(self, state: TemperedState, n: int, rng: np.random.Generator) -> Floats:
        """The particles, which are n_particles samples, whatever n."""
        return state.particles

    def has_converged(self, state: TemperedState) -> bool:
        """Whether the power is one."""
        return state.power >= 1

    def weights(self, state: TemperedState) -> Floats:
        """Log-weights (n,) of the draws: all the same, since resampling made them so."""
        return np.zeros(len(state.particles))

    def log_evidence(self, state: TemperedState) -> tuple[float, float]:
        """Logarithm of the evidence, and its standard error; nan before the power is one.

        The error is that of Lee & Whiteley (2018) for systematic resampling, from how many particles share an ancestor: it
        grows where moves are too few for particles to forget where they were.
        """
        if not self.has_converged(state):
            return math.nan, math.nan
        n = len(state.ancestors)
        shares = np.bincount(state.ancestors, minlength=n) / n
        return state.log_evidence, math.sqrt(max(float(np.sum(shares**2)) - 1 / n, 0.0))


def _population(state: TemperedState) -> Population:
    return Population(state.particles[:, None], state.log_likelihood[:, None], state.log_prior[:, None])


def _evaluated(state: TemperedState, likelihood: Density, prior: Density) -> TemperedState:
    """The state with the densities of its particles.

    Raises
    ------
    AlgorithmError
        If no particle can be evaluated.
    """
    value, log_prior = (density(state.particles[:, None])[:, 0] for density in (likelihood, prior))
    if not np.isfinite(value).any():
        raise AlgorithmError("none of the draws from the prior could be evaluated: check the forward, or narrow the prior")
    return state._replace(log_likelihood=value, log_prior=log_prior)


def _mean_of_finite(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else -math.inf
