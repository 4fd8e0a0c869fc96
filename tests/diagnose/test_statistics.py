"""Diagnostics on distributions for which they are known in closed form, and the words made of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.algorithms import SVGD
from vip.algorithms.optimizers import Adam, Schedule
from vip.algorithms.stein_kernels import RBF
from vip.diagnose.statistics import (
    central_coverage,
    chi2_range,
    contraction,
    convergence,
    is_rising,
    pareto_k,
    spread_entries,
    stein_discrepancy,
    stein_kernel,
    stein_spread,
)
from vip.diagnose.verdict import Diagnosis, judge_chains, judge_fit, judge_ratios, verdict
from vip.methods import MALA
from vip.protocols import Evaluated

SETTINGS = MALA(particles=4, iterations=1000, burn_in=400)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def gaussian(rng, d):
    """A covariance that is far from diagonal, and its inverse."""
    factor = rng.standard_normal((d, d)) / np.sqrt(d) + np.eye(d)
    covariance = factor @ factor.T
    return covariance, np.linalg.inv(covariance)


def test_convergence_tells_stuck_chains_from_mixed_ones(rng):
    mixed = rng.standard_normal((4, 200, 3))
    found, stuck = convergence(mixed), convergence(mixed + 3 * np.arange(4)[:, None, None])
    assert found.r_hat.max() < 1.05 < 1.5 < stuck.r_hat.min()
    assert found.bulk_ess.min() > 400 > 20 > stuck.bulk_ess.max()
    assert convergence(mixed[:, :3]) is None
    assert convergence(mixed[:1]) is None


def test_effective_samples_in_the_tails_are_their_own(rng):
    """Chains that agree on the middle and visit their tails in long stays."""
    stays = np.repeat(np.where(rng.random((4, 20, 1)) < 0.15, 6.0, 0.3), 25, axis=1)
    found = convergence(stays * rng.standard_normal((4, 500, 1)))
    assert found.tail_ess[0] < 0.5 * found.bulk_ess[0]


def test_spread_entries_are_free_and_spread():
    free = np.arange(100) % 2 == 0
    chosen = spread_entries(free, 5)
    assert free[chosen].all()
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 98, 5)
    assert len(spread_entries(free, 500)) == 50


@pytest.mark.parametrize("k", [0.2, 0.6, 0.9])
def test_pareto_k_of_ratios_with_a_known_tail(rng, k):
    """Ratios exp(k E), E exponential, are Pareto distributed with shape k."""
    assert pareto_k(k * rng.exponential(size=20_000)) == pytest.approx(k, abs=0.08)


def test_pareto_k_tells_a_narrow_approximation_from_a_wide_one(rng):
    """Ratios of N(0, 1) and q = N(0, s^2): for s^2 < 1/2 they have no variance and k = 1 - s^2 > 1/2; a wide q bounds them."""

    def log_ratios(s):
        x = s * rng.standard_normal(20_000)
        return -(x**2) / 2 + (x / s) ** 2 / 2 + np.log(s)

    assert pareto_k(log_ratios(0.5)) > 0.5
    assert pareto_k(log_ratios(1.5)) < 0.1


def test_pareto_k_leaves_out_what_is_not_there_yet():
    assert pareto_k(np.full(1000, np.nan)) is None
    ratios = np.random.default_rng(1).standard_normal(100)
    assert pareto_k(np.append(np.full(900, np.nan), ratios)) == pareto_k(ratios)


@pytest.mark.parametrize(("n", "d"), [(2000, 5), (20, 400)])
def test_stein_spread_is_one_for_samples_of_the_posterior(rng, n, d):
    """Also of fewer samples than parameters, which span only a few directions."""
    covariance, precision = gaussian(rng, d)
    samples = rng.multivariate_normal(np.full(d, 3.0), covariance, n)
    gradient = -(samples - 3) @ precision
    assert stein_spread(samples, gradient) == pytest.approx(1, abs=5 * np.sqrt(2 / (n * d)))


def test_stein_spread_of_other_samples_is_the_trace_of_covariances(rng):
    """Tr(S^-1 C) / d; the samples' mean does not matter, which for a collapsed ensemble may be right or wrong."""
    (_, precision), (other, _) = gaussian(rng, 4), gaussian(rng, 4)
    samples = rng.multivariate_normal(np.full(4, -1.0), 0.1 * other, 100_000)
    expected = np.trace(precision @ (0.1 * other)) / 4
    assert stein_spread(samples, -samples @ precision) == pytest.approx(expected, rel=0.03)


def test_stein_spread_sees_the_collapse_of_svgd(rng):
    """15 particles keep a small part of the variance of a standard normal posterior in 60 dimensions (Ba et al. 2022)."""
    svgd = SVGD(15, Adam(Schedule(0.05)), RBF())
    state = svgd.init(rng.standard_normal((15, 60)))
    for _ in range(1500):
        state, _ = svgd.step(state, lambda x: Evaluated(-np.sum(x**2, axis=1) / 2, -x), rng)
    spread = stein_spread(state.particles, -state.particles)
    assert spread == pytest.approx(state.particles.var(axis=0, ddof=1).mean())  # of this posterior
    assert spread < 0.4


