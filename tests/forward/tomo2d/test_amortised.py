"""The network for any stations: its symmetries, its limits that are known in closed form, its densities, and its refusals.

Weights are random here, those of the outputs too: what must hold for every network is not a matter of training.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from vip.errors import ConfigError
from vip.forward.tomo2d.amortised.examples import draw_examples, draw_survey, simulate
from vip.forward.tomo2d.amortised.graph import Prior, Survey, linear_posterior, mean_slowness, plan, straight_rays
from vip.forward.tomo2d.amortised.inference import Network, NoisePrior
from vip.forward.tomo2d.amortised.linearise import straight
from vip.forward.tomo2d.amortised.network import START, Context, Shape, beliefs, context, layers, prior_belief, stage
from vip.forward.tomo2d.amortised.posterior import Mixture, NoiseScale, Posterior
from vip.forward.tomo2d.amortised.settings import AmortisedSettings, SurveySettings
from vip.forward.tomo2d.data import Picks
from vip.forward.tomo2d.plugin import Tomo2D
from vip.kernels_c.eikonal2d import Grid

SHAPE = Shape(draws=(1, 4), width=8, rounds=2, gates=3, refinement=2)
SMALL = SurveySettings(nodes=(5, 6), stations=(6, 8), sigma=(0.01, 0.03))
WHITE = SurveySettings(nodes=(6, 6), stations=(8, 8), kept=(1, 1), sigma=(0.02, 0.02), uneven=0, white=1)


def random_weights(shape=SHAPE, seed=0, size=0.2):
    rng = np.random.default_rng(seed)
    weights = {}
    for name, (n_in, n_out, deviation) in layers(shape).items():
        weights[name] = rng.normal(0, deviation or size / math.sqrt(n_in), (n_in, n_out))
        weights[f"{name}.bias"] = rng.normal(0, 0.1, (1, n_out))
    return weights


NETWORK = Network(SHAPE, random_weights(), {})


def random_problem(seed=1, shape=(6, 5), n_stations=8, spacing=(1.5, 1.5), correlation=0.0, refinement=3):
    """Survey with times and sigmas, which are those of a model of the prior with noise."""
    rng = np.random.default_rng(seed)
    grid = Grid(shape, (3.0, -2.0), spacing, False, refinement)
    prior = Prior(1.8, 4.0, correlation)
    stations = np.array(grid.origin) + rng.uniform(0.03, 0.97, (n_stations, 2)) * (np.array(shape) - 1) * np.array(spacing)
    first, second = np.triu_indices(n_stations, 1)
    kept = rng.permutation(len(first))[: len(first) * 2 // 3]
    ends = np.stack([stations[first[kept]], stations[second[kept]]], axis=1)
    distance = grid.distance(ends[:, 0], ends[:, 1])
    times = distance / rng.uniform(2.4, 3.3, len(ends))
    return Survey(grid, prior, ends), times, times * rng.uniform(0.01, 0.04, len(ends))


def answered(survey, times, sigma):
    """Means, standard deviations and covariances of the scores on the survey's own grid."""
    (mixture, _) = NETWORK.map(survey, times, sigma)
    root = np.linalg.inv(mixture.roots[0])
    return mixture.means[0], *mixture.moments(), root.T @ root


# Symmetries


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_and_direction_of_paths_do_not_matter(seed):
    survey, times, sigma = random_problem(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(times))
    ends = np.where(rng.random(len(times))[:, None, None] < 0.5, survey.ends, survey.ends[:, ::-1])
    again = answered(survey._replace(ends=ends[order]), times[order], sigma[order])
    for a, b in zip(answered(survey, times, sigma), again, strict=True):
        assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("shape", [(6, 6), (7, 5)])
