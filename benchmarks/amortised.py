"""The shipped network for any stations beside the straight-ray posterior in closed form, and beside HMC.

    python benchmarks/amortised.py [--maps 400] [--problems 3] [--network FILE]

Surveys are those of the yardstick: 11 x 11 nodes, 16 stations anywhere on the grid, all 120 pairs, noise of 2 %, velocities
of white noise between 1.8 and 4 km/s; stations are new every 8 maps. Prints the gain over the prior at the true model (nats),
the coverage of cells and of joint regions, chi-square per datum of draws, and milliseconds of a map on one core; then, for some
problems, how means, standard deviations and correlations agree with those of HMC, and the divergence of HMC's Gaussian.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import vip
from vip.forward.tomo2d import Tomo2D
from vip.forward.tomo2d.amortised.examples import Examples, draw_examples
from vip.forward.tomo2d.amortised.graph import linear_posterior, mean_slowness, plan, straight_rays
from vip.forward.tomo2d.amortised.inference import Network
from vip.forward.tomo2d.amortised.posterior import Mixture
from vip.forward.tomo2d.amortised.settings import SurveySettings
from vip.forward.tomo2d.data import Picks
from vip.inference.priors import Uniform
from vip.kernels_c.eikonal2d import travel_times
from vip.methods import HMC

LEVELS = np.array([0.5, 0.9, 0.95])
AT_ONCE = 8
"""Number of maps with the same stations."""
YARDSTICK = SurveySettings(
    nodes=(11, 11),
    stations=(16, 16),
    kept=(1.0, 1.0),
    fill=(1.0, 1.0),
    sigma=(0.02, 0.02),
    uneven=0.0,
    ratio=(4 / 1.8, 4 / 1.8),
    white=1.0,
)
REFINEMENT = 5
INFLATION, EARLY = 2.5, 0.94
"""Factors on sigma and on the times of straight rays, which bent rays are ahead of, for the closed form: the best of a grid on
60 maps. Without them it is 240 nats worse than the prior."""


def straight_posterior(one: Examples, i: int) -> Mixture:
    """The closed form for straight rays: errors of the line are added to those of the data."""
    lengths = straight_rays(plan(one.survey))
    mean, slope, variance = mean_slowness(one.survey.prior)
    noise = (INFLATION * one.sigma[i]) ** 2 + (lengths**2).sum(axis=1) * variance
    late = one.times[i] - EARLY * lengths.sum(axis=1) * mean
    found, covariance = linear_posterior(lengths * slope, late, noise, one.survey.prior.covariance(one.survey.grid))
    return Mixture(one.survey.prior, np.zeros(1), found[None], np.linalg.inv(covariance)[None])


class Score:
    """What is counted over many maps."""

    def __init__(self) -> None:
        self.gain: list[float] = []
        self.cells: list[np.ndarray] = []
        self.joint: list[np.ndarray] = []
        self.chi2: list[float] = []
        self.seconds: list[float] = []

    def add(self, posterior: Mixture, one: Examples, i: int, seconds: float, rng: np.random.Generator) -> None:
        """Compare one posterior with the truth."""
        prior = one.survey.prior
        truth = prior.velocity(one.z[i])
        uniform = -len(truth) * np.log(prior.upper - prior.lower)
        draws = posterior.sample(500, rng)
        density, at_truth = posterior.log_density(draws), float(posterior.log_density(truth[None])[0])
        self.gain.append(at_truth - uniform)
        rank = (draws < truth).mean(axis=0)
        self.cells.append((abs(rank - 0.5)[:, None] <= LEVELS / 2).mean(axis=0))
        self.joint.append((density > at_truth).mean() <= LEVELS)
        times = travel_times(draws[:16], plan(one.survey))
        self.chi2.append(float((((times - one.times[i]) / one.sigma[i]) ** 2).mean()))
        self.seconds.append(seconds)

    def line(self) -> str:
        """One row of the table."""
        cells, joint = (" ".join(f"{x:.3f}" for x in np.mean(y, axis=0)) for y in (self.cells, self.joint))
        error = np.std(self.gain) / np.sqrt(len(self.gain))
        return (
            f"gain {np.mean(self.gain):6.1f} +- {error:.1f} (median {np.median(self.gain):.1f}, least {np.min(self.gain):.1f})"
            f"  cells {cells}  joint {joint}  chi2 {np.mean(self.chi2):.2f}  {1e3 * np.median(self.seconds):.0f} ms"
        )


def timed(function, *arguments):
    """Result, and seconds of this process."""
    start = time.process_time()
    found = function(*arguments)
    return found, time.process_time() - start


def compare_maps(network: Network, settings: SurveySettings, n: int, label: str) -> None:
    """Table of the network and the closed form on n maps."""
    ours, straight, warned = Score(), Score(), 0
    for group in range(n // AT_ONCE):
        rng = np.random.default_rng([group, 16])
        one = draw_examples(settings, AT_ONCE, REFINEMENT, rng)
        for i in range(AT_ONCE):
            (posterior, warnings), seconds = timed(network.map, one.survey, one.times[i], one.sigma[i])
            warned += bool(warnings)
            ours.add(posterior, one, i, seconds, rng)
            closed, seconds = timed(straight_posterior, one, i)
            straight.add(closed, one, i, seconds, rng)
    print(f"{label}: network   {ours.line()}  warned {warned / n:.3f}")
    print(f"{label}: straight  {straight.line()}", flush=True)


def forward_of(one: Examples, i: int) -> Tomo2D:
    """The same problem for the package's other methods."""
    places, index = np.unique(one.survey.ends.reshape(-1, 2), axis=0, return_inverse=True)
    source, receiver = index.reshape(-1, 2).T
    names = [str(k) for k in range(len(places))]
    return Tomo2D(one.survey.grid, {"": Picks(names, places, source, receiver, one.times[i], one.sigma[i])})


