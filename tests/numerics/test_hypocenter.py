"""Locations of a synthetic catalogue against a dense grid search, its truth, and each other."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import vip
from vip.forward.hypocenter.catalogue import read_catalogue
from vip.forward.hypocenter.likelihood import Accuracy, Gaussian
from vip.forward.hypocenter.plugin import Hypocenters
from vip.forward.hypocenter.settings import HypocenterSettings
from vip.forward.hypocenter.summary import modes, most_probable
from vip.forward.hypocenter.synthetic import write_example
from vip.runs.start import separate_start

pytest.importorskip("pyproj", reason="the extra 'seismology' is not installed")


@pytest.fixture(scope="module")
def located(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hypocenter")
    result = vip.run(vip.load_problem(write_example(folder, seed=1)))
    return result, pd.read_csv(folder / "truth.csv")


def test_the_truth_is_where_it_should_be(located):
    """Squared distances in standard deviations have the mean of chi-square of 3; that of twenty is off by 0.55."""
    result, truth = located
    forward = result.problem.forward
    x, y = forward.catalogue.network.projection.to_local(truth["latitude"].to_numpy(), truth["longitude"].to_numpy())
    apart = np.stack([x, y, truth["depth"]], axis=1) - forward.by_event(result.flat.astype(float)).mean(axis=0)
    squared = [
        d @ np.linalg.solve(np.cov(samples.T), d)
        for d, samples in zip(apart, np.moveaxis(forward.by_event(result.flat.astype(float)), 1, 0), strict=True)
    ]
    assert np.mean(squared) == pytest.approx(3, abs=3 * 0.55)


def test_origins_say_when_and_where(located):
    result, truth = located
    found = result.problem.forward.origins(result.flat.astype(float))
    assert [origin.event for origin in found] == truth["event"].tolist()
    for i, (origin, longitude) in enumerate(zip(found, truth["longitude"], strict=True)):
        assert origin.latitude == pytest.approx(33.6, abs=0.02)
        assert origin.longitude == pytest.approx(longitude, abs=0.02)
        late = origin.time - (np.datetime64("2026-01-01T00:00:00", "us") + np.timedelta64(600 * i, "s"))
        assert abs(late / np.timedelta64(1, "s")) < 0.5
        assert sum(mode.weight for mode in origin.modes) == pytest.approx(1)
        assert abs(np.median(origin.arrivals.residual)) < 1e-6
        assert 0 < origin.gap < 360
        assert origin.nearest == origin.arrivals.distance.min() < 60


def test_figures_show_the_catalogue_and_its_events(located):
    result, _ = located
    drawn = list(result.problem.forward.pictures(result.flat.astype(float)))
    assert [name for name, *_ in drawn] == [
        "catalogue_depth",
        "catalogue_uncertainty",
        *(f"event_ev{i:03d}" for i in range(1, 13)),
    ]
    figure = drawn[2][3]
    samples = result.problem.forward.by_event(result.flat.astype(float))[:, 0]
    for ax, (i, j) in zip(figure.axes[:3], ((0, 1), (2, 1), (0, 2)), strict=True):
        assert_array_equal(ax.lines[0].get_xydata(), samples[:, [i, j]])


def test_an_event_is_located_as_if_it_were_alone(located):
    """To the last bit, whatever is evaluated with it, on however many threads."""
    result, _ = located
    forward, models = result.problem.forward, result.flat.astype(float)[:7]
    value, gradient = forward(models)
    each = forward.log_likelihood(forward.by_event(models), np.arange(20))
    assert_allclose(each.sum(axis=1), value, rtol=1e-13)
    assert_array_equal(forward.log_likelihood(forward.by_event(models)[3:4, [12]], np.array([12])), each[3:4, [12]])
    forward.threads = 3
    again = forward(models)
    forward.threads = 1
    assert_array_equal(again[0], value)
    assert_array_equal(again[1], gradient)


@pytest.mark.parametrize("likelihood", ["edt", "gaussian"])
def test_gradients_are_those_of_the_value(tmp_path, likelihood):
    config = write_example(tmp_path, seed=2)
    config.write_text(config.read_text().replace('likelihood = "edt"', f'likelihood = "{likelihood}"'))
    forward = vip.load_problem(config).forward
    models = separate_start(forward, 3, np.random.default_rng(0))
    direction, step = np.random.default_rng(1).standard_normal(forward.ndim), 1e-4
    there, back = (forward(models + s * direction)[0] for s in (step, -step))
    assert_allclose(forward(models)[1] @ direction, (there - back) / (2 * step), rtol=1e-4)


def test_gaussian_origin_times_are_unknowns_like_any_other(tmp_path):
    """And found."""
    config = write_example(tmp_path, seed=3)
    settings = HypocenterSettings(
        stations="stations.csv", picks="picks.csv", velocity="velocity.csv", region={"depth": (0, 30)}
    )
    forward = Hypocenters(read_catalogue(settings, config.parent), Gaussian(Accuracy(0.01, 0.05, 0.5)))
    assert [v.name for v in forward.space.variables] == ["x", "y", "depth", "origin_time"]
    places = forward.by_event(separate_start(forward, 200, np.random.default_rng(0)))
    since = forward.picks.reference - (np.datetime64("2026-01-01T00:00:00", "us") + np.arange(20) * np.timedelta64(600, "s"))
    late = places[..., 3].mean(axis=0) + since / np.timedelta64(1, "s")
    assert_allclose(late, 0, atol=0.3)


def test_modes_are_told_apart_whatever_their_distance():
    rng = np.random.default_rng(5)
    one = rng.standard_normal((150, 3)) * [1, 1, 4]
    assert [len(m) for m in modes(one)] == [150]
    for apart in (10, 1000):
        two = one.copy()
        two[:40, 0] += apart
        assert [sorted(m.tolist()) for m in modes(two)] == [list(range(40, 150)), list(range(40))]


def test_the_most_probable_of_few_or_flat_samples_is_one_of_them():
    rng = np.random.default_rng(6)
    flat = rng.standard_normal((20, 3)) * [1, 1, 1e-12]
    for samples in (flat, flat[:3], flat[:1], np.tile(flat[:1], (5, 1))):
        assert (most_probable(samples) == samples).all(axis=1).any()