@pytest.mark.parametrize("symmetry", range(1, 8))
def test_the_eight_symmetries_of_the_square(symmetry, shape):
    """The map is turned with the survey; cells of a rectangular grid, too."""
    survey, times, sigma = random_problem(4, shape, correlation=2.0)
    grid, step = survey.grid, survey.grid.spacing[0]
    nodes, places = np.arange(math.prod(shape)).reshape(shape), (survey.ends - np.array(grid.origin)) / step
    for axis, flipped in enumerate((symmetry & 1, symmetry & 2)):
        if flipped:
            nodes = np.flip(nodes, axis)
            places[..., axis] = shape[axis] - 1 - places[..., axis]
    if symmetry & 4:
        nodes, places = nodes.T, places[..., ::-1]
    turned = survey._replace(grid=replace(grid, shape=nodes.shape), ends=np.array(grid.origin) + places * step)
    mean, velocity, sd, covariance = answered(survey, times, sigma)
    again = answered(turned, times, sigma)
    of = nodes.ravel()
    for a, b in zip(again, (mean[of], velocity[of], sd[of], covariance[of][:, of]), strict=True):
        assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("factor", [0.01, 1.7, 300.0])
def test_the_unit_of_length_does_not_matter(factor):
    survey, times, sigma = random_problem(5, correlation=2.0)
    grid = survey.grid
    scaled = replace(grid, origin=tuple(factor * x for x in grid.origin), spacing=tuple(factor * x for x in grid.spacing))
    prior = survey.prior._replace(correlation=factor * 2.0)
    again = answered(Survey(scaled, prior, factor * survey.ends), factor * times, factor * sigma)
    for a, b in zip(answered(survey, times, sigma), again, strict=True):
        assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("factor", [0.3, 2.0])
def test_velocities_scale_with_the_prior(factor):
    survey, times, sigma = random_problem(6)
    prior = Prior(factor * 1.8, factor * 4.0)
    mean, velocity, sd, covariance = answered(survey, times, sigma)
    again = answered(survey._replace(prior=prior), times / factor, sigma / factor)
    for a, b in zip(again, (mean, factor * velocity, factor * sd, covariance), strict=True):
        assert_allclose(a, b, atol=1e-5)


def test_a_grid_that_runs_southwards_is_the_same_map():
    survey, times, sigma = random_problem(7)
    grid = survey.grid
    last = grid.origin[0] + (grid.shape[0] - 1) * grid.spacing[0]
    flipped = replace(grid, origin=(last, grid.origin[1]), spacing=(-grid.spacing[0], grid.spacing[1]))
    _, velocity, _, _ = answered(survey, times, sigma)
    _, again, _, _ = answered(survey._replace(grid=flipped), times, sigma)
    assert_allclose(again.reshape(grid.shape)[::-1].ravel(), velocity, atol=1e-5)


@pytest.mark.parametrize("seed", [1, 2])
def test_on_a_sphere_order_and_direction_do_not_matter_either(seed):
    rng = np.random.default_rng(seed)
    grid = Grid((6, 7), (54.0, -3.0), (-0.3, 0.5), True)
    places = np.array([52.7, -2.8]) + rng.random((7, 2)) * np.array([1.2, 2.6])
    first, second = np.triu_indices(7, 1)
    ends = np.stack([places[first], places[second]], axis=1)
    times = grid.distance(ends[:, 0], ends[:, 1]) / rng.uniform(2.6, 3.2, 21)
    survey, order = Survey(grid, Prior(2.0, 4.0, 20.0), ends), rng.permutation(21)
    again = answered(survey._replace(ends=ends[order, ::-1]), times[order], 0.02 * times[order])
    for a, b in zip(answered(survey, times, 0.02 * times), again, strict=True):
        assert_allclose(a, b, atol=1e-5)


# Closed forms


def white_noise(_stage, k, n=1, nodes=30):
    return np.random.default_rng(0).standard_normal((n, k, nodes))


@pytest.mark.parametrize("correlation", [0.0, 2.0])
def test_without_paths_the_prior_comes_back(correlation):
    survey, _, _ = random_problem(8, shape=(6, 5), correlation=correlation)
    nothing = np.empty((1, 0))
    *_, (belief, _) = beliefs(random_weights(), SHAPE, survey._replace(ends=np.empty((0, 2, 2))), nothing, nothing, white_noise)
    assert_array_equal(belief.means, 0)
    assert_allclose(np.linalg.inv(belief.precisions[0, 0]), survey.prior.covariance(survey.grid), atol=1e-12)


