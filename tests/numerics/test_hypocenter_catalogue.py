"""Catalogues of synthetic events, whole locations: against dense grid searches, against the truth, with false picks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom, chi2

import vip
from vip.forward.hypocenter.synthetic import LATITUDES, LINE, LONGITUDES, write_example

pytest.importorskip("pyproj", reason="the extra 'seismology' is not installed")

NODES = 41
"""Along each axis of a grid search."""
LEVELS = np.array([0.5, 0.9, 0.95])


class Located:
    """A synthetic catalogue, and samples (n, n_events, k) of its posterior."""

    def __init__(self, folder, events, seed, likelihood="edt", **options):
        config = write_example(folder, seed, events, **options)
        config.write_text(config.read_text().replace('likelihood = "edt"', f'likelihood = "{likelihood}"'))
        result = vip.run(vip.load_problem(config), folder / "run")
        self.forward, self.models = result.problem.forward, result.flat.astype(float)
        self.places = self.forward.by_event(self.models)
        projection = self.forward.catalogue.network.projection
        self.truth = np.stack([*projection.to_local(events[:, 0], events[:, 1]), events[:, 2]], axis=1)

    def mahalanobis(self):
        """Mahalanobis distances (n_events,) of the truths, by the means and covariances of the samples."""
        samples = np.moveaxis(self.places[..., :3], 1, 0)
        apart = self.truth - samples.mean(axis=1)
        return np.array([np.sqrt(d @ np.linalg.solve(np.cov(s.T), d)) for d, s in zip(apart, samples, strict=True)])


def on_a_line(n):
    return np.stack([np.full(n, 33.6), np.linspace(-117.4, -115.8, n), np.full(n, 5.0)], axis=1)


def anywhere(n, seed):
    """As the uniform prior has them, within the network."""
    low, high = [LATITUDES[0], LONGITUDES[0], 0.0], [LATITUDES[-1], LONGITUDES[-1], 30.0]
    return np.random.default_rng(seed).uniform(low, high, (n, 3))


def grid_search(forward, event, samples):
    """Places (NODES**3, 3) around samples (n, 3), and the log-likelihood there."""
    lower, upper = forward.catalogue.box
    middle, reach = samples.mean(axis=0), 5.5 * samples.std(axis=0)
    ends = np.maximum(middle - reach, lower), np.minimum(middle + reach, upper)
    nodes = np.stack(np.meshgrid(*np.linspace(*ends, NODES).T, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return nodes[:, 0], forward.log_likelihood(nodes, np.array([event]))[:, 0]


def compared(located, event):
    """Samples of an event against a grid search: distance of means, variance ratios; log-likelihoods and masses of nodes."""
    samples = located.places[:, event]
    nodes, value = grid_search(located.forward, event, samples)
    mass = np.exp(value - value.max())
    mean, covariance = np.average(nodes, axis=0, weights=mass), np.cov(nodes.T, aweights=mass, ddof=0)
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    off = np.linalg.norm(root @ (samples.mean(axis=0) - mean))
    return off, np.linalg.eigvalsh(root @ np.cov(samples.T) @ root.T), value, mass


def test_mean_and_covariance_are_those_of_a_grid_search(tmp_path):
    """Within 10 %: of the standard deviation, and of the variance in every direction; on average over events much closer."""
    located = Located(tmp_path, LINE, seed=1)
    off, ratios, _, _ = zip(*(compared(located, event) for event in range(0, 20, 3)), strict=True)
    assert max(off) < 0.1
    assert_allclose(ratios, 1, atol=0.1)
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


@pytest.mark.full
def test_two_hundred_events_are_located_as_by_a_grid_search(tmp_path):
    """MAP within its 95 % region, mean within 10 % of a standard deviation, variance in every direction within 10 %."""
    located = Located(tmp_path, on_a_line(200), seed=11)
    within, off, ratio = [], [], []
    for event, origin in enumerate(located.forward.origins(located.models)):
        event_off, event_ratio, value, mass = compared(located, event)
        off.append(event_off)
        ratio.append(event_ratio)
        by_density = np.sort(mass)[::-1]
        lowest = by_density[np.searchsorted(np.cumsum(by_density), 0.95 * mass.sum())]
        place = origin.modes[0].position
        at_place = located.forward.log_likelihood(place[None, None], np.array([event]))[0, 0]
        within.append(np.exp(at_place - value.max()) >= lowest)
    assert np.mean(within) >= 0.93
    assert max(off) < 0.1
    assert_allclose(ratio, 1, atol=0.1)


@pytest.mark.full
@pytest.mark.parametrize("likelihood", ["edt", "gaussian"])
def test_regions_hold_the_truth_as_often_as_they_say(tmp_path, likelihood):
    """500 events drawn from the prior: shares are right within 3 standard errors, for ellipsoids of bent posteriors too."""
    located = Located(tmp_path, anywhere(500, seed=5), seed=6, likelihood=likelihood)
    distance = located.mahalanobis()
    _check_shares(distance[:, None] <= np.sqrt(chi2.ppf(LEVELS, 3)))
    if likelihood == "edt":
        # Those of highest density too; in the four dimensions of the other likelihood, particles are too few for tails.
        value = located.forward.log_likelihood(located.places, np.arange(500))
        at_truth = located.forward.log_likelihood(located.truth[None], np.arange(500))
        _check_shares((value > at_truth).mean(axis=0)[:, None] <= LEVELS)


def _check_shares(inside):
    """Check the shares of truths (n, levels) that are inside the regions of the levels."""
    lower, upper = binom.interval(0.9973, len(inside), LEVELS)
    found = inside.sum(axis=0)
    assert ((lower <= found) & (found <= upper)).all(), dict(zip(LEVELS, found / len(inside), strict=True))


def test_a_fifth_of_false_picks_hardly_moves_an_event(tmp_path):
    """By equal differential times. Gaussian errors, and the same picks, put it standard deviations away."""
    events = on_a_line(12)
    clean, edt, gaussian = (
        Located(tmp_path / name, events, 7, likelihood, false=false)
        for name, likelihood, false in (("clean", "edt", 0.0), ("edt", "edt", 0.2), ("gaussian", "gaussian", 0.2))
    )
    assert np.median(edt.mahalanobis()) < np.sqrt(chi2.ppf(0.9, 3))
    assert (edt.mahalanobis() < 6).all()
    assert np.median(gaussian.mahalanobis()) > 10
    moved = np.linalg.norm((edt.places.mean(axis=0) - clean.truth)[:, :2], axis=1)
    assert np.median(moved) < 1
