"""Travel-time tomography: the likelihood of its data, its gradient, its sources and its files."""

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from vip.forward.tomo2d import Tomo2D
from vip.forward.tomo2d.data import Picks, read_text
from vip.forward.tomo2d.sources import minimum_sources, orient
from vip.kernels_c.eikonal2d import Grid

SHAPE, NODES = (7, 6), 42
GRIDS = {
    "km": Grid(SHAPE, (-10.0, 30.0), (20.0, 20.0), False, 2),
    "degrees": Grid(SHAPE, (58.0, -4.0), (-0.2, 0.35), True, 2),
}
PERIODS = {"one": [""], "two": ["8 s", "10 s"]}


def random_picks(grid, rng, n_stations=6, n_picks=9):
    """Some pairs of some stations, in either direction, with their errors."""
    extent = (np.array(grid.shape) - 1) * np.array(grid.spacing)
    stations = np.array(grid.origin) + rng.uniform(0.05, 0.95, (n_stations, 2)) * extent
    pairs = np.stack(np.triu_indices(n_stations, 1), axis=1)
    pairs = rng.permuted(rng.permutation(pairs)[:n_picks], axis=1)
    names = [f"S{i}" for i in range(n_stations)]
    return Picks(names, stations, *pairs.T, rng.uniform(5, 40, n_picks), rng.uniform(0.2, 2, n_picks))


def build(grid, periods=("",), unknown_noise=False, precision="float64", seed=1):
    rng = np.random.default_rng(seed)
    return Tomo2D(grid, {label: random_picks(grid, rng) for label in periods}, unknown_noise, precision)


def models(forward, n, seed=2, spread=0.2):
    """Velocities around 3 km/s, and logarithms of noise scales around zero."""
    x = np.random.default_rng(seed).normal(0, spread, (n, forward.ndim))
    x[:, : len(forward.picks) * NODES] += 3
    return x


every_problem = pytest.mark.parametrize(
    ("grid", "periods", "unknown_noise"),
    list(itertools.product(GRIDS.values(), PERIODS.values(), (False, True))),
    ids=["-".join(x) for x in itertools.product(GRIDS, PERIODS, ("known", "unknown"))],
)


@every_problem
def test_log_likelihood_is_that_of_gaussian_errors(grid, periods, unknown_noise):
    """Normalised, with what `simulate` predicts and the noise scale of each period."""
    forward = build(grid, periods, unknown_noise)
    x = models(forward, 4)
    scale = np.exp(x[:, len(periods) * NODES :]) if unknown_noise else np.ones((4, len(periods)))
    sizes = [len(picks.time) for picks in forward.picks.values()]
    sd = forward.sigma * np.repeat(scale, sizes, axis=1)
    expected = stats.norm(forward.simulate(x), sd).logpdf(forward.observed).sum(axis=1)
    assert_allclose(forward(x)[0], expected, rtol=1e-12)


@every_problem
def test_gradient_is_the_derivative(grid, periods, unknown_noise):
    """Directional central differences. The step is so small that no update of a node switches sides within it; what is left
    is rounding: 1e-16 of values of 5e3 over the step, and over gradients of 1e3 and more.
    """
    forward, h = build(grid, periods, unknown_noise), 1e-6
    x = models(forward, 3, spread=0.1)
    _, gradient = forward(x)
    directions = np.random.default_rng(3).standard_normal((5, *x.shape))
    if unknown_noise:  # in one direction nothing but the noise
        directions[0, :, : len(periods) * NODES] = 0
    for direction in directions:
        difference = (forward(x + h * direction)[0] - forward(x - h * direction)[0]) / (2 * h)
        slope = (gradient * direction).sum(axis=1)
        size = np.linalg.norm(gradient, axis=1) * np.linalg.norm(direction, axis=1)
        assert_allclose(difference / size, slope / size, rtol=0, atol=2e-9)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_times_in_a_homogeneous_model_are_distances_over_velocity(grid):
    """In the order of the picks, whichever end the solver starts from; to rounding, since the scheme is exact there."""
    forward = build(grid, PERIODS["two"])
    x = np.repeat([[2.0], [4.0]], forward.ndim, axis=1)
    x[:, NODES:] *= 1.5  # the second period
    ends = [(p.stations[p.source], p.stations[p.receiver]) for p in forward.picks.values()]
    distances = [grid.distance(a, b) for a, b in ends]
    expected = np.concatenate([distances[0] / x[:, :1], distances[1] / x[:, -1:]], axis=1)
    assert_allclose(forward.simulate(x), expected, rtol=1e-9)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_particle_does_not_depend_on_its_batch_or_on_threads(precision):
    """To the last bit: lanes of a register are particles, and threads take groups of lanes and sources."""
    forward = build(GRIDS["km"], PERIODS["two"], True, precision)
    x = models(forward, 37)
    value, gradient = forward(x)
    simulated = forward.simulate(x)
    for threads, batch in itertools.product((1, 2, 3), (1, 2, 15, 16, 17, 36)):
        forward.threads = threads
        start = 37 - batch
        some_value, some_gradient = forward(x[start:])
        assert_array_equal(some_value, value[start:])
        assert_array_equal(some_gradient, gradient[start:])
        assert_array_equal(forward.simulate(x[start:]), simulated[start:])


