"""Events, their picks and velocities, all unknown, where arrivals of many events cross: annealing over who has which pick.

Near some events and a code, arrival times are linear in all of these, so that the least sum of squares of an assignment of
picks is a quadratic form of the assigned times: two events exchange the picks of a channel, and places, origin times and
velocities follow at once (`vip.kernels_c.exchange`). Exchanges are accepted as at a temperature, which is a width of time;
then travel times are computed anew for what was found, and the width shrinks. The balance of HARPA (Shi et al. 2024) is kept:
a channel gives each event a pick as long as it has any. What walks at random is the assignment alone, not events and speeds.

Of several random starts those go on that fit best at the widths where order appears.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.association.speed.times import Near, TimesOfCode
from vip.forward.association.window.channels import Arrivals, Channels, Ints
from vip.forward.association.window.fit import Events, Rules
from vip.kernels_c.exchange import exchange
from vip.protocols import Floats
from vip.rng import Purpose, stream

HOTTEST, ORDERED, COLDEST = 0.8, 0.3, 0.04
"""First width, at which all assignments are alike, one at which the right one is stable, and the last, over the mean time
between the picks of a channel."""
SLOW = 0.8
"""Part of the stages in which order appears, from the first width to the second: it appears suddenly or not at all."""
HALVED = (0.3, 0.45, 0.55, 0.65)
"""Parts of the stages after which the better half of the starts goes on."""
COARSE, WAY = 12, 1.5
"""Least number of cells along the longest side of the region for travel times while the width is large, and the longest cell
over the way of a wave between two picks of a channel: errors of coarser tables hide the order that is looked for."""
FINE = 0.15
"""Width, over the mean time between the picks of a channel, below which they are computed with the solver's own spacing."""
STEPS = 2
"""Steps of a stage, for which tables are solved once: events move, and times are linear in the code alone."""
MOVES = 600
"""Exchanges that are tried in a step for each event at each channel."""
REGION = 0.5
"""Standard deviation of places before any pick is seen, in sides of the region."""
TRUST, TRUST_CODE = 0.2, 1.5
"""How far, in sides of the region and in standard deviations of the code, times are taken as linear."""
FREE = 1e-9
"""Precision of an origin time before any pick is seen, 1/s^2."""
POLISHING = 3
"""Stages without random exchanges at the end."""


class Annealing(NamedTuple):
    """How much is tried.

    Attributes
    ----------
    starts : int
        Random starts of a round.
    rounds : int
        Most rounds; they end when what is left is what is expected of picks.
    stages : int
        Widths, from the first to the last.
    residual : float
        Root mean square of residuals, s, below which a fit is the right one: errors of picks and of tables.
    """

    starts: int = 8
    rounds: int = 4
    stages: int = 50
    residual: float = 0.03


class State(NamedTuple):
    """Events, a code, and an assignment of picks."""

    events: Events
    code: Floats
    slot: Floats
    """Times (n_channels, n_slots), s, of the picks of events, then of those of none; NaN where there is none."""
    datum: Floats
    """Times (n_events, n_channels), s, of the picks of events, and what is taken for those that are missing."""
    misfit: float
    """Root mean square of residuals, s."""


class Annealed(NamedTuple):
    """The best that was found."""

    events: Events
    event: Ints
    """Event of each pick (n,), or -1."""
    code: Floats
    """Code of the velocities (size,)."""
    covariance: Floats
    """Covariance (size, size) of the code, given the assignment; hypocentres and origin times are free."""
    misfit: float
    """Root mean square of residuals, s."""


