"""The report of a section with depth, wells and gathers: what is drawn is what it says it is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import vip
from vip.diagnose import verdict
from vip.report import gathers, maps, reliability, trace, wells, write_report
from vip.report.agreement import agreement, correlation
from vip.report.findings import Findings
from vip.report.fit import spread
from vip.report.layout import panels

SECTION = '''
import numpy as np
from scipy.ndimage import gaussian_filter
from vip.protocols import Gather, ModelSpace, Variable

class Section:
    """Layers under water; its "waveforms" are blurred velocities of neighbouring columns times a wavelet."""

    data_label = "pressure (Pa)"

    def __init__(self, water):
        rows, columns, n_shots, n_samples = 40, 80, 3, 60
        depth, x = 25.0 + 50 * np.arange(rows), 50.0 * np.arange(columns)
        noise = Variable("log_noise", "1")
        velocity = Variable("velocity", "m/s", ("depth", "x"), {"depth": depth, "x": x}, "", {"depth": "m", "x": "m"})
        self.space = ModelSpace((velocity, noise))
        self.ndim = self.space.size
        self.shape, self.water = (rows, columns), water
        dip = depth[:, None] + 150 * np.sin(x / 600)
        layers = 1600 + 500 * np.floor(dip / 400) + 100 * np.sin(x / 300) * (depth[:, None] > 300)
        layers[:water] = 1500.0
        self.true_model = np.append(layers.ravel(), 0.5)
        self.fixed_nodes = np.append(np.arange(rows * columns) < water * columns, False)
        self.wells = np.array([3010.0, 990.0])
        distance, time = np.arange(0.0, 4000, 100), 0.01 * np.arange(n_samples)
        size = len(distance) * n_samples
        self.gathers = [
            Gather(f"shot {i + 1}", slice(i * size, (i + 1) * size), distance, time) for i in range(n_shots)
        ]
        wave = np.exp(-((time[None] - 0.05 - np.abs(distance[:, None] - 2000) / 8000) / 0.03) ** 2)
        self.wave = np.stack([np.roll(wave, 8 * i - 8, axis=0) for i in range(n_shots)])
        self.sigma = np.full(n_shots * size, 2.0)
        noise = np.random.default_rng(0).normal(0, 2.0, n_shots * size)
        self.observed = self.simulate(self.true_model[None])[0] + noise

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls(**settings)

    def simulate(self, models):
        maps = models[:, :-1].reshape(-1, *self.shape)
        blurred = np.stack([gaussian_filter(m, 3) for m in maps]) / 30
        echo = np.repeat(blurred[:, :, ::2].swapaxes(1, 2), 3, axis=2)[:, :, :60]  # (n, traces, samples)
        return ((echo - 60)[:, None] * np.sin(np.arange(60)) + 200 * self.wave).reshape(len(models), -1)

    def __call__(self, models):
        free = ~self.fixed_nodes
        pull = np.where(free, self.true_model - models, 0.0) / 150**2
        return -0.5 * np.sum(pull**2, axis=1) * 150**2, pull
'''
CONFIG = """[forward]
plugin = "./section.py:Section"
water = 4

[prior.velocity]
kind = "uniform"
lower = 1400.0
upper = 5000.0
[prior.log_noise]
kind = "gaussian"
mean = 0.0
sd = 1.0

[algorithm]
name = "ssvgd"
particles = 6
iterations = 120
burn_in = 60
warm_up = 40
step_size = 0.05
metric = "gradient"
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("section")
    (folder / "section.py").write_text(SECTION)
    (folder / "section.toml").write_text(CONFIG)
    return vip.run(vip.load_problem(folder / "section.toml"))


@pytest.fixture(scope="module")
def findings(result):
    return Findings(result)


@pytest.fixture(scope="module")
def panel(findings):
    return panels(findings.space, findings.space.variables[0])[0]


def pictures(draw, findings):
    return {picture.name: picture for picture in draw(findings)}


def image_of(ax):
    return np.ma.getdata(ax.collections[0].get_array()).reshape(ax.collections[0].get_array().shape)


