"""Speeds in three dimensions that are not known: rays against closed forms, cut shapes found again, annealing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from vip.forward.association.speed.annealing import Annealing, State, _Window, anneal
from vip.forward.association.speed.code import Limited, limited
from vip.forward.association.speed.crowded import learn_crowded
from vip.forward.association.speed.rays import PARTS, AlongRays, rays
from vip.forward.association.speed.times import TimesOfCode
from vip.forward.association.speed.together import Unknown
from vip.forward.association.trials import speeds
from vip.forward.association.trials.crossing import SIDE, Crossing, channels_in, crossing, gradient, solver_of
from vip.forward.association.trials.measures import accuracy
from vip.forward.association.trials.speeds import LARGEST, LIMITS, NODES, patterns, perturbed
from vip.forward.association.window.channels import Arrivals
from vip.forward.earthquakes.velocity import Grid3D

AXIS = np.linspace(0, SIDE, 11)
DEPTH = np.broadcast_to(AXIS, (11, 11, 11))


def rising(low, high):
    """Speeds that rise with depth, one number for the whole and one for the rise."""
    shapes = np.stack([np.ones(DEPTH.shape), DEPTH / SIDE])
    return Limited((AXIS,) * 3, {"P": low + (high - low) * DEPTH / SIDE}, {"P": shapes}, (1.0, 50.0), False)


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(0)
    return np.column_stack([rng.uniform(5, 95, (5, 2)), np.zeros(5)]), rng.uniform(5, 95, (6, 3))


# Rays


def test_rays_in_a_rise_are_circles(places):
    """With the centre at the height where the speed would be nothing: 25 km above the top."""
    stations, x = places
    channels = channels_in(rising(5, 25).model(np.zeros(2)), stations, 4.0)
    channel = np.tile(np.arange(5), 6)
    found = rays(channels, np.repeat(x, 5, axis=0), channel)
    assert found.shape == (30, PARTS + 1, 3)
    assert_allclose(found[:, 0], np.repeat(x, 5, axis=0))
    assert_allclose(found[:, -1], stations[channel])
    across = np.linalg.norm(found[..., :2] - stations[channel, None, :2], axis=2)
    height = found[..., 2] + 25
    middle = (across[:, 0] ** 2 + height[:, 0] ** 2 - 25**2) / (2 * across[:, 0])
    radius = np.hypot(across - middle[:, None], height)
    assert_allclose(radius, np.broadcast_to(radius[:, :1], radius.shape), atol=1.5)


def test_times_change_with_a_rise_as_in_closed_form(places):
    stations, x = places
    family, code, step = rising(5, 20), np.array([0.5, -1.0]), 1e-4
    times = TimesOfCode(family, solver_of(4.0))
    near = times.near(channels_in(family.model(code), stations, 4.0), code)
    assert isinstance(near.derivatives, AlongRays)
    found = near.derivatives.at(x)
    for k, change in enumerate(step * np.eye(2)):
        later, before = (gradient(5 + c[0], 20 + c[0] + c[1])(x, stations) for c in (code + change, code - change))
        expected = (later - before) / (2 * step)
        assert_allclose(found[..., k], expected, rtol=0.03)


def test_a_speed_at_its_limit_changes_no_time(places):
    stations, x = places
    family = rising(5, 5)._replace(limits=(8.0, 9.0))
    near = TimesOfCode(family, solver_of(8.0)).near(channels_in(family.model(np.zeros(2)), stations, 8.0), np.zeros(2))
    assert_array_equal(near.derivatives.at(x), 0)


# Families


def test_shapes_of_a_cut_ensemble_are_found_again():
    """Three shapes, and a third of the nodes are at a limit: three components say what thirty plain ones do not."""
    rng, shapes = np.random.default_rng(1), np.random.default_rng(2).standard_normal((3, 6, 6, 6))
    axis = np.linspace(0, 10, 6)

    def drawn():
        return Grid3D((axis,) * 3, {"P": np.clip(6 + np.tensordot(rng.standard_normal(3), shapes, 1), 5, 7.5)}, False)

    models = [drawn() for _ in range(80)]
    values = np.array([model.velocity["P"] for model in models])
    assert ((values == 5) | (values == 7.5)).mean() > 0.3
    family = limited(models, 3, (5.0, 7.5))
    true = np.concatenate([shapes, np.full((1, 6, 6, 6), 6.0)]).reshape(4, -1)
    for found in (*family.modes["P"], family.mean["P"]):
        left = found.ravel() - true.T @ np.linalg.lstsq(true.T, found.ravel(), rcond=None)[0]
        assert np.std(left) < 0.1 * np.std(found)
    assert_allclose(family.model(np.full(3, 9.0)).bounds("P"), (5.0, 7.5))


def test_speeds_of_the_paper():
    made = patterns(np.random.default_rng(3), 4)
    assert made.shapes.shape == (4, NODES, NODES, NODES)
    assert_allclose(made.shapes.min(axis=(1, 2, 3)), 0)
    assert_allclose(made.shapes.max(axis=(1, 2, 3)), LARGEST)
    steps = np.diff(made.shapes, axis=3).std()
    assert steps < 0.5 * made.shapes.std()  # neighbours are alike
    rng = np.random.default_rng(4)
    for model in (made.draw(rng), perturbed(rng)):
        low, high = model.bounds("P")
        assert LIMITS[0] <= low < high <= LIMITS[1]
        top, bottom = model.velocity["P"].mean(axis=(0, 1))[[0, -1]]
        assert top < bottom


# Annealing


@pytest.fixture(scope="module")
def window() -> tuple[Crossing, TimesOfCode]:
    """Four events within a second at nine stations, and two unknown numbers of the speed."""
    family = rising(6, 14)
    true = family.model(np.array([0.8, 1.5]))
    return crossing(np.random.default_rng(5), true, 4, 9, 1.0), TimesOfCode(family, solver_of(10.0))


SHORT = Annealing(starts=4, rounds=3, stages=10, residual=0.05)


@pytest.fixture(scope="module")
def found(window):
    known, times = window
    return anneal(known.picks, known.channels, known.rules, times, SHORT, 0, 4)


def test_crossing_events_and_the_speed_are_found(window, found):
    known, _ = window
    assert found.misfit < SHORT.residual
    assert accuracy(found.event, known.event) == 1
    off = found.code - [0.8, 1.5]
    assert off @ np.linalg.solve(found.covariance, off) < 9  # of two degrees of freedom: a chance of 1 %
    assert (np.sqrt(np.diag(found.covariance)) < 0.7).all()
    apart = np.linalg.norm(found.events.x[:, None] - known.events.x, axis=2)
    assert apart.min(axis=0).max() < 3


def test_missing_and_false_picks_are_left_over(window):
    """Five picks of events are lost, and two stations have one too many: what is left over is of no event."""
    _, times = window
    known = crossing(np.random.default_rng(5), times.family.model(np.array([0.8, 1.5])), 4, 14, 1.0)
    kept = np.sort(np.random.default_rng(6).permutation(len(known.event))[5:])
    picks, event = known.picks.of(kept), known.event[kept]
    more = np.flatnonzero(np.bincount(picks.channel, minlength=14) == 4)[:2]
    late = np.array([picks.time[picks.channel == c].max() + 3.0 for c in more])
    channel, time = np.append(picks.channel, more), np.append(picks.time, late)
    order = np.lexsort((time, channel))
    picks = Arrivals(channel[order], time[order], np.full(len(time), 0.01), np.zeros(len(time)))
    truth = np.append(event, [-1, -1])[order]
    found = anneal(picks, known.channels, known.rules, times, SHORT._replace(stages=14), 0, 4)
    assert found.misfit < SHORT.residual
    assert_array_equal(found.event < 0, truth < 0)
    assert accuracy(found.event, truth) == 1


def test_association_at_the_speed_that_annealing_found(window):
    """One short start leaves more than the picks' errors; what begins at its speed, with this as a tolerance, is no worse."""
    known, times = window
    search = SHORT._replace(starts=1, rounds=1)
    before = anneal(known.picks, known.channels, known.rules, times, search, 3, 4)
    after = learn_crowded(known.picks, known.channels, known.rules, 5.0, Unknown(times), search, 3, 4)
    assert after.misfit <= before.misfit
    assert accuracy(after.event, known.event) >= accuracy(before.event, known.event)
    assert len(after.events.time) == 4