def test_a_cell_without_rays_keeps_its_prior():
    survey, times, sigma = random_problem(9, shape=(8, 8), n_stations=6)
    corner = survey._replace(ends=3.0 + (survey.ends - np.array(survey.grid.origin)) * 0.4 + np.array([0, -5.0]))
    mean, _, _, covariance = answered(corner, 0.4 * times, 0.4 * sigma)
    far = np.arange(64).reshape(8, 8)[-2:, -2:].ravel()
    assert_allclose(mean[far], 0, atol=1e-12)
    assert_allclose(covariance[far], np.eye(64)[far], atol=1e-12)


def untrained_stage(survey, times, sigma):
    """The first stage without corrections: outputs of the networks are zero, and so is the precision that cells add."""
    weights = random_weights()
    for kind in ("path", "cell"):
        weights[f"0.{kind}.out"] *= 0
        weights[f"0.{kind}.out.bias"] *= 0
    weights["0.cell.out.bias"][0, 0] = -100
    lengths = straight_rays(plan(survey, "float64"))
    c = Context(*context(survey, lengths, times[None], sigma[None]))
    return stage(weights, 0, SHAPE, straight(survey, lengths, 1), prior_belief(c, np), c, np), lengths


def test_the_first_stage_is_the_linear_posterior():
    """Before corrections: along straight rays, errors of the line and a factor on sigma included (Tarantola 2005, eq. 3.37)."""
    survey, times, sigma = random_problem(10, correlation=2.0)
    survey = survey._replace(ends=survey.ends)
    belief, lengths = untrained_stage(survey, times, sigma)
    mean_s, slope, variance = mean_slowness(survey.prior)
    noise = START[0] ** 2 * (sigma**2 + (lengths**2).sum(axis=1) * variance)
    late = times - lengths.sum(axis=1) * mean_s
    mean, covariance = linear_posterior(lengths * slope, late, noise, survey.prior.covariance(survey.grid))
    assert_allclose(belief.means[0, 0], mean, atol=1e-9)
    assert_allclose(np.linalg.inv(belief.precisions[0, 0]), covariance, atol=1e-9)


def test_one_path_has_a_closed_form():
    """A rank-one update of the prior: mean = k (t - t0), covariance = I - k k' s^2, along the ray alone."""
    survey, times, sigma = random_problem(11)
    one = survey._replace(ends=survey.ends[:1])
    belief, lengths = untrained_stage(one, times[:1], sigma[:1])
    mean_s, slope, variance = mean_slowness(one.prior)
    ray = lengths[0] * slope
    total = ray @ ray + START[0] ** 2 * (sigma[0] ** 2 + variance * lengths[0] @ lengths[0])
    assert_allclose(belief.means[0, 0], ray / total * (times[0] - lengths[0].sum() * mean_s), atol=1e-9)
    assert_allclose(np.linalg.inv(belief.precisions[0, 0]), np.eye(30) - np.outer(ray, ray) / total, atol=1e-9)


def test_straight_rays_have_the_distances_as_lengths():
    survey, _, _ = random_problem(12)
    lengths = straight_rays(plan(survey, "float64"))
    assert_allclose(lengths.sum(axis=1), survey.grid.distance(survey.ends[:, 0], survey.ends[:, 1]), rtol=1e-10)


@pytest.mark.parametrize("spherical", [False, True])
def test_correlated_priors_are_positive_definite_with_unit_variance(spherical):
    grid = Grid((7, 6), (50.0, 3.0), (-0.2, 0.3) if spherical else (2.0, 2.0), spherical)
    covariance = Prior(2.0, 4.0, 40.0).covariance(grid)
    assert_allclose(np.diag(covariance), 1)
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert covariance[0, 1] > covariance[0, 2] > covariance[0, 5] > 0


# Densities