def test_stein_discrepancy_is_zero_on_average_under_the_target(rng):
    """And its bootstrap finds as many small p-values as there should be."""
    found = []
    for _ in range(200):
        samples = rng.standard_normal((60, 3)) * [1, 2, 0.5]
        found.append(stein_discrepancy(samples, -samples / np.array([1, 4, 0.25]), rng))
    squared, p_values = np.array(found).T
    assert abs(squared.mean()) < 4 * squared.std() / np.sqrt(200)
    assert np.mean(p_values < 0.1) < 0.2


@pytest.mark.parametrize(("scale", "shift"), [(0.5, 0.0), (1.0, 0.7), (2.0, 0.0)])
def test_stein_discrepancy_sees_samples_of_another_distribution(rng, scale, shift):
    samples = scale * rng.standard_normal((200, 3)) + shift
    found = stein_discrepancy(samples, -samples, rng)
    assert found.squared > 0
    assert found.p_value < 0.01


def test_stein_kernel_is_that_of_its_definition(rng):
    """Derivatives of the inverse multiquadric by central differences."""
    x, g, c, h = rng.standard_normal((2, 3)), rng.standard_normal((2, 3)), 1.3, 1e-4

    def k(a, b):
        return (c**2 + np.sum((a - b) ** 2)) ** -0.5

    steps = h * np.eye(3)
    by_a = np.array([(k(x[0] + e, x[1]) - k(x[0] - e, x[1])) / (2 * h) for e in steps])
    by_b = np.array([(k(x[0], x[1] + e) - k(x[0], x[1] - e)) / (2 * h) for e in steps])
    both = sum(
        (k(x[0] + e, x[1] + e) - k(x[0] + e, x[1] - e) - k(x[0] - e, x[1] + e) + k(x[0] - e, x[1] - e)) / (4 * h**2)
        for e in steps
    )
    expected = g[0] @ g[1] * k(*x) + g[0] @ by_b + g[1] @ by_a + both
    assert_allclose(stein_kernel(x, g, c)[0, 1], expected, rtol=1e-5)


def test_contraction_of_gaussians(rng):
    prior, posterior = 2 * rng.standard_normal((20_000, 2)), rng.standard_normal((20_000, 2)) * [1, 2]
    assert_allclose(contraction(prior, posterior), [0.75, 0], atol=0.04)


def test_central_coverage_is_the_diagonal_for_uniform_ranks_and_below_it_for_narrow_samples(rng):
    levels = np.linspace(0.1, 0.9, 9)
    assert_allclose(central_coverage(rng.random(20_000), levels), levels, atol=0.02)
    assert (central_coverage(rng.beta(0.5, 0.5, 20_000), levels) < levels - 0.02).all()


@pytest.mark.parametrize("n", [10, 400])
def test_chi2_range_holds_99_of_100(rng, n):
    low, high = chi2_range(n)
    chi2 = np.mean(rng.standard_normal((20_000, n)) ** 2, axis=1)
    assert np.mean(chi2 < low) == pytest.approx(0.005, abs=0.003)
    assert np.mean(chi2 > high) == pytest.approx(0.005, abs=0.003)


def test_rising_is_more_than_scatter(rng):
    noise = rng.standard_normal(200)
    assert not is_rising(noise, 2)
    assert is_rising(noise + 0.03 * np.arange(200), 2)
    smooth = np.linspace(0, 1, 200)  # without scatter: a rise counts if the samples' own deviation does not hide it
    assert is_rising(smooth, 2)
    assert not is_rising(smooth, 2000)
    assert not is_rising(np.arange(5.0), 2)


def test_words_for_chains(rng):
    mixed = rng.standard_normal((4, 600, 50))
    good = judge_chains(convergence(mixed), 4, SETTINGS, "runs/x")
    assert verdict([good]).startswith("converged")
    mixed[..., :10] += 3 * np.arange(4)[:, None, None]
    bad = judge_chains(convergence(mixed), 4, SETTINGS, "runs/x")
    assert verdict([bad, good]) == (
        "not converged: R-hat above 1.05 in 20% of entries; run on with `vip resume runs/x --iterations 6400`"
    )
    few = judge_chains(convergence(rng.standard_normal((4, 50, 20))), 4, SETTINGS, "runs/x")
    wanted = int(str(few).split("--iterations ")[1].rstrip("`"))
    assert few.fault == "too few samples"
    assert 400 + 600 * 400 / 250 < wanted < 400 + 600 * 400 / 60  # about 200 effective samples in 600 iterations, 400 wanted


def test_words_for_ratios_and_fit():
    assert [judge_ratios(k).fault for k in (0.3, 0.6, 0.8)] == ["", "", "not the posterior"]
    assert [judge_fit(chi2, 400).fault for chi2 in (0.7, 1.0, 1.3)] == ["data fitted too well", "", "data fitted too badly"]
    assert judge_fit(1.05, 100_000).fault == ""  # significant, and small


def test_no_diagnosis_is_no_convergence():
    assert verdict([]).startswith("not judged")
    assert verdict([Diagnosis("Log-posterior", "no longer rises")]).startswith("not judged")
