"""Association as a forward plugin: samples against the least-squares fit, where a run starts, and what is said before it."""

import logging

import numpy as np
import pandas as pd
import pytest

import vip
from vip.diagnose.checks import check_problem
from vip.errors import ConfigError
from vip.forward.association.facts import coincidences
from vip.forward.association.plugin import MarginalHypocenters
from vip.forward.association.record.windows import whole
from vip.forward.association.trials.synthetic import LAYERS, write_example
from vip.runs.plugins import starter_config
from vip.runs.plugins import write_example as write_example_of

pytest.importorskip("pyproj", reason="the extra 'seismology' is not installed")

FAST = {
    "# sigma = { P = 0.05": "sigma = { P = 0.05",
    "# detection = 0.9": "detection = 0.9",
    "# margin = 20.0": "margin = 25.0",
    "depth = [0.0, 30.0]": "depth = [0.0, 20.0]",
}
"""Changes of the starter configuration after which nothing is learned."""
HMC = """[algorithm]
name = "hmc"
particles = 30
iterations = 50
burn_in = 25
metric = "covariance"

"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The configuration of a short record of eight events at ten stations."""
    file = write_example(tmp_path_factory.mktemp("association"), 3, events=8, stations=10, length=300.0)
    text = file.read_text(encoding="utf-8")
    for old, new in FAST.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def problem(config):
    return vip.load_problem(config)


def plain(forward):
    """Events with sure picks, inside the region, and where no velocity changes: their posteriors are Gaussian."""
    borders = np.concatenate([[forward.lower[2], forward.upper[2]], LAYERS["depth"]])
    for i, origin in enumerate(forward.association.located.origins):
        sd = np.sqrt(np.diag(origin.covariance))
        inside = (origin.mean - 3 * sd > forward.lower[:3]) & (origin.mean + 3 * sd < forward.upper[:3])
        if inside.all() and (np.abs(borders - origin.mean[2]) > 4 * sd[2]).all() and origin.arrivals.probability.min() > 0.97:
            yield i, np.append(sd, origin.time_uncertainty)


@pytest.mark.parametrize("method", ["svgd", "hmc"])
def test_samples_are_those_of_the_least_squares_fit(config, method):
    if method == "hmc":
        text = config.read_text(encoding="utf-8")
        start, end = text.index("[algorithm]"), text.index("[run]")
        config = config.with_name("hmc.toml")
        config.write_text(text[:start] + HMC + text[end:], encoding="utf-8")
    result = vip.run(vip.load_problem(config), output=config.with_suffix(".run"))
    forward = result.problem.forward
    samples, chosen = forward.by_event(result.flat.astype(float)), dict(plain(forward))
    assert len(chosen) >= 3
    for i, sd in chosen.items():
        apart = samples[:, i].mean(axis=0) - [*forward.events.x[i], forward.events.time[i]]
        assert np.abs(apart / sd).max() < 0.25
        np.testing.assert_allclose(samples[:, i].std(axis=0) / sd, 1, atol=0.25)


def test_a_run_starts_near_the_events_and_within_the_region(problem):
    forward = problem.forward
    places = forward.by_event(forward.start(400, np.random.default_rng(0)))
    assert ((places > forward.lower) & (places < forward.upper)).all()
    assert (forward.events.x[:, :2] == forward.lower[:2]).any()  # an event at the border, whose draws would be outside
    for i, sd in plain(forward):
        np.testing.assert_allclose(places[:, i].std(axis=0) / sd, 1, atol=0.15)
    values, _ = forward(forward.start(20, np.random.default_rng(1)))
    assert values.min() > forward(problem.sample_prior(20, np.random.default_rng(1)))[0].max()


def test_check_passes_and_says_what_is_known(config, problem):
    check = check_problem(problem)
    assert [str(verdict) for verdict in check.failures] == []
    rows, picks = dict(check.rows()), pd.read_csv(config.with_name("picks.csv"))
    assert rows["events"] == f"8, with {(problem.forward.association.found.event >= 0).sum()} of {len(picks)} picks"
    hours = np.ptp(pd.to_datetime(picks["time"])) / pd.Timedelta("1h")
    rates = dict(text.rsplit(" ", 1) for text in rows["picks an hour by station"].split(", "))
    assert {name: int(rate) for name, rate in rates.items()} == (picks["station"].value_counts() / hours).round().to_dict()
    assert "1 of 8 events (12%) lie within one standard deviation of the sides of the region" in rows["region"]


def test_coincidences_are_those_of_picks_whose_stations_are_shifted(problem):
    """Picks of true events that were not found make no event once they are shifted; unshifted they would."""
    association = problem.forward.association
    found = association.found._replace(event=np.full_like(association.found.event, -1))
    inputs = association.inputs
    assert (
        len(whole(inputs.arrivals, inputs.site.channels, association.finder.nodes, association.finder.rules).events.time) == 8
    )
    assert coincidences(association._replace(found=found)) < 4


def test_a_prior_beyond_the_region_is_refused(config):
    text = config.read_text(encoding="utf-8") + '\n[prior.depth]\nkind = "uniform"\nlower = 0.0\nupper = 40.0\n'
    wide = config.with_name("wide.toml")
    wide.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"prior.depth: 0.0 to 40.0: reaches beyond the region, 0.0 to 20.0 km"):
        vip.load_problem(wide)


def test_picks_without_an_event_have_no_posterior(problem):
    association = problem.forward.association
    nothing = association._replace(located=association.located._replace(origins=[]))
    with pytest.raises(ConfigError, match="picks: no event: an association finds none in them"):
        MarginalHypocenters(nothing)


def test_a_region_that_ends_too_early_is_a_warning(config, caplog):
    files = [config.with_name(f"{name}.csv") for name in ("picks", "stations", "velocity")]
    given = {"sigma": 0.1, "detection": 0.9, "threads": 1}
    with caplog.at_level(logging.WARNING):
        vip.associate(*files, depth=(0.0, 20.0), margin=40.0, **given)
        assert "region" not in caplog.text
        vip.associate(*files, depth=(0.0, 20.0), margin=25.0, **given)
        assert "of the sides of the region" in caplog.text
        assert "make the margin larger" in caplog.text
        vip.associate(*files, depth=(0.0, 8.0), margin=40.0, **given)
        assert "of the bottom of the region" in caplog.text
        assert "make the depth larger" in caplog.text


def test_init_and_simulate_know_it(tmp_path):
    file = write_example_of("association", tmp_path, 1)
    assert file == tmp_path / "association.toml"
    assert file.read_text(encoding="utf-8") == starter_config("association")
    assert {path.stem for path in tmp_path.glob("*.csv")} == {"picks", "stations", "velocity", "truth", "truth_assignments"}