def test_page_has_all_sections(result, tmp_path):
    page = write_report(result, tmp_path).read_text()
    made = {file.stem for file in tmp_path.glob("*.png")}
    assert made >= {"velocity_mean_std", "velocity_wells", "velocity_truth", "gathers", "traces", "trace", "data_fit"}
    assert "90% interval covers" in page


def test_depth_grows_downwards_and_known_nodes_are_masked(findings):
    figure = pictures(maps.moments, findings)["velocity_mean_std"].figure
    drawn = [ax for ax in figure.axes if ax.get_title() in ("truth", "start", "mean", "standard deviation")]
    assert [ax.get_title() for ax in drawn] == ["truth", "start", "mean", "standard deviation"]
    for ax in drawn:
        assert ax.get_ylim()[0] > ax.get_ylim()[1]
        known = np.ma.getmaskarray(ax.collections[0].get_array()).reshape(40, 80)
        assert_array_equal(known, np.broadcast_to(np.arange(40)[:, None] < 4, (40, 80)))


def test_start_is_a_particle_that_the_run_began_with(findings):
    """With the seed of the configuration, and not one of the posterior."""
    problem = findings.result.problem
    assert findings.start.shape == (findings.space.size,)
    assert np.all((findings.start >= problem.prior.lower) & (findings.start <= problem.prior.upper))
    assert not np.isclose(findings.flat, findings.start).all(axis=1).any()


def test_wells_are_the_columns_nearest_to_them(findings, panel):
    """At 990 and 3010 m, columns 20 and 60; the mean that is drawn there is the mean's column."""
    figure = pictures(wells.profiles, findings)["velocity_wells"].figure
    drawn = [ax for ax in figure.axes if ax.get_title().startswith("x =")]
    assert [ax.get_title() for ax in drawn] == ["x = 1000 m", "x = 3000 m"]
    for ax, column in zip(drawn, (20, 60), strict=True):
        lines = {line.get_label(): line for line in ax.lines}
        for label, model in (("mean", findings.mean), ("truth", findings.truth)):
            assert_allclose(lines[label].get_xdata()[4:], panel.of(model)[4:, column])
            assert np.isnan(lines[label].get_xdata()[:4].astype(float)).all()
        assert_allclose(lines["prior bounds"].get_xdata()[4:], 1400)


def test_gathers_are_drawn_at_their_place(findings):
    """Observed, predicted and residual of the first shot and the middle one, time downwards."""
    figure = pictures(gathers.sections, findings)["gathers"].figure
    drawn = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in drawn[::3]] == ["shot 1: observed", "shot 2: observed"]
    for axes, gather in zip((drawn[:3], drawn[3:]), findings.gathers[:2], strict=True):
        observed, predicted, residual = (image_of(ax) for ax in axes)
        assert_allclose(observed.ravel(), findings.fit.observed[gather.data].reshape(40, 60).T.ravel())
        assert_allclose(residual, observed - predicted, atol=1e-4)
        assert axes[0].get_ylim()[0] > axes[0].get_ylim()[1]
        scales = {ax.collections[0].get_clim() for ax in axes}
        assert len(scales) == 1


def test_agreement_counts_what_is_inside():
    """Samples 0 to 100 have their 5-95 % range from 5 to 95; known nodes count for nothing."""
    samples = np.broadcast_to(np.arange(101.0)[:, None, None], (101, 2, 4)).copy()
    truth = np.array([[50.0, 4.0, 96.0, 94.0], [5.5, 200.0, -1.0, 7.0]])
    free = np.array([[True, True, True, True], [True, False, True, True]])
    found = agreement(truth, truth, -truth, samples, free)
    assert_allclose(found.covered_by_row, [2 / 4, 2 / 3])
    assert found.covered == pytest.approx(4 / 7)
    assert found.correlation == 1
    assert found.start_correlation == -1
    assert_allclose(found.correlation_by_row, 1)


def test_a_row_that_does_not_vary_has_no_correlation():
    assert np.isnan(correlation(np.ones(4), np.arange(4.0)))


