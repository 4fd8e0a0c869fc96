"""`vip predict`: from tables or a configuration to maps, and what is said of input that cannot be used.

The network is trained for a minute's hundredth; its maps are rough, and what is tested does not depend on that.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose

import vip
from vip.amortised.correction import correct
from vip.amortised.prediction import predict
from vip.errors import ConfigError
from vip.forward.tomo2d.adhoc import REFINEMENT, Choices, write_configuration
from vip.forward.tomo2d.amortised.graph import Prior
from vip.forward.tomo2d.choices import bounds, grid_around
from vip.forward.tomo2d.data import Picks
from vip.forward.tomo2d.measured import Measured, read_measured
from vip.forward.tomo2d.plugin import Tomo2D
from vip.forward.tomo2d.residuals import station_scores
from vip.inference.priors import matern
from vip.kernels_c.eikonal2d import Grid

pytest.importorskip("torch", reason="the extra 'neural' is not installed")

from vip.forward.tomo2d.amortised.settings import AmortisedSettings, SurveySettings
from vip.forward.tomo2d.amortised.training import train

N = 9
"""Number of stations."""
PROBE = "import sys\nfrom vip.cli.main import main\ntry: main()\nfinally: print('torch' in sys.modules, file=sys.stderr)"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A trained network in a file."""
    file = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    surveys = SurveySettings(nodes=(6, 8), stations=(5, 10), sigma=(0.01, 0.05))
    tiny = {"steps": 25, "maps": 4, "draws": (1, 2), "width": 6, "rounds": 1, "gates": 2, "refinement": 2, "data_refinement": 2}
    train(AmortisedSettings(checked=40, surveys=surveys, **tiny), file)
    return file


