"""Speeds that are not known: the joint fit against closed forms and dense solves, and what is found in synthetic records."""

import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import vip
from vip.errors import ConfigError
from vip.forward.association.speed.code import Fixed, Layers, layers, principal
from vip.forward.association.speed.shared import Normal, linear, together
from vip.forward.association.speed.times import TimesOfCode
from vip.forward.association.speed.together import Unknown, learn_speed, unresolved
from vip.forward.association.trials.synthetic import write_example
from vip.forward.association.window.associate import associate
from vip.forward.association.window.channels import Arrivals, Channels
from vip.forward.association.window.fit import Events, Rules
from vip.forward.association.window.search import grid
from vip.forward.earthquakes.frames import stations_from, velocity_from
from vip.forward.earthquakes.traveltimes.tables import Box, Solver
from vip.forward.earthquakes.velocity import Grid3D, Layered

CUBE = Box(np.zeros(3), np.full(3, 100.0))
GIVEN = {"margin": 25.0, "depth": (0.0, 20.0), "spacing": 10.0, "detection": 0.9, "threads": 1}
"""Parameters that make an association of a small record fast."""


def model(tops, vp, ratio=None, between="constant"):
    """Layers from lists."""
    velocity = {"P": np.array(vp, float)}
    if ratio:
        velocity["S"] = velocity["P"] / ratio
    slopes = {phase: np.append(np.diff(v) / np.diff(tops), 0.0) for phase, v in velocity.items()}
    gradient = slopes if between == "linear" else {phase: 0 * v for phase, v in velocity.items()}
    return Layered(np.array(tops, float), velocity, gradient)


def channels_at(place, phases="P"):
    """Channels without tables: one of each phase at each place."""
    n = len(place)
    station, phase = np.tile(np.arange(n), len(phases)), np.repeat(list(phases), n)
    return Channels(station, phase, place[station], None, np.zeros(len(phase)))


def on_the_surface(rng, n):
    return np.column_stack([rng.uniform(0, 100, (n, 2)), np.zeros(n)])


def record(rng, channels, x, origin, sigma):
    """All arrivals as picks, and the event of each."""
    time = origin[:, None] + channels.travel_times(x)[0]
    event, channel = np.nonzero(np.ones(time.shape, bool))
    time = time[event, channel] + sigma * rng.standard_normal(len(event))
    order = np.lexsort((time, channel))
    picks = Arrivals(channel[order], time[order], np.full(len(order), max(sigma, 0.02)), np.zeros(len(order)))
    return picks, event[order]


@pytest.fixture(scope="module")
def crowd():
    """Eight events within a second, whose waves take up to twenty, and two unknown numbers of the speed."""
    rng = np.random.default_rng(7)
    family = Layers(model([0, 100], [7, 14], between="linear"), 0.2 * np.eye(2), "linear")
    times = TimesOfCode(family, Solver(CUBE, 3.0, None))
    channels, code = channels_at(on_the_surface(rng, 20)), np.array([1.2, -0.8])
    x, origin = rng.uniform(0, 100, (8, 3)), rng.uniform(0, 1, 8)
    known = times.at(channels, code)
    picks, event = record(rng, known, x, origin, 0.0)
    rules = Rules(*CUBE, 0.99, 8 / 1e6, 5)
    return times, channels, code, picks, event, rules, (x, origin)


# Least squares


def test_the_schur_complement_solves_what_a_dense_solve_does():
    rng = np.random.default_rng(0)
    n, size = 3, 5
    design, right = rng.standard_normal((60, 4 * n + size)), rng.standard_normal(60)
    event = np.repeat(np.arange(n), 20)
    for i in range(n):  # a row has the unknowns of one event
        design[event != i, 4 * i : 4 * i + 4] = 0
    dense = design.T @ design
    blocks = [slice(4 * i, 4 * i + 4) for i in range(n)]
    normal = Normal(
        np.stack([dense[b, b] for b in blocks]),
        np.stack([dense[b, 4 * n :] for b in blocks]),
        dense[4 * n :, 4 * n :],
        np.stack([(design.T @ right)[b] for b in blocks]),
        (design.T @ right)[4 * n :],
    )
    own, shared, covariance = normal.solved()
    expected = np.linalg.solve(dense, design.T @ right)
    assert_allclose(np.append(own, shared), expected, atol=1e-10)
    assert_allclose(covariance, np.linalg.inv(dense)[4 * n :, 4 * n :], atol=1e-10)


