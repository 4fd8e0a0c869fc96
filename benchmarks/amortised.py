"""The shipped network for any stations beside the straight-ray posterior in closed form, and beside HMC.

    python benchmarks/amortised.py [--maps 400] [--problems 3] [--network FILE] [--beside GRAPH_MDN]

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
from vip.forward.tomo2d.amortised.inference import Network
from vip.forward.tomo2d.amortised.judges import STRAIGHT, Judge, load_judge, of_network
from vip.forward.tomo2d.amortised.settings import SurveySettings
from vip.forward.tomo2d.amortised.yardsticks import REFINEMENT, groups, judged, yardstick
from vip.forward.tomo2d.data import Picks
from vip.inference.priors import Uniform
from vip.methods import HMC

YARDSTICK = yardstick(SurveySettings(white=1.0))
"""The yardstick of the network that is shipped."""


def timed(function, *arguments):
    """Result, and seconds of this process."""
    start = time.process_time()
    found = function(*arguments)
    return found, time.process_time() - start


def compare_maps(judges: list[Judge], kind: SurveySettings, n: int) -> None:
    """Table of the judges on n maps of one kind."""
    for judge, found in zip(judges, judged(judges, kind, n), strict=True):
        cells, joint = (" ".join(f"{x:.3f}" for x in share) for share, _ in (found.cells(), found.joint()))
        (gain, error), gains = found.mean("gain"), [mark.gain for mark in found.marks]
        print(
            f"{found.name}: {judge.name:13} gain {gain:6.1f} +- {error:.1f} (median {np.median(gains):.1f},"
            f" least {min(gains):.1f})  cells {cells}  joint {joint}"
            f"  chi2 {found.mean('chi2')[0]:.2f}  {1e3 * found.mean('seconds')[0]:.0f} ms",
            flush=True,
        )


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
    parser.add_argument("--beside", type=Path, help="a graph-mdn that `vip amortise train` made")
    options = parser.parse_args()
    network = Network.load(options.network)
    judges = [of_network(network), STRAIGHT, *([load_judge(options.beside)] if options.beside else [])]
    compare_maps(judges, YARDSTICK, options.maps)
    if options.maps >= 8:
        for kind in groups(SurveySettings(**network.about["surveys"])):
            compare_maps(judges, kind, options.maps // 4)
    if options.problems:
        found = np.array([compare_hmc(network, number, options.iterations) for number in range(options.problems)])
        names = ("r means", "r sds", "rms means/sd", "abs log sd ratio", "r correlations", "KL")
        print("with HMC:", ", ".join(f"{name} {value:.3f}" for name, value in zip(names, found.mean(axis=0), strict=True)))


if __name__ == "__main__":
    main()
