"""Association of synthetic records, whose events are known: what is found, what changes nothing, and how sure it is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from vip.forward.association.record.windows import joined, whole, windows
from vip.forward.association.trials.crossing import crossing, found, uniform
from vip.forward.association.trials.measures import accuracy
from vip.forward.association.trials.synthetic import LAYERS
from vip.forward.association.window.associate import associate
from vip.forward.association.window.chance import local_rates
from vip.forward.association.window.channels import Arrivals, Channels
from vip.forward.association.window.fit import Events, Rules
from vip.forward.association.window.joint import Joint
from vip.forward.association.window.search import grid
from vip.forward.earthquakes.frames import velocity_from
from vip.forward.earthquakes.traveltimes.tables import Box, Solver, default_cache
from vip.kernels_c.timetables import TimeTables

BOX = np.zeros(3), np.array([100.0, 100.0, 20.0])
SIGMA = 0.1
LAYERED = velocity_from(LAYERS)


def network(rng, n=20, velocities=None):
    """Channels of stations at random places on the surface, in a homogeneous medium."""
    velocities = velocities or {"P": 6.0, "S": 3.5}
    place = np.column_stack([rng.uniform(0, 100, (n, 2)), np.zeros(n)])
    phases, station = np.repeat(list(velocities), n), np.tile(np.arange(n), len(velocities))
    slowness = 1 / np.repeat(list(velocities.values()), n)
    tables = TimeTables(np.tile(slowness[:, None, None], (1, 20, 20)), place[station], [0, -5], [15, 7])
    return Channels(station, phases, place[station], tables, np.zeros(len(phases)))


def record(rng, channels, n_events, length, sigma=SIGMA, missing=0.1, false=0.1, box=BOX):
    """Picks of events at random, some of them missing, others by chance; and the event of each, or -1."""
    x, origin = rng.uniform(*box, (n_events, 3)), np.sort(rng.uniform(0, length, n_events))
    time = origin[:, None] + channels.travel_times(x)[0]
    event, channel = np.nonzero(rng.random(time.shape) >= missing)
    noise = rng.poisson(false * len(event))
    time = np.append(time[event, channel] + sigma * rng.standard_normal(len(event)), rng.uniform(0, length, noise))
    channel = np.append(channel, rng.integers(0, len(channels), noise))
    event = np.append(event, np.full(noise, -1))
    order = np.lexsort((time, channel))
    picks = Arrivals(channel[order], time[order], np.full(len(order), max(sigma, 0.01)), np.zeros(len(order)))
    return picks, event[order], (x, origin)


def rules_of(n_events, length, box=BOX, detection=0.9):
    return Rules(*box, detection, n_events / (length * np.prod(box[1] - box[0])), 5)


def shared(found, event):
    """For each event that was found, the true one of most of its picks, or -1, and the share of them."""
    truth, share = [], []
    for i in range(len(found.events.time)):
        own = event[found.event == i]
        names, counts = np.unique(own[own >= 0], return_counts=True)
        truth.append(names[counts.argmax()] if len(names) else -1)
        share.append(counts.max(initial=0) / len(own))
    return np.array(truth), np.array(share)


@pytest.fixture(scope="module")
def hour():
    """Twenty events in ten minutes, and what is found."""
    rng = np.random.default_rng(0)
    channels, rules = network(rng), rules_of(20, 600)
    picks, event, truth = record(rng, channels, 20, 600)
    nodes = grid(channels, rules, 6.0)
    return channels, rules, nodes, picks, event, truth, associate(picks, channels, nodes, rules)


def test_every_event_is_found_once_with_its_picks(hour):
    *_, event, (x, origin), found = hour
    names, share = shared(found, event)
    assert sorted(names) == list(range(20))
    assert share.min() > 0.9
    assert_allclose(found.events.time, origin[names], atol=0.5)
    assert_allclose(found.events.x[:, :2], x[names, :2], atol=2)
    assert (found.evidence > 0).all()
    right = np.mean(names[found.event[found.event >= 0]] == event[found.event >= 0])
    assert right > 0.98


@pytest.mark.parametrize("seed", range(3))
def test_arrivals_in_another_order_at_every_station(seed):
    """Eight events within four seconds, whose waves take up to twenty: the regime of Shi et al. (2024), at a known speed."""
    window = crossing(np.random.default_rng(seed), uniform())
    assert accuracy(found(window), window.event) == 1


def test_what_is_said_to_be_sure_is_right_so_often():
    """Five hundred events an hour, three picks in ten by chance: shares of right picks by their probability."""
    said, right = [], []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        channels, rules = network(rng, 20), rules_of(60, 430)
        picks, event, _ = record(rng, channels, 60, 430, false=0.4)
        found = associate(picks, channels, grid(channels, rules, 6.0), rules)
        own, (names, _) = found.event >= 0, shared(found, event)
        said.append(found.probability[own])
        right.append(names[found.event[own]] == event[own])
    said, right = np.concatenate(said), np.concatenate(right)
    for low, high in ((0, 0.7), (0.7, 0.95), (0.95, 1.01)):
        inside = (said >= low) & (said < high)
        expected, n = said[inside].mean(), inside.sum()
        error = np.sqrt(expected * (1 - expected) / n)
        assert abs(right[inside].mean() - expected) < 4 * error + 0.01, (low, n)


def test_order_and_origin_of_time_change_nothing(hour):
    channels, rules, nodes, picks, *_, found = hour
    later = associate(picks._replace(time=picks.time + 4096.0), channels, nodes, rules)
    assert_array_equal(later.event, found.event)
    assert_allclose(later.events.time - 4096, found.events.time, atol=1e-6)
    n = len(channels)
    turned = np.random.default_rng(1).permutation(n)
    other = Channels(
        channels.station[turned],
        channels.phase[turned],
        channels.place[turned],
        TimeTables(
            1 / np.where(channels.phase[turned] == "P", 6.0, 3.5)[:, None, None] * np.ones((n, 20, 20)),
            channels.place[turned],
            [0, -5],
            [15, 7],
        ),
        channels.correction[turned],
    )
    moved = np.argsort(turned)[picks.channel]
    order = np.lexsort((picks.time, moved))
    permuted = associate(picks._replace(channel=moved).of(order), other, grid(other, rules, 6.0), rules)
    assert_array_equal(np.sort(permuted.events.time.round(2)), np.sort(found.events.time.round(2)))


def test_threads_change_nothing(hour):
    channels, rules, nodes, picks, *_, found = hour
    for a, b in zip(associate(picks, channels, nodes, rules, threads=3)[1:], found[1:], strict=True):
        assert_array_equal(a, b)


def test_windows_that_are_resumed_are_those_of_one_go():
    rng = np.random.default_rng(3)
    channels, rules = network(rng, 12), rules_of(30, 1500)
    picks, event, _ = record(rng, channels, 30, 1500)
    nodes = grid(channels, rules, 8.0)
    found = whole(picks, channels, nodes, rules)
    names, _ = shared(found, event)
    assert sorted(names) == list(range(30))
    parts = list(windows(picks, channels, nodes, rules))
    first = parts[:2]
    taken = joined(first, len(event)).event >= 0
    rest = list(windows(picks, channels, nodes, rules, done=first[-1].number, taken=taken))
    for a, b in zip(joined(first + rest, len(event))[1:], found[1:], strict=True):
        assert_array_equal(a, b)


def test_nothing_and_chance_alone_are_no_events(hour):
    channels, rules, nodes, *_ = hour
    empty = Arrivals(np.zeros(0, int), *(np.zeros(0) for _ in range(3)))
    for nothing in (associate(empty, channels, nodes, rules), whole(empty, channels, nodes, rules)):
        assert len(nothing.events.time) == len(nothing.event) == 0
    rng = np.random.default_rng(4)
    picks, *_ = record(rng, channels, 1, 600, missing=1.0, false=0)
    channel, time = rng.integers(0, len(channels), 400), rng.uniform(0, 600, 400)
    order = np.lexsort((time, channel))
    picks = Arrivals(channel[order], time[order], np.full(400, SIGMA), np.zeros(400))
    found = associate(picks, channels, nodes, rules)
    assert len(found.events.time) <= 1
    assert (found.probability[found.event < 0] > 0.5).all()


def test_one_event_and_a_pick_that_is_there_twice():
    rng = np.random.default_rng(5)
    channels, rules = network(rng), rules_of(1, 60)
    picks, *_ = record(rng, channels, 1, 10, missing=0, false=0)
    nodes = grid(channels, rules, 6.0)
    assert (associate(picks, channels, nodes, rules).event == 0).all()
    twice = Arrivals(*(np.insert(column, 7, column[7]) for column in picks))
    found = associate(twice, channels, nodes, rules)
    assert len(found.events.time) == 1
    assert sorted(found.event[[7, 8]]) == [-1, 0]
    assert_allclose(found.probability[[7, 8]], 0.5, atol=0.01)


def test_two_events_that_share_the_arrivals_of_half_of_the_stations():
    rng = np.random.default_rng(6)
    channels, rules = network(rng), rules_of(2, 60)
    x = np.array([[30.0, 50.0, 8.0], [70.0, 50.0, 8.0]])
    time = np.array([20.0, 20.0])[:, None] + channels.travel_times(x)[0]
    time[1, ::2] = time[0, ::2]  # one pick for both
    event, channel = np.nonzero(np.stack([np.ones(len(channels), bool), np.arange(len(channels)) % 2 == 1]))
    order = np.lexsort((time[event, channel], channel))
    picks = Arrivals(channel[order], time[event, channel][order], np.full(len(order), SIGMA), np.zeros(len(order)))
    found = associate(picks, channels, grid(channels, rules, 6.0), rules)
    names, share = shared(found, event[order])
    assert sorted(names) == [0, 1]
    assert share.min() > 0.95


def test_no_s_comes_before_its_p(hour):
    """Waves of a place below a station: errors of picks larger than the time between them."""
    channels, rules, *_ = hour
    picks, event, (x, origin) = record(np.random.default_rng(8), channels, 6, 300, sigma=0.4, missing=0, false=0)
    found = associate(picks._replace(sigma=np.full(len(event), 0.4)), channels, grid(channels, rules, 6.0), rules)
    station, phase = channels.station[picks.channel], channels.phase[picks.channel]
    for i in range(len(found.events.time)):
        for s in range(20):
            own = (found.event == i) & (station == s)
            if own.sum() == 2:
                assert picks.time[own & (phase == "S")] > picks.time[own & (phase == "P")]
    assert len(x) == len(origin) == len(found.events.time)


@pytest.mark.parametrize("start", [1.0, 2.5, 5.0, 12.0])
def test_an_event_is_found_on_the_other_side_of_a_jump_of_velocity(start):
    """A step of Gauss-Newton knows the velocities on its own side alone: it goes back and forth, or ends in a minimum there."""
    rng = np.random.default_rng(5)
    place = np.column_stack([rng.uniform(0, 60, (15, 2)), np.zeros(15)])
    stations, phases = np.tile(place, (2, 1)), ["P"] * 15 + ["S"] * 15
    tables = Solver(Box(np.zeros(3), np.array([60.0, 60, 20])), 0.5, default_cache()).layered(LAYERED, phases, stations)
    channels = Channels(np.tile(np.arange(15), 2), np.array(phases), stations, tables, np.zeros(30))
    rules, true = rules_of(1, 600, (np.zeros(3), np.array([60.0, 60, 20]))), np.array([[31.0, 24.0, 8.0]])
    time = 100 + channels.travel_times(true)[0][0] + 0.05 * rng.standard_normal(30)
    picks = Arrivals(np.arange(30), time, np.full(30, 0.1), np.zeros(30))
    joint = Joint(picks, np.full(30, np.log(1e-3)), channels, rules)
    begun = joint.solve(Events(np.append(true[:, :2], [[start]], axis=1), np.array([100.0]), np.array([30])))
    found = joint.at_best_depths(begun)
    assert_allclose(found.events.x, true, atol=0.6)
    assert (found.match >= 0).all()


def test_arrivals_that_crowd_at_a_channel_lose_unlikely_pairs_only(hour):
    """Seventeen events in one place are more than can be summed over; elsewhere nothing is lost."""
    channels, rules, _, picks, *_, found = hour
    joint = Joint(picks, np.log(local_rates(picks, channels, found.event < 0, 600.0)), channels, rules)
    arrived = joint.arrived(found.events)
    event, pick, probability = joint.probabilities(arrived)
    first, expected_pick, expected = joint.matching(arrived).probabilities()
    assert_array_equal(event, np.repeat(arrived.event, np.diff(first)))
    assert_array_equal(pick, expected_pick)
    assert_array_equal(probability, expected)
    crowd = joint.arrived(found.events.of(np.zeros(17, int)))
    with pytest.raises(OverflowError):
        joint.matching(crowd).probabilities()
    event, pick, probability = joint.probabilities(crowd)
    assert len(event) == len(pick) == len(probability)
    assert ((probability >= 0) & (probability <= 1)).all()