def compare_hmc(network: Network, number: int, iterations: int) -> np.ndarray:
    """Agreement with HMC on one problem: r of means and sds, rms of means in sds, log ratio of sds, r of correlations, KL."""
    rng = np.random.default_rng([number, 17])
    one = draw_examples(YARDSTICK, 1, REFINEMENT, rng)
    prior, nodes = one.survey.prior, one.z.shape[1]
    bounds = Uniform(np.full(nodes, prior.lower), np.full(nodes, prior.upper))
    method = HMC(particles=16, iterations=iterations, burn_in=250, warm_up=100, metric="low-rank", rank=100, leapfrog_steps=8)
    result, seconds = timed(lambda: vip.invert(forward_of(one, 0), bounds, method, seed=number))
    exact = prior.scores(result.flat)
    (posterior, _), ours = timed(network.map, one.survey, one.times[0], one.sigma[0])
    z = prior.scores(posterior.sample(4000, rng))
    mean, sd, correlation = exact.mean(axis=0), exact.std(axis=0), np.corrcoef(exact.T)
    strong = np.abs(np.triu(correlation, 1)) > 0.15
    covariance = np.cov(exact.T)
    precision = np.linalg.inv(np.cov(z.T))
    off = z.mean(axis=0) - mean
    log_ratio = -np.linalg.slogdet(precision)[1] - np.linalg.slogdet(covariance)[1]
    divergence = 0.5 * (np.trace(precision @ covariance) - nodes + off @ precision @ off + log_ratio)
    print(f"problem {number}: HMC {len(exact)} samples in {seconds:.0f} s, the network {1e3 * ours:.0f} ms", flush=True)
    return np.array(
        [
            np.corrcoef(z.mean(axis=0), mean)[0, 1],
            np.corrcoef(z.std(axis=0), sd)[0, 1],
            np.sqrt(np.mean((off / sd) ** 2)),
            np.mean(np.abs(np.log(z.std(axis=0) / sd))),
            np.corrcoef(np.corrcoef(z.T)[strong], correlation[strong])[0, 1],
            divergence,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=400)
    parser.add_argument("--problems", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=700)
    parser.add_argument("--network", type=Path)
    options = parser.parse_args()
    network = Network.load(options.network)
    compare_maps(network, YARDSTICK, options.maps, "yardstick")
    for stations in ((6, 8), (10, 13), (22, 29)):
        changed = YARDSTICK.model_copy(update={"stations": stations})
        compare_maps(network, changed, options.maps // 4, f"{stations[0]} to {stations[1]} stations")
    for sigma in (0.01, 0.04):
        compare_maps(network, YARDSTICK.model_copy(update={"sigma": (sigma, sigma)}), options.maps // 4, f"noise {sigma:.0%}")
    if options.problems:
        found = np.array([compare_hmc(network, number, options.iterations) for number in range(options.problems)])
        names = ("r means", "r sds", "rms means/sd", "abs log sd ratio", "r correlations", "KL")
        print("with HMC:", ", ".join(f"{name} {value:.3f}" for name, value in zip(names, found.mean(axis=0), strict=True)))


if __name__ == "__main__":
    main()