def test_log_likelihood_is_drawn_as_it_was_recorded(findings):
    figure = pictures(trace.trace, findings)["trace"].figure
    recorded = [m["log_likelihood"] for m in findings.result.store.metrics()]
    drawn = [line.get_ydata() for ax in figure.axes if "likelihood" in ax.get_ylabel() for line in ax.lines]
    assert any(len(y) == len(recorded) and np.allclose(y, recorded) for y in drawn)


def test_colours_of_the_maps_leave_out_fixed_nodes_and_the_start(result):
    findings = Findings(result)
    expected = pictures(maps.moments, findings)["velocity_mean_std"].figure.axes[0].collections[0].get_clim()
    findings.start = np.full_like(findings.start, 1e6)
    result.problem.forward.true_model[findings.fixed] = -1e6
    try:
        assert pictures(maps.moments, findings)["velocity_mean_std"].figure.axes[0].collections[0].get_clim() == expected
    finally:
        result.problem.forward.true_model[findings.fixed] = 1500.0


def test_start_is_a_model_that_the_run_began_with(result, findings):
    problem = result.problem
    algorithm = problem.build_algorithm()
    theta = algorithm.draw(vip.runs.inversion._first_state(problem, algorithm), 0, np.random.default_rng(0))
    assert_allclose(findings.start, problem.transform.to_model(theta)[0])


def test_agreement_of_a_run_leaves_fixed_nodes_out(result, panel):
    expected, other = Findings(result), Findings(result)
    other.flat = other.flat.copy()
    other.flat[:, other.fixed] = 1e6
    first, second = (f.agreement(panel) for f in (expected, other))
    np.testing.assert_equal(first, second)
    assert np.isnan(first.covered_by_row[:4]).all()
    assert np.isfinite(first.covered_by_row[4:]).all()


def test_chains_are_judged_without_fixed_entries(result, findings):
    entries = verdict.spread_entries(result.problem.free_entries, 10_000)
    assert not findings.fixed[entries].any()
    assert len(entries) == (~findings.fixed).sum()
    assert_array_equal(result.entries(entries), result.models[..., entries])


def test_contraction_is_drawn_where_nothing_is_known_beforehand(findings, panel):
    figure = pictures(maps.contraction, findings)["velocity_contraction"].figure
    drawn = figure.axes[0].collections[0].get_array().reshape(40, 80)
    assert_array_equal(np.ma.getmaskarray(drawn), ~findings.free(panel))
    node = panel.of(findings.prior)[:, 20, 30].var(), panel.of(findings.flat)[:, 20, 30].astype(float).var()
    assert drawn[20, 30] == pytest.approx(1 - node[1] / node[0], rel=1e-4)


def test_expected_coverage_is_that_of_the_free_nodes(findings, panel):
    (ax,) = pictures(reliability.curves, findings)["expected_coverage"].figure.axes
    curve = {line.get_label(): line for line in ax.lines}["velocity"]
    low, high = np.quantile(panel.of(findings.flat), [0.25, 0.75], axis=0)
    inside = ((low <= panel.of(findings.truth)) & (panel.of(findings.truth) <= high))[findings.free(panel)]
    assert curve.get_ydata()[49] == pytest.approx(100 * inside.mean(), abs=3)


def test_stein_discrepancy_is_evaluated_a_few_times_along_the_chains(findings):
    """Samples of iterations 61 to 120, 6 particles each, in five parts."""
    stein = findings.stein
    assert stein.iterations.tolist() == [72, 84, 96, 108, 120]
    assert stein.n_evaluated == 5 * 40 + 1
    drawn = {ax.get_title(): ax for ax in pictures(trace.trace, findings)["trace"].figure.axes}["Stein discrepancy"]
    assert_allclose(drawn.lines[0].get_ydata(), [point.squared for point in stein.discrepancies])


def test_stein_discrepancy_that_takes_too_long_is_left_out(result, monkeypatch):
    monkeypatch.setattr("vip.report.stein.SECONDS", 0.0)
    assert Findings(result).stein is None
    titles = {ax.get_title() for ax in pictures(trace.trace, Findings(result))["trace"].figure.axes}
    assert "Stein discrepancy" not in titles