def test_single_precision_is_close_enough():
    """Relative rounding of times of 1e-6 against errors of a second or so."""
    single, double = (build(GRIDS["km"], precision=precision) for precision in ("float32", "float64"))
    x = models(single, 5)
    assert_allclose(single.simulate(x), double.simulate(x), rtol=5e-6)
    assert_allclose(single(x)[0], double(x)[0], rtol=1e-4)


def test_the_model_space_labels_the_vector():
    """Periods, then rows, then columns; the noise of each period at the end."""
    forward = build(GRIDS["degrees"], PERIODS["two"], True)
    x = np.arange(float(forward.ndim))
    parts = forward.space.unpack(x)
    velocity, noise = forward.space.variables
    assert velocity.dims == ("period", "latitude", "longitude")
    assert noise.dims == ("period",)
    assert list(velocity.coords["period"]) == ["8 s", "10 s"]
    assert_allclose(velocity.coords["latitude"], 58 - 0.2 * np.arange(7))
    assert parts["velocity"][1, 2, 3] == NODES + 2 * 6 + 3
    assert_array_equal(parts["log_noise"], [2 * NODES, 2 * NODES + 1])


def test_coverage_is_the_length_of_the_rays():
    """Rays of 30 km and more, straight in a homogeneous model, are traced in steps of half a cell, 5 km."""
    forward = build(GRIDS["km"])
    (picks,) = forward.picks.values()
    lengths = GRIDS["km"].distance(picks.stations[picks.source], picks.stations[picks.receiver])
    assert forward.coverage(np.full(NODES, 3.0)).sum() == pytest.approx(lengths.sum(), rel=0.03)


# Sources

pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda p: p[0] != p[1]), min_size=1, max_size=14)


def covers(sources, pairs):
    return all(a in sources or b in sources for a, b in pairs)


@settings(deadline=None, max_examples=150)
@given(pairs)
def test_sources_are_a_smallest_cover(pairs):
    """Against all sets of stations, smallest first."""
    a, b = np.array(pairs).T
    sources = minimum_sources(a, b)
    assert covers(set(sources.tolist()), pairs)
    smallest = next(n for n in range(9) if any(covers(chosen, pairs) for chosen in itertools.combinations(range(8), n)))
    assert len(sources) == smallest
    source_of_pair, other = orient(a, b, sources)
    found = [{int(sources[s]), int(o)} for s, o in zip(source_of_pair, other, strict=True)]
    assert found == [set(pair) for pair in pairs]


# Files


def real_files():
    folder = Path(os.environ.get("VIP_DATA_DIR", "")) / "british_isles"
    if "VIP_DATA_DIR" not in os.environ or not (folder / "ttimes.txt").is_file():
        pytest.skip("VIP_DATA_DIR does not hold british_isles; get it with `vip data british-isles`")
    return [folder / name for name in ("sources.txt", "receivers.txt", "ttimes.txt")]


REAL_GRID = {"unit": "degrees", "shape": (41, 38), "origin": (61.0, -9.0), "spacing": (-0.325, 0.325)}


