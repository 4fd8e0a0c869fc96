"""Priors: densities that integrate to one, gradients that are theirs, samples that follow them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from vip.inference.priors import Bounded, CorrelatedUniform, Gaussian, Joint, Uniform, _truncated_normal, matern, node_spacing
from vip.protocols import Variable

N = 20_000
Z = 4.5
"""Largest error in standard errors; seeds are fixed."""

COVARIANCE = np.array([[1.0, 0.6], [0.6, 2.0]])
ROTATED = np.array([[0.5, -0.2], [-0.2, 0.3]])


def grid(shape, spacing=(1.0, 1.0), units="km"):
    axes = {name: step * np.arange(n) for name, step, n in zip("yx", spacing, shape, strict=False)}
    return Variable("v", "km/s", tuple(axes), axes, coord_units=dict.fromkeys(axes, units))


def dense_covariance(prior):
    return np.linalg.inv(prior.precision.toarray())


PRIORS = {
    "uniform": Uniform(np.array([-1.0, 2.0]), np.array([0.5, 4.0])),
    "diagonal": Gaussian.diagonal(np.array([1.0, -2.0]), np.array([0.5, 1.5])),
    "full": Gaussian.full(np.array([1.0, -2.0]), COVARIANCE),
    "smooth": Gaussian.smooth(np.array([1.0, -2.0]), 0.8, 2.0, grid((2,))),
    "product": Gaussian.full(np.array([1.0, -2.0]), COVARIANCE).times(Gaussian.full(np.array([0.0, 1.0]), ROTATED)),
    "joint": Joint(
        [Uniform(np.array([-1.0]), np.array([0.5])), Gaussian.diagonal(np.array([2.0]), np.array([0.5]))],
    ),
}
BOUNDED = Bounded(Uniform(np.array([0.5, -3.0]), np.array([2.0, -1.0])), Gaussian.full(np.array([1.0, -2.0]), COVARIANCE))


def midpoints():
    """Middles (n, 2) of cells and their area: bounds lie between cells, so that sums are integrals to rounding."""
    middle = np.linspace(-12, 12, 961)[:-1] + 0.0125
    return np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2), 0.025**2


each = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
each_and_bounded = pytest.mark.parametrize("prior", [*PRIORS.values(), BOUNDED], ids=[*PRIORS, "bounded"])


def assert_moments(samples, mean, covariance):
    """Sample means and covariances within their standard errors, those of Gaussians and so no less than of bounded ones."""
    variance = np.diag(covariance)
    n = len(samples)
    assert_array_less_equal(np.abs(samples.mean(axis=0) - mean), Z * np.sqrt(variance / n))
    error = np.sqrt((covariance**2 + np.outer(variance, variance)) / n)
    assert_array_less_equal(np.abs(np.cov(samples.T) - covariance), Z * error)


def assert_array_less_equal(a, b):
    assert (a <= b).all(), f"{a} exceeds {b}"


@each
def test_densities_are_normalised(prior):
    points, cell = midpoints()
    assert np.exp(prior.log_density(points)[0]).sum() * cell == pytest.approx(1, abs=1e-9)


@each_and_bounded
def test_gradients_are_those_of_the_values(prior):
    rng = np.random.default_rng(1)
    models, h = prior.sample(20, rng), 1e-5
    _, gradient = prior.log_density(models)
    for k, step in enumerate(h * np.eye(2)):
        up, down = prior.log_density(models + step)[0], prior.log_density(models - step)[0]
        inside = np.isfinite(up) & np.isfinite(down)
        # Quadratic densities have exact central differences: rounding of values of size 10 over h is left.
        assert_allclose(gradient[inside, k], (up - down)[inside] / (2 * h), atol=1e-8)
        assert inside.sum() > 15


@each
def test_samples_have_the_moments_of_the_density(prior):
    """Moments by quadrature over the density itself."""
    points, cell = midpoints()
    weight = np.exp(prior.log_density(points)[0]) * cell
    mean = weight @ points
    covariance = (points - mean).T @ (weight[:, None] * (points - mean))
    assert_moments(prior.sample(N, np.random.default_rng(2)), mean, covariance)


def test_a_value_does_not_depend_on_its_batch():
    """Models have many entries here, since their sums depend on the layout of arrays."""
    smooth = Gaussian.smooth(np.full(195, 3.0), 0.3, 2.0, grid((13, 15)))
    prior = Joint([Bounded(Uniform(np.full(195, 1.0), np.full(195, 5.0)), smooth), smooth.times(smooth)])
    models = np.random.default_rng(3).uniform(2, 4, (20, 390))
    value, gradient = prior.log_density(models)
    for i in range(20):
        assert_array_equal(prior.log_density(models[i : i + 1])[0], value[i : i + 1])
        assert_array_equal(prior.log_density(models[i : i + 1])[1], gradient[i : i + 1])


def test_outside_a_uniform_prior_there_is_nothing():
    value, _ = PRIORS["uniform"].log_density(np.array([[-1.0, 4.0], [-1.001, 3.0], [0.0, 4.001]]))
    assert np.isfinite(value).tolist() == [True, False, False]


def test_a_large_smooth_prior_has_the_value_of_its_dense_form():
    prior = Gaussian.smooth(np.linspace(2, 4, 48), 0.3, 2.5, grid((6, 8)))
    models = prior.sample(5, np.random.default_rng(4))
    expected = stats.multivariate_normal(prior.mean, dense_covariance(prior)).logpdf(models)
    assert_allclose(prior.log_density(models)[0], expected, rtol=1e-10)
    assert_moments(prior.sample(N, np.random.default_rng(5)), prior.mean, dense_covariance(prior))


def test_a_product_of_gaussians_is_proportional_to_both_densities():
    """And normalised: the difference is constant."""
    a, b = Gaussian.smooth(np.full(9, 3.0), 0.4, 2.0, grid((3, 3))), Gaussian.diagonal(np.arange(9.0), np.full(9, 2.0))
    models = np.random.default_rng(6).normal(3, 2, (10, 9))
    product = a.times(b)
    difference = product.log_density(models)[0] - a.log_density(models)[0] - b.log_density(models)[0]
    assert_allclose(difference, difference[0], rtol=1e-10)
    covariance = np.linalg.inv(np.linalg.inv(dense_covariance(a)) + np.eye(9) / 4)
    expected = stats.multivariate_normal(product.mean, covariance).logpdf(models)
    assert_allclose(product.log_density(models)[0], expected, rtol=1e-10)


def test_a_covariance_that_is_none_is_refused():
    with pytest.raises(np.linalg.LinAlgError):
        Gaussian.full(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))


# Smoothness


def from_middle(prior, variable):
    """Standard deviation in the middle, and correlations (shape) of all nodes with it."""
    middle = tuple(n // 2 for n in variable.shape)
    unit = np.zeros(variable.size)
    unit[np.ravel_multi_index(middle, variable.shape)] = 1
    covariance = prior._solve(unit)
    variance = covariance[unit == 1][0]
    return np.sqrt(variance), (covariance / variance).reshape(variable.shape), middle


MATERN_AT_LENGTH = 0.139
"""k K_1(k) with k = sqrt(8): correlation of a Matern field of smoothness 1 at its correlation length."""


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 2.0), (-2.0, 1.0)], ids=["square", "wide", "tall, decreasing"])
def test_smooth_is_a_matern_field_on_a_fine_grid(spacing):
    """sigma in the middle; the correlation of the continuous field in both directions, to 1 % of discretisation."""
    length, sigma = 20.0, 0.7
    variable = grid((161, 161), spacing)
    sd, correlation, (row, column) = from_middle(Gaussian.smooth(np.zeros(161**2), sigma, length, variable), variable)
    assert sd == pytest.approx(sigma, rel=1e-9)
    along_rows = correlation[row + round(length / abs(spacing[0])), column]
    along_columns = correlation[row, column + round(length / abs(spacing[1]))]
    assert_allclose([along_rows, along_columns], MATERN_AT_LENGTH, atol=0.01)


def test_smooth_counts_degrees_in_km():
    """100 km are 0.9 degrees of latitude, and at 60 N 1.8 degrees of longitude."""
    latitude, longitude = 66.0 - 0.1 * np.arange(121), 0.2 * np.arange(121)
    units = {"latitude": "degrees_north", "longitude": "degrees_east"}
    coords = {"latitude": latitude, "longitude": longitude}
    variable = Variable("v", "km/s", ("latitude", "longitude"), coords, coord_units=units)
    assert_allclose(node_spacing(variable), 11.1195, rtol=1e-4)
    _, correlation, (row, column) = from_middle(Gaussian.smooth(np.zeros(121**2), 1, 111.195, variable), variable)
    assert_allclose([correlation[row + 10, column], correlation[row, column + 10]], MATERN_AT_LENGTH, atol=0.01)


def test_smooth_leaves_periods_independent():
    plain, periods = grid((9, 8)), np.array(["8 s", "10 s", "12 s"])
    variable = Variable("v", "km/s", ("period", *plain.dims), {"period": periods, **plain.coords})
    together = dense_covariance(Gaussian.smooth(np.zeros(216), 0.5, 3.0, variable))
    alone = dense_covariance(Gaussian.smooth(np.zeros(72), 0.5, 3.0, plain))
    assert_allclose(together, np.kron(np.eye(3), alone), atol=1e-9)


# Bounds


def test_bounded_samples_are_those_of_rejection():
    rng = np.random.default_rng(7)
    candidates = BOUNDED.gaussian.sample(400_000, rng)
    kept = candidates[np.all((candidates >= BOUNDED.lower) & (candidates <= BOUNDED.upper), axis=1)]
    samples = BOUNDED.sample(N, rng)
    assert len(kept) > 2 * N
    for statistic in (lambda x: x, lambda x: x**2, lambda x: x[:, :1] * x[:, 1:]):
        a, b = statistic(samples), statistic(kept)
        error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
        assert_array_less_equal(np.abs(a.mean(axis=0) - b.mean(axis=0)), Z * error)
    for k in range(2):
        assert stats.ks_2samp(samples[:, k], kept[:, k]).pvalue > 1e-4


@pytest.mark.parametrize("length", [40.0, 200.0])
def test_bounds_that_do_not_matter_change_nothing(length):
    """Ten standard deviations away. 20 km between nodes: long correlations are what a Gibbs sampler is slow for."""
    variable, n = grid((12, 12), (20.0, 20.0)), 400
    field = Gaussian.smooth(np.full(144, 3.0), 0.3, length, variable)
    prior = Bounded(Uniform(np.zeros(144), np.full(144, 6.0)), field)
    samples = prior.sample(n, np.random.default_rng(8))
    # Variances of single nodes and of the mean over the grid, in which long wavelengths are all.
    exact = dense_covariance(field)
    nodes = samples.var(axis=0).mean() / np.diag(exact).mean()
    mean = samples.mean(axis=1).var() / exact.mean()
    # Standard error of a variance: sqrt(2 / n); that of the average over nodes is no larger.
    assert nodes == pytest.approx(1, abs=Z * np.sqrt(2 / n))
    assert mean == pytest.approx(1, abs=Z * np.sqrt(2 / n))


@pytest.mark.parametrize("away", [-12.0, -9.0, -3.0, 0.0, 3.0, 9.0, 12.0])
def test_truncated_normal_far_out(away):
    """Mean distance from the nearer bound against scipy, on either side; draws stay inside, where theta is finite."""
    n = 10_000
    lower, upper = np.full(n, -1.0), np.full(n, 1.0)
    centre = np.full(n, away + np.sign(away))
    draws = _truncated_normal(centre, np.ones(n), lower, upper, np.random.default_rng(9))
    exact = stats.truncnorm(lower[0] - centre[0], upper[0] - centre[0], loc=centre[0])
    assert draws.mean() == pytest.approx(exact.mean(), abs=Z * exact.std() / np.sqrt(n))
    assert draws.std() == pytest.approx(exact.std(), rel=Z * np.sqrt(2 / n))  # of an exponential: kurtosis 9
    assert ((draws > -1) & (draws < 1)).all()


def test_joint_keeps_its_parts_apart():
    parts = [Uniform(np.zeros(2), np.ones(2)), Gaussian.full(np.array([5.0, -5.0]), COVARIANCE), PRIORS["uniform"]]
    prior = Joint(parts)
    models = prior.sample(7, np.random.default_rng(10))
    value, gradient = prior.log_density(models)
    pieces = [part.log_density(models[:, 2 * i : 2 * i + 2]) for i, part in enumerate(parts)]
    assert_allclose(value, sum(piece[0] for piece in pieces), rtol=1e-14)
    assert_array_equal(gradient, np.concatenate([piece[1] for piece in pieces], axis=1))
    assert_array_equal(prior.lower, [0, 0, -np.inf, -np.inf, -1, 2])
    assert_array_equal(prior.upper, [1, 1, np.inf, np.inf, 0.5, 4])


CORRELATED = CorrelatedUniform(np.linspace(1.0, 1.5, 6), np.linspace(2.0, 4.0, 6), 2.5, grid((2, 3)))


def test_scores_of_a_correlated_uniform_prior_are_a_gaussian_field():
    """The density of the scores, with the slope of the map to models, is that of N(0, K) (scipy), and samples have K."""
    models = CORRELATED.sample(N, np.random.default_rng(4))
    share = (models - CORRELATED.lower) / (CORRELATED.upper - CORRELATED.lower)
    z, expected = stats.norm.ppf(share), matern(grid((2, 3)), 2.5)
    slope = np.log((CORRELATED.upper - CORRELATED.lower) * stats.norm.pdf(z)).sum(axis=1)
    exact = stats.multivariate_normal(np.zeros(6), expected).logpdf(z)
    assert_allclose(CORRELATED.log_density(models)[0] + slope, exact, atol=1e-9)
    assert_moments(z, np.zeros(6), expected)
    assert stats.kstest(share[:, 4], "uniform").pvalue > 1e-3
    apart = np.sqrt(3) / 2.5
    assert expected[0, 1] == pytest.approx((1 + apart) * np.exp(-apart))


def test_gradients_of_a_correlated_uniform_prior_are_those_of_the_values():
    models, h = CORRELATED.sample(20, np.random.default_rng(5)), 1e-6
    models = np.clip(models, CORRELATED.lower + 0.01, CORRELATED.upper - 0.01)
    _, gradient = CORRELATED.log_density(models)
    for k, step in enumerate(h * np.eye(6)):
        slope = (CORRELATED.log_density(models + step)[0] - CORRELATED.log_density(models - step)[0]) / (2 * h)
        assert_allclose(gradient[:, k], slope, atol=1e-5, rtol=1e-6)


def test_a_correlated_uniform_prior_ends_at_its_bounds():
    value, gradient = CORRELATED.log_density(np.stack([CORRELATED.lower, CORRELATED.upper + 0.1]))
    assert np.isfinite(value[0])
    assert value[1] == -np.inf
    assert np.isfinite(gradient).all()


def test_maps_of_periods_are_correlated_by_themselves():
    axes = {"period": np.array(["5 s", "8 s"]), "y": np.arange(2.0), "x": np.arange(3.0)}
    both = Variable("v", "km/s", ("period", "y", "x"), axes, coord_units={"y": "km", "x": "km"})
    prior = CorrelatedUniform(np.tile(CORRELATED.lower, 2), np.tile(CORRELATED.upper, 2), 2.5, both)
    models = prior.sample(7, np.random.default_rng(6))
    parts = [CORRELATED.log_density(models[:, part]) for part in (slice(0, 6), slice(6, 12))]
    value, gradient = prior.log_density(models)
    assert_allclose(value, parts[0][0] + parts[1][0])
    assert_allclose(gradient, np.concatenate([parts[0][1], parts[1][1]], axis=1))
    for i in range(7):
        assert_array_equal(prior.log_density(models[i : i + 1])[1], gradient[i : i + 1])