def test_columns_without_wells_are_evenly_spaced_and_too_many_are_thinned():
    place = np.arange(0.0, 4001, 20)
    assert place[wells.columns(place, None)].tolist() == [1000, 2000, 3000]
    chosen = wells.columns(place, place[::10])
    assert len(chosen) == wells.MAX_WELLS
    assert (chosen[0], chosen[-1]) == (0, 200)
    assert wells.columns(place, np.array([101.0, 99.0])).tolist() == [5]


def test_traces_show_observed_and_the_range_of_predictions(result, findings):
    forward, fit = result.problem.forward, findings.fit
    axes = pictures(gathers.traces, findings)["traces"].figure.axes
    chosen = [0, 8, 16, 23, 31, 39]
    shot = slice(2400, 4800)
    for ax, trace_number in zip(axes, chosen, strict=True):
        expected = forward.observed[shot].reshape(40, 60)[trace_number]
        assert_array_equal(ax.lines[0].get_ydata(), expected)
        band = fit.after[:, shot].reshape(-1, 40, 60)[:, trace_number]
        low, high = ax.collections[0].get_datalim(ax.transData).intervaly
        assert (low, high) == pytest.approx((band.min(), band.max()))
        assert ax.get_ylabel() == f"{100 * trace_number} m"


def test_data_are_predicted_once_for_all_figures(result, tmp_path, monkeypatch):
    forward, asked = result.problem.forward, []
    simulate = forward.simulate
    monkeypatch.setattr(forward, "simulate", lambda models: asked.append(len(models)) or simulate(models))
    write_report(result, tmp_path)
    assert asked == [50, 50]  # prior models and samples


def test_fewer_models_are_predicted_where_data_are_many(result, monkeypatch):
    monkeypatch.setattr("vip.report.findings.MAX_PREDICTED", 3 * 7200 + 1)
    fit = Findings(result).fit
    assert fit.before.shape == fit.after.shape == (3, 7200)
    assert fit.after.dtype == np.float32
    residuals = (fit.observed - fit.after) / fit.sigma
    assert fit.chi2_after == pytest.approx(np.mean(residuals**2))
    assert_array_equal(fit.residuals(fit.after, np.array([5, 7000])), residuals[:, [5, 7000]])


def test_spread_is_in_step_with_no_period_of_the_data():
    n, period = 5_000_000, 2500  # samples of a trace: evenly spaced data would be of five times only
    chosen = spread(n, 5000)
    assert len(np.unique(chosen % period)) > 0.8 * period
    share = np.histogram(chosen, 10, (0, n))[0] / len(chosen)
    assert_allclose(share, 0.1, atol=0.01)
    assert 0 <= chosen.min() < chosen.max() < n


def test_log_likelihood_of_a_run_that_an_earlier_version_began(result, monkeypatch):
    metrics = [{**m} for m in result.store.metrics()]
    for m in metrics:
        m.pop("log_likelihood", None)
    monkeypatch.setattr(result.store, "metrics", lambda: metrics)
    labels = {ax.get_ylabel() for ax in pictures(trace.trace, Findings(result))["trace"].figure.axes}
    assert "mean log-likelihood" not in labels
    for i, m in enumerate(metrics[60:]):  # resumed by a later version
        m["log_likelihood"] = -1e6 * (1 + 99 * np.exp(-i))
    (ax,) = (
        ax for ax in pictures(trace.trace, Findings(result))["trace"].figure.axes if ax.get_ylabel() == "mean log-likelihood"
    )
    values = ax.lines[0].get_ydata()
    assert np.isnan(values[:60]).all()
    assert values[60] == -1e8
    assert ax.get_yscale() == "symlog"


def test_predicted_gathers_are_the_mean_of_what_samples_predict(result, findings):
    forward, flat = result.problem.forward, findings.flat
    chosen = flat[np.linspace(0, len(flat) - 1, 50).astype(int)].astype(float)
    predicted = forward.simulate(chosen).mean(axis=0)
    axes = pictures(gathers.sections, findings)["gathers"].figure.axes
    for ax, shot in ((axes[1], slice(0, 2400)), (axes[4], slice(2400, 4800))):
        assert_allclose(image_of(ax), predicted[shot].reshape(40, 60).T, atol=1e-3)
