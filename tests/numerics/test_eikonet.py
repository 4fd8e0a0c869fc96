"""Networks of travel times, against closed forms, the eikonal solver, tables, and each other."""

import logging
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import vip
from vip.errors import ConfigError
from vip.forward.earthquakes.traveltimes.eikonet import times as wiring
from vip.forward.earthquakes.traveltimes.eikonet.times import NetworkTimes, medium_of, network_times
from vip.forward.earthquakes.traveltimes.tables import Box, Solver
from vip.forward.earthquakes.velocity import Grid3D, Layered
from vip.forward.hypocenter.synthetic import LAYERS, write_example
from vip.kernels_c.eikonal3d import solve

torch = pytest.importorskip("torch", reason="the extra 'neural' is not installed")
pytest.importorskip("safetensors", reason="the extra 'neural' is not installed")

from vip.forward.earthquakes.traveltimes.eikonet.network import AT_ONCE, EikoNet, Medium  # noqa: E402
from vip.forward.earthquakes.traveltimes.eikonet.training import train  # noqa: E402

LOWER, UPPER = np.array([-10.0, 5.0, -1.0]), np.array([50.0, 45.0, 20.0])
TOP, RISE = 4.0, 0.12
"""Velocity at depth 0, km/s, and what it gains with depth, 1/s."""
SHORT = 400
"""Steps, of"""
FEW = 512
"""pairs: a few seconds."""


def gradient_medium(a, b):
    """Times where velocity rises linearly with depth (e.g. Cerveny 2001, eq. 3.7.16)."""
    v0, v1 = TOP + RISE * a[:, 2], TOP + RISE * b[:, 2]
    return np.arccosh(1 + RISE**2 * ((a - b) ** 2).sum(axis=1) / (2 * v0 * v1)) / RISE