def test_the_british_isles_data():
    """The data have 61 stations and 401 pairs; 37 stations are known to cover them all."""
    picks = read_text(*real_files())
    assert len(picks.time) == 401
    assert len({frozenset(pair) for pair in zip(picks.source, picks.receiver, strict=True)}) == 401
    assert len(minimum_sources(picks.source, picks.receiver)) == 37


def test_plain_text_and_csv_give_the_same_likelihood(tmp_path):
    sources, receivers, times = real_files()
    picks = read_text(sources, receivers, times)
    names = np.array(picks.station_names)
    stations = pd.DataFrame({"name": names, "latitude": picks.stations[:, 0], "longitude": picks.stations[:, 1]})
    stations.to_csv(tmp_path / "stations.csv", index=False)
    columns = {"source": names[picks.source], "receiver": names[picks.receiver], "time": picks.time, "sigma": picks.sigma}
    pd.DataFrame(columns).to_csv(tmp_path / "times.csv", index=False)
    text = {"grid": REAL_GRID, "sources": sources, "receivers": receivers, "times": times}
    csv = {"grid": REAL_GRID, "stations": "stations.csv", "times": "times.csv"}
    a, b = (Tomo2D.from_settings(s, tmp_path) for s in (text, csv))
    x = np.random.default_rng(4).uniform(1.56, 4.8, (2, a.ndim))
    for one, other in zip(a(x), b(x), strict=True):
        assert_array_equal(one, other)


def test_rows_of_plain_text_are_pairs_in_source_major_order(tmp_path):
    """A time of 0 is no measurement; equal coordinates are one station."""
    np.savetxt(tmp_path / "sources.txt", [[0.0, 0.0], [0.0, 30.0]])
    np.savetxt(tmp_path / "receivers.txt", [[40.0, 0.0], [0.0, 30.0], [40.0, 30.0]])
    np.savetxt(tmp_path / "times.txt", [[11, 1], [12, 2], [0, 0], [21, 3], [0, 0], [23, 4]])
    picks = read_text(*(tmp_path / name for name in ("sources.txt", "receivers.txt", "times.txt")))
    assert_array_equal(picks.stations[picks.source], [[0, 0], [0, 0], [0, 30], [0, 30]])
    assert_array_equal(picks.stations[picks.receiver], [[40, 0], [0, 30], [40, 0], [40, 30]])
    assert_array_equal(picks.time, [11, 12, 21, 23])
    assert_array_equal(picks.sigma, [1, 2, 3, 4])
    assert len(picks.station_names) == 4


def test_csv_finds_columns_and_stations_by_name(tmp_path):
    """Other orders of columns and rows, other columns, spaces and comments change nothing."""
    (tmp_path / "stations.csv").write_text("# made today\nx, note, name, y\n0, a, B, 40\n30, b, A, 0\n")
    (tmp_path / "times.csv").write_text("sigma, receiver, source, time\n0.5, B, A, 17\n")
    grid = {"unit": "km", "shape": (3, 3), "origin": (0, 0), "spacing": (20, 20)}
    forward = Tomo2D.from_settings({"grid": grid, "stations": "stations.csv", "times": "times.csv"}, tmp_path)
    (picks,) = forward.picks.values()
    assert_array_equal(picks.stations[picks.source], [[0, 30]])
    assert_array_equal(picks.stations[picks.receiver], [[40, 0]])
    assert_array_equal((forward.observed, forward.sigma), ([17], [0.5]))
    assert forward.simulate(np.full((1, 9), 2.0)) == pytest.approx(25.0)


def test_periods_come_from_their_files(tmp_path):
    (tmp_path / "stations.csv").write_text("name,y,x\nA,0,0\nB,40,30\n")
    for label, time in (("8", 17), ("10", 19)):
        (tmp_path / f"{label}.csv").write_text(f"source,receiver,time,sigma\nA,B,{time},1\n")
    grid = {"unit": "km", "shape": (3, 3), "origin": (0, 0), "spacing": (20, 20)}
    periods = [{"label": "8 s", "times": "8.csv"}, {"label": "10 s", "times": "10.csv"}]
    forward = Tomo2D.from_settings({"grid": grid, "stations": "stations.csv", "periods": periods}, tmp_path)
    assert_array_equal(forward.observed, [17, 19])
    assert [path.name for path in forward.inputs] == ["stations.csv", "8.csv", "10.csv"]
    assert forward.ndim == 18