def small_mixture(noise=None):
    rng = np.random.default_rng(13)
    roots = np.tril(rng.normal(0, 0.5, (2, 2, 2))) + 1.5 * np.eye(2)
    precisions = roots @ roots.swapaxes(1, 2)
    return Mixture(Prior(2.0, 5.0), np.log([0.3, 0.7]), rng.normal(0, 0.7, (2, 2)), precisions, noise)


def test_the_density_is_normalised_and_vanishes_outside_the_prior():
    mixture = small_mixture()
    edges = np.linspace(2, 5, 1501)
    v = (edges[1:] + edges[:-1]) / 2
    models = np.stack(np.meshgrid(v, v, indexing="ij"), axis=-1).reshape(-1, 2)
    assert_allclose(np.exp(mixture.log_density(models)).mean() * 9, 1, rtol=1e-3)
    assert_array_equal(mixture.log_density(np.array([[1.9, 3.0], [3.0, 5.1]])), -np.inf)


@pytest.mark.parametrize("noise", [None, NoiseScale(np.array([-0.2, 0.4]), 0.1)])
def test_samples_follow_the_density_and_its_moments(noise):
    """Entropies agree: the mean of the log-density over samples is that over a grid, and moments match."""
    mixture = small_mixture(noise)
    posterior = Posterior([mixture])
    x = posterior.sample(40_000, np.random.default_rng(14))
    error = x.std(axis=0) / 200
    assert np.all(abs(x.mean(axis=0) - posterior.mean) < 4 * error)
    assert_allclose(x.std(axis=0), posterior.std, rtol=0.02)
    # E_q[p / q] = 1 for another density p: the uniform prior, times a Gaussian of the noise scale.
    log_p = -2 * math.log(3) + (stats.norm(0.1, 0.2).logpdf(x[:, 2]) if noise else 0)
    ratio = np.exp(np.clip(log_p - posterior.log_density(x), None, 8))
    assert_allclose(ratio.mean(), 1, atol=5 * ratio.std() / 200 + 0.02)


def test_maps_of_several_periods_are_laid_out_as_models_of_the_plugin():
    one, two = small_mixture(NoiseScale(np.array([5.0, 5.0]), 0.1)), small_mixture(NoiseScale(np.array([9.0, 9.0]), 0.1))
    posterior = Posterior([one, two])
    x = posterior.sample(5, np.random.default_rng(15))
    assert_allclose(posterior.mean[4:], [5, 9])
    assert_array_equal(np.round(x[:, 4:] / [5, 9]), 1)
    expected = one.log_density(x[:, [0, 1, 4]]) + two.log_density(x[:, [2, 3, 5]])
    assert_allclose(posterior.log_density(x), expected)


def test_the_plugin_and_its_paths_give_the_same():
    survey, times, sigma = random_problem(16)
    places, index = np.unique(survey.ends.reshape(-1, 2), axis=0, return_inverse=True)
    pairs = index.reshape(-1, 2)
    picks = Picks([str(i) for i in range(len(places))], places, *pairs.T, times, sigma)
    forward = Tomo2D(survey.grid, {"5 s": picks, "8 s": picks})
    both = NETWORK.posterior(forward, 1.8, np.full(30, 4.0))
    distance = survey.grid.distance(survey.ends[:, 0], survey.ends[:, 1])
    one = NETWORK.posterior_of_paths(survey.grid, survey.prior, places, pairs, distance / times, sigma / times)
    assert_allclose(both.mean, np.tile(one.mean, 2), atol=1e-6)
    assert both.sample(3, np.random.default_rng(1)).shape == (3, forward.ndim)
    assert np.isfinite(both.log_density(both.sample(3, np.random.default_rng(1)))).all()


# Data