def test_slowness_and_its_variance_where_places_are_known():
    """Times against distances with an intercept for each event, its origin time: the slope is the slowness."""
    rng = np.random.default_rng(1)
    v, scatter, sigma = 6.0, 0.5, 0.05
    times = TimesOfCode(Layers(model([0], [v]), np.array([[scatter]]), "constant"), Solver(CUBE, 5.0, None))
    place, x, origin = on_the_surface(rng, 15), rng.uniform(20, 80, (4, 3)), rng.uniform(0, 5, 4)
    near = times.near(channels_at(place), np.zeros(1))
    picks, event = record(rng, times.at(channels_at(place), np.array([0.01])), x, origin, sigma)
    distance = np.linalg.norm(x[event] - place[picks.channel], axis=1)
    off, late = (values - np.array([values[event == i].mean() for i in range(4)])[event] for values in (distance, picks.time))
    slope = off @ late / (off @ off)
    normal = linear(Events(x, origin, np.full(4, 15)), event, picks, near, np.zeros(1)).normal(event, picks.sigma, 4)
    known = np.diag([1e12, 1e12, 1e12, 0])  # precision of places
    step, code, covariance = normal._replace(own=normal.own + known, shared=normal.shared + np.eye(1)).solved()
    by_code, information = scatter / v, off @ off / sigma**2  # a code of -1 makes the slowness so much larger
    expected = 1 / (information + 1 / by_code**2)
    assert expected == pytest.approx(sigma**2 / (off @ off), rel=0.01)
    assert covariance[0, 0] * by_code**2 == pytest.approx(expected, rel=0.01)
    assert -code[0] * by_code == pytest.approx((slope - 1 / v) * information * expected, rel=0.01)
    assert_allclose(step[:, :3], 0, atol=1e-6)