def anneal(
    picks: Arrivals,
    channels: Channels,
    rules: Rules,
    times: TimesOfCode,
    search: Annealing,
    seed: int,
    n_events: int,
    first: int = 0,
) -> Annealed:
    """Find events, the picks of each, and the code of the velocities.

    Parameters
    ----------
    picks : Arrivals
        Those of one short window, in which each channel sees about every event. Equal standard deviations are assumed.
    channels : Channels
        Their tables are not used.
    rules : Rules
        Only the region counts.
    times : TimesOfCode
    search : Annealing
    seed : int
        The same seed gives the same result.
    n_events : int
        Number of events.
    first : int
        Number of the first round; rounds differ by their random starts.

    Raises
    ------
    ValueError
        If there are no events, or no channel has picks at two times.
    """
    if n_events < 1:
        raise ValueError(f"n_events: {n_events}: must be at least 1")
    window = _Window(picks, channels, rules, times, n_events)
    if not window.spacing > 0:
        raise ValueError(f"picks: {len(picks.time)}, of which no channel has two at different times: nothing to tell apart")
    slow = round(SLOW * search.stages)
    falling = np.geomspace(HOTTEST, ORDERED, slow, endpoint=False), np.geomspace(ORDERED, COLDEST, search.stages - slow)
    widths = np.concatenate(falling) * window.spacing
    halved = {round(part * search.stages) for part in HALVED}
    best = window.start(stream(seed, 0, Purpose.START))
    for turn in range(first, first + search.rounds):
        rngs = [stream(seed, 1 + turn * search.starts + k, Purpose.START) for k in range(search.starts)]
        states = [window.start(rng) for rng in rngs]
        for stage, width in enumerate(widths):
            if stage in halved:
                order = np.argsort([state.misfit for state in states], kind="stable")[: max(1, len(states) // 2)]
                states, rngs = [states[k] for k in order], [rngs[k] for k in order]
            states = [window.stage(state, width, rng) for state, rng in zip(states, rngs, strict=True)]
        states = [window.polished(state, rng) for state, rng in zip(states, rngs, strict=True)]
        best = min([best, *states], key=lambda state: state.misfit)
        if best.misfit < search.residual:
            break
    return window.result(best, search.residual)


class _Linear(NamedTuple):
    """Arrival times near a state, as linear functions of events and code, with the prior of these."""

    predicted: Floats
    design: Floats
    """Derivatives (n_data, 4 n_events + size)."""
    precision: Floats
    """Precision of the unknowns before any pick is seen (4 n_events + size,)."""
    trust: Floats
    """Precision of steps (4 n_events + size,), over that of the data."""
    here: Floats
    """Unknowns less their prior mean."""

    def projector(self, datum: Floats, variance: float) -> tuple[Floats, Floats]:
        """What `exchange` needs of data (n_events, n_channels) with a variance, s^2: the projector and half of the gradient."""
        normal = self.design.T @ self.design + variance * np.diag(self.precision + self.trust)
        gain = np.linalg.solve(normal, self.design.T)
        projector = np.eye(len(self.predicted)) - self.design @ gain
        drawn = self.design @ np.linalg.solve(normal, variance * self.precision * self.here)
        return projector, (projector @ (datum.ravel() - self.predicted) + drawn).reshape(datum.shape)

    def best(self, datum: Floats, picked: NDArray[np.bool_], variance: float) -> tuple[Floats, Floats]:
        """Step of the unknowns that fits data with picks best, and the residuals of these, s."""
        design, residual = self.design[picked.ravel()], (datum.ravel() - self.predicted)[picked.ravel()]
        normal = design.T @ design + variance * np.diag(self.precision + self.trust)
        step = np.linalg.solve(normal, design.T @ residual - variance * self.precision * self.here)
        left: Floats = residual - design @ step
        return step.astype(np.float64), left

    def filled(self, datum: Floats, picked: NDArray[np.bool_], step: Floats) -> Floats:
        """Data (n_events, n_channels), where those without picks are as predicted after a step."""
        return np.where(picked, datum, (self.predicted + self.design @ step).reshape(datum.shape))


def _with_nodes(times: TimesOfCode, spacing: float) -> TimesOfCode:
    """The same times, from tables with nodes `spacing` km apart, but no closer than they are."""
    return times._replace(solver=times.solver._replace(spacing=max(times.solver.spacing, spacing)))


class _Window:
    """Picks, and what is known of them."""

    def __init__(self, picks: Arrivals, channels: Channels, rules: Rules, times: TimesOfCode, n_events: int) -> None:
        self.picks, self.channels, self.rules, self.times, self.n_events = picks, channels, rules, times, n_events
        self.first = channels.starts(picks.channel)
        self.most = max(n_events, int(np.diff(self.first).max(initial=0)))
        count = np.maximum(np.diff(self.first), 1)
        spans = [float(np.ptp(part)) if len(part) else 0.0 for part in np.split(picks.time, self.first[1:-1])]
        self.spacing = float(np.mean(np.array(spans) / count))
        self.side = rules.upper - rules.lower
        self.coarse = _with_nodes(times, float(self.side.max()) / COARSE)
        if self.spacing > 0:
            self.coarse = _with_nodes(times, min(self.coarse.solver.spacing, WAY * self.spacing * self._speed()))

    def start(self, rng: np.random.Generator) -> State:
        """Events anywhere in any speed, and picks in the order of arrivals."""
        x = self.rules.lower + self.side * rng.random((self.n_events, 3))
        code = rng.standard_normal(self.times.family.size)
        travel, _ = self.coarse.at(self.channels, code).travel_times(x)
        origin = np.full(self.n_events, self.picks.time.mean() - travel.mean())
        arrival = origin[:, None] + travel
        slot = np.full((len(self.channels), self.most), np.nan)
        for c, order in enumerate(np.argsort(arrival, axis=0, kind="stable").T):
            observed = self.picks.time[self.first[c] : self.first[c + 1]]
            slots = np.append(order, np.arange(self.n_events, self.most))
            slot[c, slots[: len(observed)]] = observed
        taken = slot[:, : self.n_events].T
        reach = np.full(self.n_events, len(self.channels))
        return State(Events(x, origin, reach), code, slot, np.where(np.isnan(taken), arrival, taken), np.inf)

    def _speed(self) -> float:
        """How fast waves go at the middle code, km/s, between the middle of the region and all channels."""
        middle = (self.rules.lower + self.rules.upper) / 2
        travel, _ = self.coarse.at(self.channels, np.zeros(self.times.family.size)).travel_times(middle[None])
        return float(np.linalg.norm(self.channels.place - middle, axis=1).mean() / travel.mean())

    def stage(self, state: State, width: float, rng: np.random.Generator) -> State:
        """The state after exchanges at a width, s; a width of 0 allows only what fits better."""
        near = (self.times if width < FINE * self.spacing else self.coarse).near(self.channels, state.code)
        for _ in range(STEPS):
            state = self._step(state, near, width, rng)
        return state

    def _step(self, state: State, near: Near, width: float, rng: np.random.Generator) -> State:
        linear = self._linear(state, near)
        variance = max(width, COLDEST * self.spacing / 2) ** 2
        projector, half_gradient = linear.projector(state.datum, variance)
        moves = self._moves(rng)
        slack, slot, datum = 2 * width**2 * rng.exponential(size=len(moves)), state.slot, state.datum
        if len(moves):
            slot, datum, _, _ = exchange(projector, half_gradient, datum, slot, moves, slack)
        picked = ~np.isnan(slot[:, : self.n_events].T)
        step, left = linear.best(datum, picked, variance)
        datum, misfit = linear.filled(datum, picked, step), float(np.sqrt(np.mean(left**2)))
        return self._stepped(state, step)._replace(slot=slot, datum=datum, misfit=misfit)

    def polished(self, state: State, rng: np.random.Generator) -> State:
        """The state after exchanges that all fit better, with times of the finest tables."""
        for _ in range(POLISHING):
            state = self.stage(state, 0.0, rng)
        return state

    def result(self, state: State, residual: float) -> Annealed:
        """What an association needs of a state; data have a standard deviation of at least `residual`, s."""
        near, event = self.times.near(self.channels, state.code), np.full(len(self.picks.time), -1)
        linear = self._linear(state, near)
        for c, slots in enumerate(state.slot):
            order = np.argsort(slots, kind="stable")[: self.first[c + 1] - self.first[c]]  # picks are sorted, NaN is last
            event[self.first[c] : self.first[c + 1]] = np.where(order < self.n_events, order, -1)
        known = linear.design[~np.isnan(state.slot[:, : self.n_events].T).ravel()] / max(residual, state.misfit)
        covariance: Floats = np.linalg.inv(known.T @ known + np.diag(linear.precision)).astype(np.float64)
        size = len(state.code)
        return Annealed(state.events, event, state.code, covariance[-size:, -size:], state.misfit)

    def _moves(self, rng: np.random.Generator) -> Ints:
        """Channels, events, and other slots that are events' or have picks: no pick is exchanged with nothing at all."""
        n = MOVES * self.n_events * len(self.channels)
        channel, event = rng.integers(0, len(self.channels), n), rng.integers(0, self.n_events, n)
        slots = np.maximum(np.diff(self.first), self.n_events)[channel]
        other = (event + 1 + np.floor((slots - 1) * rng.random(n)).astype(int)) % slots
        moves: Ints = np.stack([channel, event, other], axis=1)
        chosen: Ints = moves[event != other]
        return chosen

    def _linear(self, state: State, near: Near) -> _Linear:
        """Data are in the order of events, then channels; unknowns are those of each event, then the code."""
        n, size = self.n_events, len(state.code)
        travel, gradient = near.channels.travel_times(state.events.x)
        design = np.zeros((n, len(self.channels), 4 * n + size))
        for i in range(n):
            design[i, :, 4 * i : 4 * i + 3], design[i, :, 4 * i + 3] = gradient[i], 1
        design[..., 4 * n :] = near.derivatives.at(state.events.x)
        travel = travel + design[..., 4 * n :] @ (state.code - near.code)
        place, step = 1 / (REGION * self.side) ** 2, 1 / (TRUST * self.side) ** 2
        middle = (self.rules.lower + self.rules.upper) / 2
        here = np.column_stack([state.events.x - middle, np.zeros(n)]).ravel()
        return _Linear(
            (state.events.time[:, None] + travel).ravel(),
            design.reshape(-1, 4 * n + size),
            np.append(np.tile(np.append(place, FREE), n), np.ones(size)),
            np.append(np.tile(np.append(step, FREE), n), np.full(size, TRUST_CODE**-2)),
            np.append(here, state.code),
        )

    def _stepped(self, state: State, step: Floats) -> State:
        """Events and code after a step, no longer than is trusted."""
        of_events, of_code = step[: 4 * self.n_events].reshape(-1, 4), step[4 * self.n_events :]
        longest = np.abs(of_events[:, :3] / (TRUST * self.side)).max(axis=1)
        of_events = of_events / np.maximum(longest, 1)[:, None]
        of_code = of_code / max(np.abs(of_code).max(initial=0) / TRUST_CODE, 1)
        x = np.clip(state.events.x + of_events[:, :3], self.rules.lower, self.rules.upper)
        events = state.events._replace(x=x, time=state.events.time + of_events[:, 3])
        return state._replace(events=events, code=state.code + of_code)