def test_examples_have_the_noise_and_the_prior_that_they_tell():
    """Residuals from exact times have the variance told, and scores that of the prior, correlations included."""
    rng = np.random.default_rng(17)
    survey = draw_survey(WHITE.model_copy(update={"white": 0.0}), 3, rng)
    found = simulate(survey, 600, np.full((600, 28), 0.05), rng)
    covariance = survey.prior.covariance(survey.grid)
    assert_allclose(np.cov(found.z.T), covariance, atol=0.25)
    assert abs(np.mean(np.diag(np.cov(found.z.T))) - 1) < 0.05
    exact = plan(survey)
    from vip.kernels_c.eikonal2d import travel_times

    residual = (found.times - travel_times(survey.prior.velocity(found.z), exact)) / found.sigma
    assert abs(residual.std() - 1) < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_surveys_stay_within_their_settings(seed):
    settings = SurveySettings()
    examples = draw_examples(settings, 2, 2, np.random.default_rng(seed))
    survey = examples.survey
    assert survey.grid.contains(survey.ends.reshape(-1, 2)).all()
    assert 1 <= len(survey.ends) <= settings.most_paths
    assert settings.ratio[0] <= survey.prior.upper / survey.prior.lower <= settings.ratio[1]


# Refusals


def wrong(key, value):
    """A problem with one wrong value, and what the message must name."""
    survey, times, sigma = random_problem(18)
    if key == "time":
        times = times.copy()
        times[4] = value
    if key == "sigma":
        sigma = sigma.copy()
        sigma[2] = value
    if key == "station":
        survey.ends[3, 1] = value
    if key == "same":
        survey.ends[5, 1] = survey.ends[5, 0]
    if key == "bounds":
        survey = survey._replace(prior=Prior(*value))
    return survey, times, sigma


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("time", math.nan, "path 5: time: nan: must be a positive number"),
        ("time", -1.0, "path 5: time: -1.0: must be a positive number"),
        ("time", 900.0, r"path 5: velocity: .* lies beyond the prior's bounds, 1.8 to 4 km/s, by more than 5 sigma"),
        ("sigma", 0.0, "path 3: sigma: 0.0: must be a positive number"),
        ("station", (99.0, 0.0), r"path 4: station: \[99.0, 0.0\]: lies outside the grid; enlarge it"),
        ("same", None, "path 6: .*: both stations are in one place; remove the path"),
        ("bounds", (4.0, 1.8), "prior: .*: needs a lower and a higher bound"),
    ],
)
def test_data_that_cannot_be_used_are_named(key, value, message):
    with pytest.raises(ConfigError, match=message):
        NETWORK.map(*wrong(key, value))


def test_too_few_stations():
    survey, times, sigma = random_problem(19, n_stations=3)
    with pytest.raises(ConfigError, match="stations: 3: at least 4 are needed"):
        NETWORK.map(survey, times, sigma)


def test_a_prior_that_differs_between_nodes_is_refused():
    survey, times, sigma = random_problem(20)
    picks = Picks(["a", "b"], survey.ends[0], np.array([0]), np.array([1]), times[:1], sigma[:1])
    with pytest.raises(ConfigError, match=r"prior.velocity.lower: .*: the network knows one bound"):
        NETWORK.posterior(Tomo2D(survey.grid, {"": picks}), np.linspace(1, 2, 30), 4.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draws": (1, 7)}, "draws: 7: draws come in pairs"),
        ({"surveys": {"sigma": (0.1, 0.01)}}, "sigma: .*: the lowest comes first"),
        ({"surveys": {"ratio": (1.0, 2.0)}}, "ratio: 1.0: the upper bound"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        AmortisedSettings.model_validate(settings)


def test_an_unknown_file_is_no_network(tmp_path):
    file = tmp_path / "other.safetensors"
    file.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"other\.safetensors: is no network that this version can read"):
        Network.load(file)


def test_the_noise_prior_goes_with_an_unknown_noise():
    survey, times, sigma = random_problem(21)
    picks = Picks(["a", "b"], survey.ends[0], np.array([0]), np.array([1]), times[:1], sigma[:1])
    with pytest.raises(ConfigError, match="unknown_noise: False: give a prior"):
        NETWORK.posterior(Tomo2D(survey.grid, {"": picks}), 1.8, 4.0, noise=NoisePrior())