def measured_map(seed=1, geographic=True, noise=0.02):
    """Stations and times with noise in a map of the prior, as tables."""
    rng = np.random.default_rng(seed)
    origin, spacing = ((50.0, -3.0), (0.2, 0.3)) if geographic else ((0.0, 0.0), (20.0, 20.0))
    grid = Grid((7, 7), origin, spacing, geographic, 4)
    places = np.round(np.array(origin) + rng.uniform(0.5, 5.5, (N, 2)) * np.array(spacing), 4)
    a, b = np.triu_indices(N, 1)
    plain = Picks([f"S{i}" for i in range(N)], places, a, b, np.ones(len(a)), np.ones(len(a)))
    velocity = rng.uniform(2.5, 3.6, (1, 49))
    exact = Tomo2D(grid, {"": plain}).simulate(velocity)[0]
    times = exact * (1 + noise * rng.standard_normal(len(exact)))
    axes = ("latitude", "longitude") if geographic else ("y", "x")
    stations = pd.DataFrame({"name": plain.station_names, **dict(zip(axes, places.T, strict=True))})
    names = np.array(plain.station_names)
    columns = {"source": names[a], "receiver": names[b], "time": times.round(4), "sigma": (noise * times).round(4)}
    return stations, pd.DataFrame(columns)


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Tables of a map in the current folder."""
    stations, times = measured_map()
    monkeypatch.chdir(tmp_path)
    stations.to_csv("stations.csv", index=False)
    times.to_csv("times.csv", index=False)
    return tmp_path


def command(*words, code="from vip.cli.main import main; main()"):
    return subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False)


def predicted(*words, code="from vip.cli.main import main; main()"):
    return command("predict", *words, code=code)


def test_maps_from_two_tables_in_one_line_and_without_torch(tables, network):
    done = predicted("stations.csv", "times.csv", "--network", network, "-o", "out", code=PROBE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "False"
    assert "out/index.html: predicted" in done.stdout
    assert "chosen from the range of path averages" in done.stdout
    tree = xr.open_datatree(tables / "out" / "posterior.nc", engine="h5netcdf")
    samples = tree["posterior"]["velocity"]
    assert samples.dims == ("chain", "draw", "latitude", "longitude")
    assert samples.shape[:2] == (1, 1000)
    assert_allclose(tree["mean"]["velocity"], samples.mean(("chain", "draw")))
    assert_allclose(tree["std"]["velocity"], samples.std(("chain", "draw")), rtol=1e-6)
    assert_allclose(tree["quantiles"]["velocity"].sel(quantile=0.95), samples[0].quantile(0.95, "draw"))
    assert tree.attrs["how"] == "predicted"
    problem = vip.load_problem(tables / "out" / "tomo2d.toml")
    assert problem.forward.grid.refinement == REFINEMENT
    assert problem.forward.grid.contains(problem.forward.stations).all()
    page = (tables / "out" / "index.html").read_text()
    assert "Predicted" in page
    assert "Residuals by station" in page
    again = predicted("stations.csv", "times.csv", "--network", network, "-o", "out")
    assert again.returncode == 1
    assert "out: exists; choose another --output or use --overwrite" in again.stderr


def test_a_command_that_was_killed_is_given_again(tables, network):
    words = ["predict", "stations.csv", "times.csv", "--network", str(network), "-o", "out"]
    code = "from vip.cli.main import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not Path("out/unfinished").exists() and process.poll() is None:
            time.sleep(0.005)
        process.kill()
    assert not Path("out/index.html").exists()
    assert predicted(*words[1:]).returncode == 0
    assert Path("out/index.html").is_file()
    assert not Path("out/unfinished").exists()
    assert predicted(*words[1:]).returncode == 1


def written(network, times="times.csv", share=None, unknown_noise=False):
    """The configuration that the command writes for tables, with coarser times that are made sooner."""
    measured = read_measured(Path("stations.csv"), [Path(times)], share)
    config, about = write_configuration(measured, Choices(None, None, unknown_noise, network, (6, 8), 0), Path("out"))
    config.write_text(config.read_text().replace(f"refinement = {REFINEMENT}", "refinement = 2"))
    return config, about


def test_periods_velocities_and_an_unknown_noise(tables, network):
    """Two maps in one call, from velocities with one relative error: the second is the first, faster."""
    measured = read_measured(Path("stations.csv"), [Path("times.csv")])
    slow = pd.read_csv("times.csv")[["source", "receiver"]].assign(period="5 s", velocity=measured.velocities(""))
    fast = slow.assign(period="10 s", velocity=1.3 * slow["velocity"])
    pd.concat([slow, fast]).to_csv("both.csv", index=False)
    config, about = written(network, "both.csv", 0.02, True)
    assert about["Data"] == "72 times in 2 periods between 9 stations"
    problem = vip.load_problem(config)
    assert_allclose(problem.prior.lower[-51], 1.3 * problem.prior.lower[0], rtol=5e-3)  # bounds are rounded to three digits
    mean = predict(problem, 4000).result.mean
    assert mean["velocity"].dims == ("period", "latitude", "longitude")
    assert mean["log_noise"].dims == ("period",)
    assert_allclose(mean["velocity"].sel(period="10 s") / mean["velocity"].sel(period="5 s"), 1.3, rtol=0.04)


@pytest.mark.full
def test_a_configuration_is_corrected_on_its_own_grid(tables, network):
    problem = vip.load_problem(written(network)[0])
    found = correct(problem)
    assert found.how in ("sampled", "reweighted")
    assert not [text for text in found.warnings if "agree" in text]
    chi2 = np.mean(((found.result.predicted() - problem.forward.observed) / problem.forward.sigma) ** 2)
    assert 0.4 < chi2 < 1.6


def test_a_run_starts_at_the_networks_draws_in_its_metric(tables, network):
    problem = vip.load_problem(written(network)[0])
    first = next(iter(vip.steps(problem)))
    plain = problem.config.algorithm.model_copy(update={"start": None, "metric": "gradient"})
    fresh = next(iter(vip.steps(problem.planned(problem.config.model_copy(update={"algorithm": plain})))))
    assert first.info.log_density > fresh.info.log_density + 30


def test_a_wrong_clock_is_named(tables, network):
    times = pd.read_csv("times.csv")
    times.loc[(times["source"] == "S3") | (times["receiver"] == "S3"), "time"] *= 1.15
    times.to_csv("times.csv", index=False)
    found = predict(vip.load_problem(written(network)[0]))
    assert any("residuals of all paths of S3" in text for text in found.warnings)


def test_scores_of_stations_are_sums_over_their_paths():
    picks = Picks(
        ["a", "b", "c", "far"], np.zeros((4, 2)), np.array([0, 0]), np.array([1, 2]), np.array([3.0, 5.0]), np.ones(2)
    )
    scores = station_scores({"": picks}, np.array([[2.0, 2.0], [2.0, 4.0]]))[""]
    assert scores == pytest.approx({"a": 3 / np.sqrt(2), "b": 1.0, "c": 2.0})


# Choices


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("geographic", [True, False])
def test_the_grid_surrounds_the_stations_with_square_cells(seed, geographic):
    stations, _ = measured_map(seed, geographic)
    places = stations.iloc[:, 1:].to_numpy()
    a, b = np.triu_indices(N, 1)
    measured = Measured(geographic, list(stations["name"]), places, {"": Picks([], places, a, b, a * 0.0, a * 0.0)})
    shape, origin, spacing, step = grid_around(measured, (6, 14))
    grid = Grid(shape, origin, spacing, geographic)
    assert grid.contains(places).all()
    assert min(shape) >= 6
    assert 36 <= np.prod(shape) <= 80  # 36 pairs, and a margin
    last = np.array(origin) + (np.array(shape) - 1) * spacing
    assert_allclose((places.max(axis=0) + places.min(axis=0)) / 2, (np.array(origin) + last) / 2)
    km = grid.distance(np.array(origin), np.array([origin[0], origin[1] + spacing[1]]))
    assert km == pytest.approx(step, rel=0.03)


def test_stations_on_a_line_get_a_grid_too():
    places = np.stack([np.zeros(6), np.linspace(0, 100, 6)], axis=1)
    a, b = np.triu_indices(6, 1)
    found = grid_around(Measured(False, [], places, {"": Picks([], places, a, b, a * 0.0, a * 0.0)}), (6, 14))
    assert Grid(found.shape, found.origin, found.spacing, False).contains(places).all()
    assert min(found.shape) == 6


def test_bounds_hold_all_paths_and_more():
    low, high = bounds(np.array([2.9, 3.0, 3.3]))
    assert low < 2.9 < 3.3 < high
    assert high / low == pytest.approx(1.5, rel=5e-3)
    low, high = bounds(np.array([1.0, 2.0]))
    assert high / low == pytest.approx(2**1.5, rel=5e-3)


@pytest.mark.parametrize("spherical", [False, True])
def test_the_prior_of_a_run_is_that_of_the_network(spherical):
    grid = Grid((7, 6), (50.0, 3.0), (-0.2, 0.3) if spherical else (20.0, 30.0), spherical)
    places = np.array([[49.9, 3.1], [49.5, 3.9]]) if spherical else np.array([[60.0, 10.0], [90.0, 80.0]])
    picks = Picks(["a", "b"], places, np.array([0]), np.array([1]), np.ones(1), np.ones(1))
    variable = Tomo2D(grid, {"": picks}).space.variables[0]
    assert_allclose(matern(variable, 40.0), Prior(2.0, 4.0, 40.0).covariance(grid), atol=2e-3)


# Refusals

FAULTS = [
    ("times", {"drop": "sigma"}, "times.csv: columns: .*: there is no column 'sigma' .*say --sigma 0.02"),
    ("times", {"drop": "time"}, "times.csv: columns: .*: there is no column 'time'"),
    ("times", {"rows": 2}, "times.csv: stations: 3: .* at least 4 are needed"),
    ("times", {"rows": 0}, "times.csv: is not a CSV table with measurements"),
    ("times", {"receiver": ("S5", "Q")}, "times.csv: line 6, column receiver: Q: no station"),
    ("times", {"receiver": ("S1", "S0")}, "times.csv: line 2, column receiver: S0: is the source"),
    ("times", {"time": -1.0}, "times.csv: line 2, column time: -1.0: must be positive"),
    ("times", {"time": 9000.0}, "times.csv: line 2, column time: .* km/s: no model of the prior, 2 to 4 km/s"),
    ("times", {"sigma": 0.0}, "times.csv: line 2, column sigma: 0.0: must be positive"),
    ("stations", {"name": ("S1", "S0")}, "stations.csv: line 3, column name: S0: this station is already"),
    ("stations", {"latitude": 50.5, "longitude": -2.0}, "stations.csv: station S1: .*: is in the same place as S0"),
    ("stations", {"shift": ("latitude", 38.0)}, "latitude: .*: a grid in degrees needs latitudes within 80"),
    ("stations", {"shift": ("longitude", [-176.0] + 8 * [182.0])}, "longitude: .*jump by 360"),
    ("stations", {"drop": "longitude"}, "stations.csv: columns: .*: there is no column 'longitude'"),
]


def with_fault(table, fault):
    """A table with a fault: a column or rows dropped, a value replaced, or all values of a column."""
    for key, value in fault.items():
        if key == "drop":
            table = table.drop(columns=value)
        elif key == "rows":
            table = table.head(value)
        elif key == "shift":
            table = table.assign(**{value[0]: table[value[0]] + value[1]})
        elif isinstance(value, tuple):
            table = table.replace({key: dict([value])})
        else:
            table = table.assign(**{key: value})
    return table


@pytest.mark.parametrize(("name", "fault", "message"), FAULTS, ids=[str(fault) for _, fault, _ in FAULTS])
def test_input_that_cannot_be_used_is_told_with_its_place(tables, name, fault, message):
    with_fault(pd.read_csv(f"{name}.csv"), fault).to_csv(f"{name}.csv", index=False)
    reach = None if "shift" in fault else (2.0, 4.0)
    with pytest.raises(ConfigError, match=message) as raised:
        grid_around(read_measured(Path("stations.csv"), [Path("times.csv")], None, reach), (6, 14))
    assert "\n" not in str(raised.value)


def test_an_error_is_one_line_and_leaves_nothing_behind(tables, network):
    """Paths that no network of a few cells can explain: found last, when the configuration is there already."""
    times = pd.read_csv("times.csv")
    times.loc[3, "time"] *= 0.2
    times.to_csv("times.csv", index=False)
    done = predicted("stations.csv", "times.csv", "--network", network, "--bounds", 2.5, 3.6)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "times.csv: line 5, column time" in done.stderr
    (tables / "bad.safetensors").write_bytes(b"nothing at all, twice over")
    done = predicted("stations.csv", "times.csv", "--network", "bad.safetensors")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert re.search("network: .*bad.safetensors: is no trained network.*name another network", done.stderr)
    assert not (tables / "maps").exists()


def test_a_prior_that_no_network_knows_is_told(tables, network):
    config, _ = written(network)
    gaussian = 'kind = "gaussian"\nmean = 3.0\nsd = 0.2\n\n'
    config.write_text(re.sub(r"kind = \"uniform\".*?\n\n", gaussian, config.read_text(), flags=re.DOTALL))
    with pytest.raises(ConfigError, match=r"prior\.velocity\.kind: gaussian: a network knows a uniform prior, alone"):
        predict(vip.load_problem(config))
    done = predicted(config, "--sigma", 0.02, "-o", "second")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--sigma: 0.02: is in the configuration" in done.stderr