def test_the_same_seed_gives_the_same_result(window):
    known, times = window
    short = SHORT._replace(starts=2, rounds=1, stages=4)
    one, same, other = (anneal(known.picks, known.channels, known.rules, times, short, seed, 4) for seed in (0, 0, 1))
    assert_array_equal(one.code, same.code)
    assert_array_equal(one.event, same.event)
    assert not np.array_equal(one.code, other.code)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tables_are_as_fine_as_picks_are_close(seed):
    """Sixteen events within a second in random fields: at a width below which order is lost, the truth fits to half of it.

    With a twelfth of the region between nodes, errors of tables are as large as the width, and the truth is lost among others.
    """
    field = np.swapaxes(patterns(np.random.default_rng(1), 1).shapes, 1, 2)
    family = Limited((np.linspace(0, SIDE, NODES),) * 3, {"P": speeds.rising()}, {"P": field}, LIMITS, False)
    known = crossing(np.random.default_rng(seed), family.model(np.array([0.7])), 16, 10, 1.0)
    window = _Window(known.picks, known.channels, known.rules, TimesOfCode(family, solver_of(2.5)), 16)
    slot = np.full((10, 16), np.nan)
    slot[known.picks.channel, known.event] = known.picks.time
    state, rng = State(known.events, np.array([0.7]), slot, slot.T.copy(), np.inf), np.random.default_rng(seed)
    for _ in range(2):
        state = window.stage(state, 0.16 * window.spacing, rng)
    assert state.misfit < 0.12 * window.spacing


def test_windows_in_which_nothing_crosses(window):
    """No picks, one event, no events: there is nothing to tell apart, and it says so."""
    known, times = window
    for picks, n_events, said in (
        (known.picks.of(np.zeros(0, int)), 4, "picks: 0, of which no channel"),
        (known.picks.of(known.event == 2), 1, "picks: 9, of which no channel"),
        (known.picks, 0, "n_events: 0"),
    ):
        with pytest.raises(ValueError, match=said):
            anneal(picks, known.channels, known.rules, times, SHORT, 0, n_events)


def test_more_events_and_fewer_than_there_are(window):
    """What is said of their number is kept: picks are shared among more, or are left over."""
    known, times = window
    short = SHORT._replace(starts=2, rounds=1, stages=6)
    more = anneal(known.picks, known.channels, known.rules, times, short, 0, 5)
    assert (more.event >= 0).all()
    fewer = anneal(known.picks, known.channels, known.rules, times, short, 0, 2)
    assert_array_equal(np.bincount(fewer.event + 1), [18, 9, 9])
    for found in (more, fewer):
        assert np.isfinite(found.events.x).all()
        assert np.isfinite(found.covariance).all()