def places(n, seed=0, lower=LOWER, upper=UPPER):
    """Pairs at all distances: half of them anywhere, half of them near each other."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(lower, upper, (2, n, 3))
    share = 10 ** rng.uniform(-2, 0, (n // 2, 1))
    b[: n // 2] = a[: n // 2] + share * (b[: n // 2] - a[: n // 2])
    return a, b


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def gradient_layers():
    depth = np.linspace(LOWER[2], UPPER[2], 211)
    return Medium(1 / (TOP + RISE * depth)[None, None], LOWER, UPPER)


def volume_of(function, spacing):
    """Medium of velocities that are a function of x, y and depth."""
    axes = [
        np.linspace(a, b, int(np.rint((b - a) / h)) + 1)
        for a, b, h in zip(LOWER, UPPER, np.broadcast_to(spacing, 3), strict=True)
    ]
    return Medium(1 / function(*np.meshgrid(*axes, indexing="ij")), LOWER, UPPER)


def with_a_slow_basin(x, y, depth):
    return (TOP + RISE * depth) * (1 - 0.3 * np.exp(-((x - 15) ** 2 + (y - 25) ** 2) / 80 - (depth / 5) ** 2))


@pytest.fixture(scope="module")
def network():
    return train(gradient_layers(), "P", seed=1, steps=SHORT, batch=FEW)


@pytest.fixture(scope="module")
def basin():
    return train(volume_of(with_a_slow_basin, 1.0), "P", seed=1, steps=2 * SHORT, batch=FEW)


BOTH = pytest.mark.parametrize("of", ["network", "basin"])


# What it learns


def test_times_of_a_constant_medium_are_distances():
    """Bounds of slowness leave 1 % on either side: without training it would be wrong by that much."""
    a, b = places(2000)
    network = train(Medium(np.full((1, 1, 9), 0.2), LOWER, UPPER), "P", seed=0, steps=SHORT // 2, batch=FEW)
    assert rms(network.times(a, b)[0] / (0.2 * np.linalg.norm(a - b, axis=1)) - 1) < 5e-4


def test_times_and_gradients_of_a_linear_medium(network):
    """To a few times what is found here, 0.06 %; a straight ray would be wrong by 4 % and more."""
    a, b = places(2000)
    exact = gradient_medium(a, b)
    time, gradient = network.times(a, b)
    assert rms(time / exact - 1) < 2e-3
    for axis, nudge in enumerate(1e-4 * np.eye(3)):
        difference = (gradient_medium(a + nudge, b) - gradient_medium(a - nudge, b)) / 2e-4
        assert rms(gradient[:, axis] - difference) < 2e-2 / TOP


def test_times_of_a_volume(basin):
    """Against the solver, on nodes; behind the basin first arrivals go around it."""
    medium = volume_of(with_a_slow_basin, 0.5)
    sources = np.array([[-5.0, 25.0, 0.0], [15.0, 25.0, -1.0], [40.0, 10.0, 15.0]])
    mean = solve(1 / medium.slowness, sources, [0.5] * 3, origin=LOWER, factored=True)
    nodes = np.random.default_rng(0).integers(0, medium.slowness.shape, (1000, 3))
    for source, slowness in zip(sources, mean, strict=True):
        at = LOWER + 0.5 * nodes
        time, _ = basin.times(at, np.broadcast_to(source, at.shape))
        distance = np.linalg.norm(at - source, axis=1)
        assert rms(time[distance > 1] / (slowness[tuple(nodes.T)] * distance)[distance > 1] - 1) < 0.015


def in_double_precision(network):
    return EikoNet(network.shape, {name: tensor.double() for name, tensor in network.tensors.items()})


@BOTH
def test_gradient_is_that_of_the_times(of, request):
    network, step = in_double_precision(request.getfixturevalue(of)), 1e-5
    a, b = places(300, seed=1)
    _, gradient = network.times(a, b)
    for axis, nudge in enumerate(step * np.eye(3)):
        there, back = (network.times(a + s * nudge, b)[0] for s in (1, -1))
        assert_allclose(gradient[:, axis], (there - back) / (2 * step), atol=1e-6)


@BOTH
def test_single_precision_is_enough(of, request):
    """To 10 microseconds, and a thousandth of a slowness."""
    network = request.getfixturevalue(of)
    a, b = places(300, seed=5)
    found, exact = network.times(a, b), in_double_precision(network).times(a, b)
    assert_allclose(found[0], exact[0], atol=1e-5)
    assert_allclose(found[1], exact[1], atol=1e-3 / TOP)


@BOTH
def test_reciprocity(of, request):
    """By construction: an untrained network would have it."""
    network = request.getfixturevalue(of)
    a, b = places(300, seed=2)
    assert_array_equal(network.times(a, b)[0], network.times(b, a)[0])


def test_there_is_no_time_and_a_gradient_at_the_source(network):
    a = np.array([[5.0, 10, 3]])
    time, gradient = network.times(a, a)
    assert time[0] < 1e-9
    assert np.isfinite(gradient).all()


def test_layers_do_not_know_where_on_the_map(network):
    a, b = places(50, seed=3)
    turned = np.stack([a[:, 0] + a[:, 1] - b[:, 1], a[:, 1] - (a[:, 0] - b[:, 0]), b[:, 2]], axis=1)
    assert_allclose(network.times(a, turned)[0], network.times(a, b)[0], rtol=1e-4)


def test_the_seed_decides():
    one, again, other = (train(gradient_layers(), "P", seed=seed, steps=3, batch=FEW) for seed in (4, 4, 5))
    a, b = places(20)
    assert_array_equal(one.times(a, b)[0], again.times(a, b)[0])
    assert not np.array_equal(one.times(a, b)[0], other.times(a, b)[0])


def test_a_training_that_is_killed_goes_on_to_the_same_network(tmp_path):
    """From the state that was kept after 250 steps, to the last bit."""
    file, begun = tmp_path / "state.safetensors", []

    def killed(done, misfit):
        begun.append(done)
        if done == 255:
            raise KeyboardInterrupt

    options = {"seed": 4, "steps": 260, "batch": 64}
    with pytest.raises(KeyboardInterrupt):
        train(gradient_layers(), "P", **options, progress=killed, kept=file)
    begun.clear()
    again = train(gradient_layers(), "P", **options, progress=lambda done, misfit: begun.append(done), kept=file)
    assert begun == list(range(251, 261))
    once = train(gradient_layers(), "P", **options)
    for name, tensor in once.tensors.items():
        assert_array_equal(again.tensors[name].numpy(), tensor.numpy())


# What it is


def test_saved_and_loaded_it_is_the_same(network, tmp_path):
    network.save(tmp_path / "deep" / "p.safetensors")
    loaded = EikoNet.load(tmp_path / "deep" / "p.safetensors")
    a, b = places(50)
    for found, expected in zip(loaded.times(a, b), network.times(a, b), strict=True):
        assert_array_equal(found, expected)
    assert loaded.shape.phase == "P"
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["p.safetensors"]


def test_a_damaged_file_is_named(network, tmp_path):
    file = tmp_path / "p.safetensors"
    network.save(file)
    whole = file.read_bytes()
    other = whole.replace(b"vip eikonet", b"another net")
    for content in (whole[: len(whole) // 2], b"", b"no network at all", other):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=r"p\.safetensors"):
            EikoNet.load(file)
    lacking = EikoNet(network.shape, {name: tensor for name, tensor in network.tensors.items() if name != "bias1"})
    lacking.save(file)
    with pytest.raises(ConfigError, match=r"bias1.*missing"):
        EikoNet.load(file)
    with pytest.raises(ConfigError, match=r"none\.safetensors"):
        EikoNet.load(tmp_path / "none.safetensors")


def test_results_depend_neither_on_the_batch_nor_on_threads(basin):
    """At every place in what is evaluated at once."""
    a, b = places(2 * AT_ONCE + 7, seed=4)
    time, gradient = basin.times(a, b)
    order = np.random.default_rng(0).permutation(len(a))
    for threads in (1, 2, 3):
        found = basin.times(a[order], b[order], threads)
        assert_array_equal(found[0], time[order])
        assert_array_equal(found[1], gradient[order])
    alone = basin.times(a[-1:], b[-1:])
    assert_array_equal(alone[0], time[-1:])
    assert_array_equal(alone[1], gradient[-1:])


# In place of tables


def linear_layers():
    """P as in `gradient_medium`, S slower by 1.7."""
    velocity = TOP + RISE * LOWER[2]
    slower = {"P": 1.0, "S": 1.7}
    return Layered(
        LOWER[2:],
        {p: np.array([velocity / by]) for p, by in slower.items()},
        {p: np.array([RISE / by]) for p, by in slower.items()},
    )


@pytest.fixture
def quick(monkeypatch):
    """Networks that take seconds."""
    monkeypatch.setattr(wiring, "STEPS", SHORT)
    monkeypatch.setattr(wiring, "train", partial(train, batch=FEW))


@pytest.fixture
def solver(tmp_path):
    return Solver(Box(LOWER, UPPER), 1.0, tmp_path / "cache")


STATIONS = np.array([[0.0, 10, -0.5], [0.0, 10, -0.5], [40.0, 30, 0.0], [20.0, 40, 1.0]])
PHASES = ["P", "S", "P", "S"]


def test_networks_take_the_place_of_tables(solver, quick, caplog):
    """Events, tables, particles and axes are in the same order; a second time nothing is trained."""
    layers = linear_layers()
    rng = np.random.default_rng(0)
    x = rng.uniform(LOWER, UPPER, (9, 3, 3))
    event, table = np.array([0, 0, 2, 1, 1]), np.array([3, 0, 2, 1, 0])
    with caplog.at_level(logging.INFO):
        networks = network_times(solver, layers, PHASES, STATIONS, None)
    assert "training a network for travel times of P" in caplog.text
    assert "training a network for travel times of S" in caplog.text
    time, gradient = networks.evaluate(x, event, table)
    tables = solver.layered(layers, PHASES, STATIONS)
    for found, expected, tolerance in zip((time, gradient), tables.evaluate(x, event, table), (0.05, 0.01), strict=True):
        assert found.shape == expected.shape
        assert found.dtype == np.float64
        assert rms(found - expected) < tolerance
    caplog.clear()
    again = network_times(solver, layers, PHASES[::2], STATIONS[::2], None)
    assert "training" not in caplog.text
    assert_array_equal(again.evaluate(x, [0, 1], [0, 1])[0], networks.evaluate(x, [0, 1], [0, 2])[0])
    alone = networks.evaluate(np.asfortranarray(x)[4:5, 1:2], [0], table[3:4], threads=2)
    assert_array_equal(alone[0], time[4:5, 3:4])
    assert_array_equal(alone[1], gradient[:, 4:5, 3:4])


def test_what_a_network_was_trained_from_names_its_file(solver):
    layers = linear_layers()
    faster = layers._replace(velocity={"P": layers.velocity["P"] * 1.01})
    deeper = solver._replace(box=Box(LOWER, UPPER + np.array([0, 0, 1])))
    media = [medium_of(s, model, "P", STATIONS, None) for s, model in ((solver, layers), (solver, faster), (deeper, layers))]
    files = {wiring._file(medium, phase, solver.cache) for medium in media for phase in "PS"}
    assert len(files) == 6


def test_hypocentres_outside_are_refused(network):
    times = NetworkTimes({"P": network}, np.array(["P"]), np.array([[0.0, 10, 0]]))
    for outside in ([0, 10, 20.5], [51, 10, 3], [np.nan, 10, 3]):
        with pytest.raises(ValueError, match="event 1 has one outside"):
            times.evaluate([[[0.0, 10, 5], outside]], [0, 1], [0, 0])


def test_a_grid_is_sampled_where_it_is(solver):
    """Y comes before x in grids, and x before y on the map."""
    y, x, depth = np.arange(0.0, 50, 5), np.arange(-20.0, 60, 5), np.arange(-3.0, 24, 3)
    values = 4 + 0.01 * y[:, None, None] + 0.02 * x[:, None] + 0.1 * depth
    medium = medium_of(solver, Grid3D((y, x, depth), {"P": values}, False), "P", STATIONS, None)
    at = np.meshgrid(*(np.linspace(a, b, n) for a, b, n in zip(*medium[1:], medium.slowness.shape, strict=True)), indexing="ij")
    assert_allclose(1 / medium.slowness, 4 + 0.01 * at[1] + 0.02 * at[0] + 0.1 * at[2])


def test_what_is_missing_is_reported(solver, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match=r"pip install 'vip-inversion\[neural\]'"):
        network_times(solver, linear_layers(), PHASES, STATIONS, None)


def located(folder, events, travel_times):
    """Mean and standard deviation (n_events, 3) of the first events of the example."""
    config = write_example(folder, seed=1)
    picks = pd.read_csv(folder / "picks.csv")
    picks[picks["event"].isin(events)].to_csv(folder / "picks.csv", index=False)
    text = config.read_text().replace(
        'likelihood = "edt"', f'travel_times = "{travel_times}"\ncache = "cache"\nlikelihood = "edt"'
    )
    text = text.replace("particles = 150", "particles = 60").replace('between = "constant"', 'between = "linear"')
    config.write_text(text)
    result = vip.run(vip.load_problem(config))
    samples = result.problem.forward.by_event(result.flat.astype(float))
    return samples.mean(axis=0), samples.std(axis=0)


def test_events_are_located_where_tables_locate_them(tmp_path, monkeypatch):
    """Velocities are linear between depths here, so that networks trained for seconds are good enough."""
    pytest.importorskip("pyproj", reason="the extra 'seismology' is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wiring, "STEPS", 2 * SHORT)
    monkeypatch.setattr(wiring, "train", partial(train, batch=FEW))
    (by_tables, spread), (by_networks, other) = (located(tmp_path / kind, ["ev012"], kind) for kind in ("tables", "eikonet"))
    assert (np.abs(by_networks - by_tables) < spread / 2).all()
    assert_allclose(other, spread, rtol=0.2)


# Full size


@pytest.mark.full
@pytest.mark.parametrize("phase", ["P", "S"])
def test_layers_of_southern_california(phase, tmp_path):
    """To 0.5 % RMS (2 % is what was asked for, 0.15 % is found), 1 % at any range of distances."""
    tops, velocity = (LAYERS[name].to_numpy() for name in ("depth", f"v{phase.lower()}"))
    layers = Layered(tops, {phase: velocity}, {phase: np.zeros(len(tops))})
    box = Box(np.array([0, 0, -1.0]), np.array([450.0, 400.0, 30.0]))
    solver = Solver(box, 1.0, tmp_path)
    medium = medium_of(solver, layers, phase, np.array([[0.0, 0.0, 0.0]]), None)
    network = train(medium, phase)
    step, sources = 0.25, np.array([-1, 0, 2.5, 5, 11, 18, 30.0])
    depth = np.arange(medium.lower[2], medium.upper[2] + step / 2, step)
    cells = depth[:, None] + step * ((np.arange(16) + 0.5) / 16 - 0.5)
    exact = np.broadcast_to(1 / np.mean(1 / layers.at(phase, cells), axis=1), (int(medium.upper[0] / step), 1, len(depth)))
    tables = solve(exact, sources[:, None] * [0, 0, 1], [step] * 3, origin=[0, 0, depth[0]], factored=True)[:, :, 0]
    rng = np.random.default_rng(0)
    row, column = (np.exp(rng.uniform(0, np.log(exact.shape[0] - 1), 20000))).astype(int), rng.integers(0, 125, 20000)
    error, distance = [], []
    for source, table in zip(sources, tables, strict=True):
        a = np.stack([row * step, 0 * row, depth[column]], axis=1)
        distance.append(np.hypot(a[:, 0], a[:, 2] - source))
        time, _ = network.times(a, np.broadcast_to([0, 0, source], a.shape))
        error.append(time / (table[row, column] * distance[-1]) - 1)
    error, distance = np.concatenate(error), np.concatenate(distance)
    assert rms(error[distance > 1]) < 0.005
    for low, high in ((1, 3), (3, 10), (10, 30), (30, 100), (100, 700)):
        assert rms(error[(distance >= low) & (distance < high)]) < 0.01
