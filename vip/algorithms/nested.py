"""Nested sampling: live points climb from the prior to the top of the likelihood, and give the evidence on the way.

The k live points of least likelihood die and are replaced by draws from the prior inside the likelihood of the last of them;
the prior volume that is left shrinks by a known law (Skilling 2006; several at once: Burkoff et al. 2012). The draws are the
ends of k Metropolis walks that begin at other live points. One move of all walkers is one step of the algorithm and one call of
the log-density: it needs no gradient and keeps k workers busy.

A move is a jump or a stride. A jump draws from a mixture of Gaussians around groups of live points, so that modes exchange
points however far apart they are; the density of the mixture is in the acceptance, so that one which misses a part of the
volume harms no result, as a bound around the live points would. A stride is the difference of two live points of one group
(ter Braak 2006). All this happens in theta, under the density that the prior has there: it needs no map from the unit cube,
which smooth priors with bounds do not have.

Likelihoods that are equal, as of models that fail, are ordered by random labels (Skilling 2006): plateaus shrink like all else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from vip.algorithms.mixtures import Mixture, around
from vip.errors import AlgorithmError
from vip.protocols import Floats, Info, LogDensity

Ints = NDArray[np.intp]

REMAINING = 0.01
"""Largest share of the evidence that the live points may still hold at the end."""
STRIDE = 2.38
"""Length of strides that suits a Gaussian, times the root of twice the number of parameters."""
ACCEPTED = 0.25
"""Share of accepted strides that their length aims at."""
SCALES = (1e-2, 2.0)
"""Shortest and longest strides, over those that suit a Gaussian."""
JITTER = 1e-3
"""Noise of a stride, in standard deviations of the live points, since differences of few points reach few places."""
JUMPS = (0.1, 0.9)
"""Smallest and largest share of jumps among the moves."""
STUCK = 0.02
"""Share of walkers without an accepted jump that is left at the end of walks shorter than `moves`."""
GOOD, MOST = 0.5, 30
"""Share of accepted jumps above which one group is enough, and about the largest number of groups."""
LONGER = 1.5
"""Largest ratio of the lengths of two walks, one after the other."""
FEWEST = 5
"""Least number of moves of a walk."""


class Points(NamedTuple):
    """Places (n, d) with log-likelihoods, log-priors and labels (n,), which order points of one likelihood."""

    places: Floats
    log_likelihood: Floats
    log_prior: Floats
    label: Floats


class Dead(NamedTuple):
    """Points that were live: places (m, d), log-likelihoods (m,), and how many points were alive (m,) when each died."""

    places: Floats
    log_likelihood: Floats
    alive: Floats


class Walk(NamedTuple):
    """Walkers on their way from live points to the places of those that will die.

    `leaving` (k,) are the numbers of these, the worst first, `starting` (k,) those of the live points where walkers begin, and
    `helping` (n - 2 k,) those of the others, group by group.
    `tried` (2,) and `taken` (2,) count the strides and the jumps of all walkers, those tried and those accepted;
    `jumped` (k,) says which walkers have jumped.
    """

    points: Points
    leaving: Ints
    starting: Ints
    helping: Ints
    mixture: Mixture
    moves: int
    wanted: int
    tried: Floats
    taken: Floats
    jumped: NDArray[np.bool_]


class Evidence(NamedTuple):
    """Evidence that is known so far: its logarithm, the standard error of that, and the largest share still to be found."""

    log: float = -math.inf
    error: float = math.inf
    remaining: float = math.inf


class Ranks(NamedTuple):
    """Test of new points against the others: sum of U minus its mean, the sum of its variances, and what walkers remember.

    `memory` (d,) is the sum, over `walks`, of the correlations of the ends of the walkers with their starts.
    """

    excess: float
    variance: float
    memory: Floats
    walks: int


class NestedState(NamedTuple):
    """State of nested sampling, with the length of strides and the share of jumps that the next walk takes."""

    live: Points
    dead: Dead
    walk: Walk
    evidence: Evidence
    ranks: Ranks
    scale: float
    jumps: float


class Nested:
    """Nested sampling of several modes, for up to some tens of parameters.

    Parameters
    ----------
    n_particles : int
        Number of live points; some hundreds or more.
    log_prior : callable
        Log-density of theta without the likelihood; its constant does not matter.
    batch : int
        Number of live points that are replaced at a time, at most half of them.
    moves : int
        Largest number of moves of a walk.
    remaining : float
        Largest share of the evidence that the live points may still hold at the end.
    """

    is_chain = False
    rejects = True

    def __init__(
        self,
        n_particles: int,
        log_prior: Callable[[Floats], tuple[Floats, Floats]],
        batch: int,
        moves: int,
        remaining: float = REMAINING,
    ) -> None:
        self.n_particles, self.log_prior, self.n_evaluated = n_particles, log_prior, batch
        self.batch, self.moves, self.remaining = batch, moves, remaining

    def init(self, theta0: Floats) -> NestedState:
        """First state from draws (n_particles, d) of the prior: with other points, the evidence would be wrong."""
        n, d = theta0.shape
        empty, none, unknown = np.zeros((0, d)), np.zeros(0), np.full(n, np.nan)
        nobody, nowhere = np.zeros(0, np.intp), Mixture(empty, np.zeros((0, d, d)), np.zeros(0, np.intp))
        walk = Walk(
            *(Points(empty, none, none, none), nobody, nobody, nobody, nowhere),
            *(0, 0, np.zeros(2), np.zeros(2), np.zeros(0, bool)),
        )
        live = Points(theta0, unknown, unknown, unknown)
        ranks = Ranks(0.0, 0.0, np.zeros(d), 0)
        return NestedState(live, Dead(empty, none, none), walk, Evidence(), ranks, 1.0, 0.5)

    def step(self, state: NestedState, log_density: LogDensity, rng: np.random.Generator) -> tuple[NestedState, Info]:
        """Move every walker once; after the last move they take the places of the live points that die.

        The first step evaluates the live points.

        Raises
        ------
        AlgorithmError
            If no draw of the prior can be evaluated.
        """
        if not state.walk.wanted:
            return self._begun(state, log_density, rng)
        before = state.walk.points
        walk, value = self._moved(state, log_density, rng)
        change = math.sqrt(np.mean((walk.points.places - before.places) ** 2))
        acceptance = float(walk.taken.sum() / walk.tried.sum())
        after = state._replace(walk=walk)
        if walk.moves == walk.wanted:
            after = self._replaced(after, rng)
        return after, Info(value, change, _reported(after, acceptance))

    def _begun(self, state: NestedState, log_density: LogDensity, rng: np.random.Generator) -> tuple[NestedState, Info]:
        """The state with the likelihoods of its live points and the first walk."""
        places = state.live.places
        prior, _ = self.log_prior(places)
        found = log_density(places)
        live = Points(places, found.apart(prior), prior, rng.random(len(places)))
        if not np.isfinite(live.log_likelihood).any():
            raise AlgorithmError("none of the draws from the prior could be evaluated: check the forward, or narrow the prior")
        begun = state._replace(live=live, evidence=accounts(state.dead, live)[1])
        begun = begun._replace(walk=self._new_walk(begun, rng))
        return begun, Info(_mean_of_finite(found.value), 0.0, _reported(begun, 0.0))

    def _new_walk(self, state: NestedState, rng: np.random.Generator) -> Walk:
        """Walkers at some live points that stay, and a mixture around the others.

        A walker's own start has no part in the mixture, which would know where it is and not what lies beyond: walks would go
        inwards, and volumes would shrink faster than they are counted.
        """
        live, k = state.live, self.batch
        order = np.lexsort((live.label, live.log_likelihood))
        leaving, staying = order[:k], rng.permutation(order[k:])
        starting, helping = staying[:k], staying[k:]
        before = state.walk
        is_good = before.tried[1] and before.taken[1] / before.tried[1] > GOOD
        mixture, by_group = around(live.places[helping], 1 if is_good else MOST)
        return Walk(
            *(_taken(live, starting), leaving, starting, helping[by_group], mixture),
            *(0, self._wanted(before), np.zeros(2), np.zeros(2), np.zeros(k, bool)),
        )

    def _wanted(self, before: Walk) -> int:
        """Number of moves that lets all but a few walkers jump, by how many did in the walk before."""
        if not before.wanted:
            return self.moves
        stuck = max(1 - before.jumped.mean(), STUCK / 2)
        longer = math.log(STUCK) / math.log(stuck) if stuck < 1 else math.inf
        return min(max(math.ceil(before.wanted * min(max(longer, 1 / LONGER), LONGER)), FEWEST), self.moves)

    def _moved(self, state: NestedState, log_density: LogDensity, rng: np.random.Generator) -> tuple[Walk, float]:
        """The walk after a Metropolis move, and the mean log-density of the places that were evaluated for it.

        Proposals that the density of the prior refuses are not evaluated.
        """
        walk, here = state.walk, state.walk.points
        there, jumps, gained = self._proposed(state, rng)
        prior, _ = self.log_prior(there)
        with np.errstate(invalid="ignore"):
            possible = np.log(rng.random(len(there))) < prior - here.log_prior + gained
        likelihood, value = np.full(len(there), -np.inf), _mean_of_finite(here.log_likelihood + here.log_prior)
        if possible.any():
            found = log_density(there[possible])
            likelihood[possible] = found.apart(prior[possible])
            value = _mean_of_finite(found.value)
        last = walk.leaving[-1]
        floor, floor_label = state.live.log_likelihood[last], state.live.label[last]
        chance, fresh = rng.random((2, len(there)))
        inside = (likelihood > floor) | ((likelihood == floor) & (chance > floor_label))
        accepted = possible & inside
        after = Points(
            np.where(accepted[:, None], there, here.places),
            np.where(accepted, likelihood, here.log_likelihood),
            np.where(accepted, prior, here.log_prior),
            here.label,
        )
        # Labels are drawn anew too: those of the floor's likelihood from what is left above its label.
        label = np.where(after.log_likelihood > floor, fresh, floor_label + (1 - floor_label) * fresh)
        count = np.array([np.bincount(jumps, minlength=2), np.bincount(jumps, accepted, minlength=2)], dtype=float)
        return walk._replace(
            points=after._replace(label=label),
            moves=walk.moves + 1,
            tried=walk.tried + count[0],
            taken=walk.taken + count[1],
            jumped=walk.jumped | (accepted & (jumps == 1)),
        ), value

    def _proposed(self, state: NestedState, rng: np.random.Generator) -> tuple[Floats, Ints, Floats]:
        """Places (k, d) to go to, whether (k,) each is a jump, and the log-ratio (k,) of the densities of the way back."""
        walk, here = state.walk, state.walk.points.places
        k, d = here.shape
        jumps = np.where(rng.random(k) < state.jumps, 1, 0)
        far = walk.mixture.draw(k, rng)
        back, forth = np.split(walk.mixture.log_density(np.concatenate([here, far])), 2)
        helping = state.live.places[walk.helping]
        near = here + state.scale * STRIDE / math.sqrt(2 * d) * _differences(helping, walk.mixture.counts, k, rng)
        near += JITTER * state.scale * helping.std(axis=0) * rng.standard_normal((k, d))
        return np.where(jumps[:, None], far, near), jumps, np.where(jumps, back - forth, 0.0)

    def _replaced(self, state: NestedState, rng: np.random.Generator) -> NestedState:
        """The state with the walkers as live points in place of the worst, and a new walk."""
        live, walk, dead, k = state.live, state.walk, state.dead, self.batch
        ranks = _ranked(state.ranks, walk, live)
        n = len(live.label)
        gone = _taken(live, walk.leaving)
        dead = Dead(
            np.concatenate([dead.places, gone.places]),
            np.concatenate([dead.log_likelihood, gone.log_likelihood]),
            np.concatenate([dead.alive, n - np.arange(k)]),
        )
        renewed = [each.copy() for each in live]
        for each, new in zip(renewed, walk.points, strict=True):
            each[walk.leaving] = new
        live = Points(*renewed)
        of_strides, of_jumps = walk.taken / np.maximum(walk.tried, 1)
        d = live.places.shape[1]
        scale = float(np.clip(state.scale * math.exp(of_strides - ACCEPTED), *SCALES))
        # An accepted jump forgets where it came from, which takes about 2 d strides.
        worth = 2 * d * of_jumps
        jumps = float(np.clip(worth / (1 + worth), *JUMPS))
        after = NestedState(live, dead, walk, accounts(dead, live)[1], ranks, scale, jumps)
        return after._replace(walk=self._new_walk(after, rng))

    def draw(self, state: NestedState, n: int, rng: np.random.Generator) -> Floats:
        """All points that died and all that live, whatever n: their weights make them samples."""
        return np.concatenate([state.dead.places, state.live.places])

    def weights(self, state: NestedState) -> Floats:
        """Log-weights (m,) of the draws."""
        return accounts(state.dead, state.live)[0]

    def has_converged(self, state: NestedState) -> bool:
        """Whether the live points hold no more than the share `remaining` of the evidence."""
        return state.evidence.remaining <= self.remaining

    def log_evidence(self, state: NestedState) -> tuple[float, float]:
        """Logarithm of the evidence, and its standard error; nan before the run has converged."""
        return (state.evidence.log, state.evidence.error) if self.has_converged(state) else (math.nan, math.nan)


def accounts(dead: Dead, live: Points) -> tuple[Floats, Evidence]:
    """Log-weights of all points, those that died first, and the evidence.

    Where one of n points dies, the logarithm of the volume shrinks by 1/n, with a standard deviation of 1/n (Skilling 2006).
    The variance of the log-evidence is the sum of these variances times the squared shares of the evidence that lie inside,
    which are the derivatives of the one by the other.
    """
    log_volume = np.concatenate([[0.0], -np.cumsum(1 / dead.alive)])
    of_dead = log_volume[:-1] + np.log(-np.expm1(-1 / dead.alive)) + dead.log_likelihood
    log_weights = np.concatenate([of_dead, live.log_likelihood + log_volume[-1] - math.log(len(live.label))])
    total = float(logsumexp(log_weights))
    inside = np.maximum(1 - np.cumsum(np.exp(log_weights[: len(dead.alive)] - total)), 0.0)
    error = math.sqrt(float(np.sum((inside / dead.alive) ** 2)))
    return log_weights, Evidence(total, error, math.exp(live.log_likelihood.max() + log_volume[-1] - total))


def _ranked(ranks: Ranks, walk: Walk, live: Points) -> Ranks:
    """The tests with what the ends of a walk add.

    If they are draws like those that stay, Mann & Whitney's U of the two is as for two samples of one distribution, whatever it
    was before (Fowlie, Handley & Su 2020, for one new point at a time).
    """
    stayed, k = _taken(live, np.concatenate([walk.starting, walk.helping])), len(walk.leaving)
    both = [np.concatenate([new, old]) for new, old in zip(walk.points[1:], stayed[1:], strict=True)]
    rank = np.argsort(np.lexsort((both[2], both[0])))[:k]
    others = len(stayed.label)
    excess = float(rank.sum() - k * (k - 1) / 2 - k * others / 2)
    centre, sd = stayed.places.mean(axis=0), np.maximum(stayed.places.std(axis=0), np.finfo(float).tiny)
    start, end = (live.places[walk.starting] - centre) / sd, (walk.points.places - centre) / sd
    return Ranks(
        ranks.excess + excess,
        ranks.variance + k * others * (k + others + 1) / 12,
        ranks.memory + (start * end).mean(axis=0),
        ranks.walks + 1,
    )


def _reported(state: NestedState, acceptance: float) -> dict[str, float]:
    """Numbers of a step; `ranks` is the sum of U in standard deviations."""
    ranks = state.ranks
    return {
        "log_evidence": state.evidence.log,
        "remaining": state.evidence.remaining,
        "acceptance": acceptance,
        "ranks": ranks.excess / math.sqrt(ranks.variance) if ranks.walks else 0.0,
        "memory": float(ranks.memory.max() / ranks.walks) if ranks.walks else 0.0,
    }


def _differences(places: Floats, counts: Ints, k: int, rng: np.random.Generator) -> Floats:
    """Differences (k, d) of two places of one group, from places that are in order of groups of `counts`."""
    first = rng.integers(0, len(places), k)
    ends = np.cumsum(counts)
    group = np.searchsorted(ends, first, side="right")
    begin, size = (ends - counts)[group], counts[group]
    second = begin + (first - begin + rng.integers(1, size)) % size
    difference: Floats = places[first] - places[second]
    return difference


def _taken(points: Points, chosen: Ints) -> Points:
    return Points(*(each[chosen] for each in points))


def _mean_of_finite(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else -math.inf