def test_derivatives_are_those_of_differences():
    """Three layers with P, S and ratios; times of P do not change with the ratio."""
    rng = np.random.default_rng(2)
    family = layers(model([0, 20, 50], [5, 6, 7.5], ratio=1.75), 0.1)
    times = TimesOfCode(family, Solver(CUBE, 2.0, None))
    channels, x = channels_at(on_the_surface(rng, 6), "PS"), rng.uniform(10, 90, (5, 3))
    code = 0.5 * rng.standard_normal(family.size)
    found = times.near(channels, code).derivatives.at(x)
    for k, step in enumerate(0.1 * np.eye(family.size)):
        later, before = (times.at(channels, code + sign * step).travel_times(x)[0] for sign in (1, -1))
        assert_allclose(found[..., k], (later - before) / 0.2, atol=0.01 * np.abs(found[..., k]).max() + 1e-4)
    ratios = slice(family.size // 2, None)
    assert (found[:, :6, ratios] == 0).all()
    assert (found[:, 6:, family.size // 2] > 0).all() or (found[:, 6:, family.size // 2] < 0).all()


def test_the_order_of_events_changes_nothing(crowd):
    times, channels, code, picks, event, rules, (x, origin) = crowd
    near = times.near(channels, code + 0.1)
    events = Events(x, origin, np.full(8, 20))
    prior = np.ones(2)
    shared, covariance = together(events, event, picks, near, near.code, prior, rules)
    turned = np.random.default_rng(3).permutation(8)
    again = together(events.of(turned), np.argsort(turned)[event], picks, near, near.code, prior, rules)
    assert_allclose(again[0], shared, rtol=1e-8)
    assert_allclose(again[1], covariance, rtol=1e-8)
    assert_allclose(shared, code, atol=0.05)


# What is found


def test_speed_and_association_where_waves_arrive_in_another_order_at_every_station(crowd):
    times, channels, code, picks, event, rules, _ = crowd
    found = learn_speed(picks, channels, rules, 5.0, Unknown(times))
    sigma = np.sqrt(np.diag(found.covariance))
    assert (sigma < 0.3).all()
    assert (np.abs(found.code - code) < 3 * sigma).all()
    owner = associate(picks, found.channels, grid(found.channels, rules, 5.0), rules).event
    table = np.zeros((8, 8), int)
    np.add.at(table, (event, owner), 1)
    assert sorted(table.max(axis=1)) == [20] * 8
    threads = learn_speed(picks, channels, rules, 5.0, Unknown(times), threads=3)
    assert_array_equal(threads.code, found.code)


def test_a_correction_may_be_longer_than_the_way_from_a_node(crowd):
    times, channels, code, *_, rules, _ = crowd
    early = times.at(Channels(channels.station, channels.phase, channels.place, None, np.full(20, -5.0)), code)
    assert grid(early, rules, 10.0).delay.min() == 0


def test_what_events_take_up_is_not_left_as_a_tolerance(crowd):
    """Where all stations are at one distance from every event, a speed is an origin time."""
    times, channels, _, _, _, rules, _ = crowd
    near = times.near(channels, np.zeros(2))
    width = unresolved(near, rules, np.ones(2))
    spread = near.derivatives.at(np.full((1, 3), 50.0)).std()
    assert 0 < width < spread / 2


def test_volumes_by_their_principal_components():
    """Slow and fast bodies in an ensemble; one that is not of it is found by three numbers, with all associations."""
    rng, axis = np.random.default_rng(11), np.linspace(0, 100, 9)
    y, x, depth = np.meshgrid(axis, axis, axis, indexing="ij")
    bodies = np.stack([np.exp(-((x - a) ** 2 + (y - b) ** 2 + (depth - 20) ** 2) / 2 / 30**2) for a, b in ((20, 30), (80, 70))])
    shapes = np.concatenate([np.ones((1, 9, 9, 9)), bodies])

    def drawn():
        return Grid3D((axis,) * 3, {"P": 7 * np.exp(0.1 * np.tensordot(rng.standard_normal(3), shapes, 1))}, False)

    family = principal([drawn() for _ in range(40)], 3)
    times, true = TimesOfCode(family, Solver(CUBE, 6.0, None)), drawn()
    channels, rules = channels_at(on_the_surface(rng, 15)), Rules(*CUBE, 0.99, 10 / 4e7, 5)
    known = TimesOfCode(Fixed(true), times.solver).at(channels, np.zeros(0))
    picks, event = record(rng, known, rng.uniform(0, 100, (10, 3)), rng.uniform(0, 40, 10), 0.0)
    found = learn_speed(picks, channels, rules, 8.0, Unknown(times))
    off, before = (
        np.std(np.log(true.velocity["P"]) - f) for f in (np.log(family.model(found.code).velocity["P"]), family.mean["P"])
    )
    assert off < 0.1 * before
    owner = associate(picks, found.channels, grid(found.channels, rules, 8.0), rules).event
    assert len(set(zip(owner, event, strict=True))) == len(set(owner)) == 10


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Fourteen events in seven minutes at twelve stations."""
    folder = tmp_path_factory.mktemp("example")
    write_example(folder, 5, events=14, stations=12, length=400.0)
    return {name: pd.read_csv(folder / f"{name}.csv") for name in ("picks", "stations", "velocity")}


def test_speeds_of_layers_and_what_is_said_of_their_errors(tables):
    slow = tables["velocity"].assign(vp=tables["velocity"]["vp"] * 0.92, vs=tables["velocity"]["vs"] * 0.86)
    found = vip.associate(tables["picks"], tables["stations"], slow, speed_sigma=0.1, sigma=0.1, **GIVEN)
    assert len(found.events) == 14
    assert found.speed["depth"].tolist() == tables["velocity"]["depth"].tolist()
    for name in ("vp", "vs"):
        off = (found.speed[name] - tables["velocity"][name]) / found.speed[f"sigma_{name}"]
        assert np.abs(off[:3]).max() < 3.5
        assert found.speed[f"sigma_{name}"].iloc[1] < 0.03 * found.speed[name].iloc[1]
    assert found.stations is None


def test_corrections_of_a_station_are_learned_and_are_input_again(tables):
    """Picks of one station are late: its corrections say so, and the table of stations is one that an association reads."""
    picks = tables["picks"].copy()
    late = picks["station"] == "XX.S04"
    picks.loc[late, "time"] = (pd.to_datetime(picks.loc[late, "time"]) + pd.Timedelta("0.5s")).dt.strftime(
        "%Y-%m-%dT%H:%M:%S.%fZ"
    )
    found = vip.associate(picks, tables["stations"], tables["velocity"], correction_sigma=0.3, sigma=0.1, **GIVEN)
    assert found.speed is None
    of_station = found.stations.set_index("station")
    for phase in ("p", "s"):
        correction, sigma = of_station[f"correction_{phase}"], of_station[f"sigma_{phase}"]
        others = correction.drop("XX.S04")
        assert correction["XX.S04"] - others.mean() == pytest.approx(0.5, abs=0.1)
        assert (np.abs(others - others.mean()) < 4 * sigma.drop("XX.S04")).all()
    again = vip.associate(picks, found.stations, tables["velocity"], sigma=0.1, **GIVEN)
    assert again.assignments["event"].tolist() == found.assignments["event"].tolist()
    assert again.speed is again.stations is None


def test_families_have_their_mean_at_zero_and_stay_what_they_were():
    """A gradient stays continuous, layers stay constant, and one of an ensemble of volumes is found again."""
    gradual = model([0, 10, 40], [5, 6, 8], ratio=1.8, between="linear")
    family = layers(gradual, 0.1, "linear")
    assert_allclose(family.model(np.zeros(family.size)).velocity["S"], gradual.velocity["S"])
    other = family.model(np.full(family.size, 1.0))
    for phase in ("P", "S"):
        below, above = other.at(phase, np.array([10.0, 40.0])), other.at(phase, np.array([10.0, 40.0]) - 1e-9)
        assert_allclose(below, above, rtol=1e-6)
    constant = layers(model([0, 10], [5, 6]), 0.1)
    assert (constant.model(np.ones(constant.size)).gradient["P"] == 0).all()
    axis, rng = np.linspace(0, 10, 4), np.random.default_rng(4)
    shapes, code = rng.standard_normal((2, 4, 4, 4)), rng.standard_normal((30, 2))
    volumes = [Grid3D((axis,) * 3, {"P": 6 * np.exp(0.1 * np.tensordot(c, shapes, 1))}, False) for c in code]
    ensemble = principal(volumes, 2)
    modes = ensemble.modes["P"].reshape(2, -1)
    off = np.log(volumes[7].velocity["P"]) - ensemble.mean["P"]
    again = ensemble.model(np.linalg.lstsq(modes.T, off.ravel(), rcond=None)[0])
    assert_allclose(again.velocity["P"], volumes[7].velocity["P"])
    projected = np.stack([modes @ (np.log(v.velocity["P"]) - ensemble.mean["P"]).ravel() for v in volumes]) / (modes**2).sum(
        axis=1
    )
    assert_allclose(np.cov(projected.T), np.eye(2), atol=1e-8)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"speed_sigma": 0.0}, "speed_sigma"),
        ({"speed_sigma": 5.0}, "speed_sigma"),
        ({"correction_sigma": -1.0}, "correction_sigma"),
    ],
)
def test_standard_deviations_that_are_none(tables, changes, key):
    with pytest.raises(ConfigError, match=key):
        vip.associate(*tables.values(), **changes, **GIVEN)


def test_the_command_writes_what_it_learns(tmp_path):
    """Picks of P alone: ratios stay as they were before."""
    write_example(tmp_path, 3, events=5, stations=8, length=150.0)
    picks, given = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("picks", "velocity"))
    picks[picks["phase"] == "P"].to_csv(tmp_path / "p.csv", index=False)
    output = tmp_path / "c.csv"
    options = "--margin 25 --depth 0 20 --sigma 0.1 --detection 0.9 --threads 1 --speed-sigma 0.1 --correction-sigma 0.1"
    files = [tmp_path / "p.csv", "-o", output, "--stations", tmp_path / "stations.csv", "--velocity", tmp_path / "velocity.csv"]
    line = [sys.executable, "-c", "from vip.cli.main import main; main()", "associate", *map(str, files), *options.split()]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    learned, stations = velocity_from(tmp_path / "c_velocity.csv"), stations_from(tmp_path / "c_stations.csv")
    assert_allclose(learned.velocity["P"] / learned.velocity["S"], given["vp"] / given["vs"], rtol=1e-4)
    assert not np.array_equal(learned.velocity["P"], given["vp"])
    assert len(stations.names) == 8
    assert np.abs(stations.corrections["P"]).max() > 0
    kept = (tmp_path / "c_velocity.csv").read_bytes()
    again = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert "was finished before" in again.stdout
    assert (tmp_path / "c_velocity.csv").read_bytes() == kept
    stopped = tmp_path / "stopped.csv"
    line[line.index(str(output))] = str(stopped)
    for signal_sent, seen, code in ((signal.SIGINT, "picks/0.npz", 130), (signal.SIGKILL, "times/speed.csv", -signal.SIGKILL)):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (tmp_path / "stopped.run" / seen).exists():
            time.sleep(0.002)
        process.send_signal(signal_sent)
        assert process.wait(60) == code
        assert not list((tmp_path / "stopped.run").glob("windows/*"))  # it was not past learning
    subprocess.run(line, capture_output=True, timeout=300, check=True)
    for name in (".csv", "_assignments.csv", "_velocity.csv", "_stations.csv"):
        assert (tmp_path / f"stopped{name}").read_bytes() == (tmp_path / f"c{name}").read_bytes()
    (tmp_path / "velocity.csv").write_text((tmp_path / "velocity.csv").read_text() + "\n")
    changed = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert "velocity.csv is not what it was" in changed.stderr
    other = subprocess.run([*line[:-1], "0.2"], capture_output=True, text=True, timeout=300, check=False)
    assert "correction_sigma" in other.stderr
    assert "--overwrite" in other.stderr
