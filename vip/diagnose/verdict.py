"""The verdict of the diagnostics on a run, in plain words: what is wrong, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vip.diagnose.statistics import MIN_TRACE, Convergence, chi2_range, convergence, is_rising, pareto_k, spread_entries
from vip.errors import StoreError
from vip.methods import SVGD, ChainMethod, Nested, Pathfinder, ProjectedSVGD, VariationalMethod
from vip.protocols import Floats
from vip.runs.result import Result

N_CHECKED = 200
"""Number of entries of the model that are checked for convergence."""
MAX_R_HAT = 1.05
TOLERATED = 0.05
"""Share of entries that may be beyond a limit: among many, some are by chance."""
MIN_ESS = 400
"""Effective sample size below which neither R-hat nor quantiles can be trusted (Vehtari et al. 2021)."""
CHAIN_ESS = 10
"""Effective samples for each chain at which R-hat is 1.05: its square is 1 + chains / ESS (Vats & Knudson 2021)."""
FURTHEST = 10
"""Largest factor by which a guess extends the samples that there are."""
GOOD_K, MAX_K = 0.5, 0.7
"""Limits of the shape k of importance ratios (Vehtari et al. 2024)."""
LEAST_SPREAD, MOST_SPREAD = 0.7, 2.0
"""Limits of the variance of particles over that of the posterior."""
MAX_RANKS, MAX_MEMORY = 4.0, 0.7
"""Limits of the ranks of new live points, in standard deviations, and of the correlation of a walk's end with its start."""
SURE = 3
"""Standard deviations of chance that a number must be away from its limit."""
CHI2_MARGIN = 0.1
"""Distance of chi^2 per datum from 1 that is no fault: with many data, less is significant."""

SUFFICIENT = ("Chains", "Approximation", "Spread", "Weights")
"""Names of the diagnoses, one for each kind of algorithm, without which a run is not judged."""


class Diagnosis(NamedTuple):
    """Finding of one diagnostic."""

    name: str
    finding: str
    """What was found, in a phrase."""
    fault: str = ""
    """What is wrong, in two or three words; empty if nothing is."""
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.fault}: {self.finding}; {self.remedy}" if self.fault else self.finding


def verdict(diagnoses: Sequence[Diagnosis]) -> str:
    """The first fault of the diagnoses, which come in order of weight; "converged" if they suffice and find none."""
    faults = [diagnosis for diagnosis in diagnoses if diagnosis.fault]
    if faults:
        return str(faults[0])
    if any(diagnosis.name in SUFFICIENT for diagnosis in diagnoses):
        return "converged: no diagnostic finds a fault"
    return "not judged: no diagnostic finds a fault, but those that could were not made"


def without_evaluations(result: Result, n_checked: int = N_CHECKED) -> list[Diagnosis]:
    """Diagnoses of a run that need no forward: of chains, of approximations, and whether the iterations were enough."""
    settings = result.problem.config.algorithm
    if result.status == "finished" and result.is_weighted:
        return [*_of_live_points(result), judge_weights(result.effective_size, len(result.flat))]
    match settings:
        case Nested():
            return _of_live_points(result)
        case ChainMethod():
            found = [_of_chains(result, settings, n_checked), _of_trace(result, "log_density", settings.burn_in)]
        case Pathfinder() | VariationalMethod():
            found = [_of_ascent(result, settings), _of_ratios(result)]
        case _:
            found = [_of_trace(result, "log_density", settings.iterations // 2)]
    return [diagnosis for diagnosis in found if diagnosis is not None]


def _of_chains(result: Result, settings: ChainMethod, n_checked: int) -> Diagnosis | None:
    try:
        chains = result.entries(spread_entries(result.problem.free_entries, n_checked))
    except StoreError:  # still in burn-in
        return None
    found = convergence(chains)
    return None if found is None else judge_chains(found, len(chains), settings, result.path)


def judge_chains(found: Convergence, n_chains: int, settings: ChainMethod, run_dir: Path | None) -> Diagnosis:
    """Diagnosis of `n_chains` chains from R-hat and effective sample sizes."""
    apart, least = float(np.mean(found.r_hat > MAX_R_HAT)), np.minimum(found.bulk_ess, found.tail_ess)
    few = float(np.mean(least < MIN_ESS))
    wanted = max(MIN_ESS, CHAIN_ESS * n_chains)
    remedy = go_on(run_dir, _iterations(least, wanted, settings))
    if apart > TOLERATED:
        return Diagnosis("Chains", f"R-hat above {MAX_R_HAT} in {apart:.0%} of entries", "not converged", remedy)
    if few > TOLERATED:
        finding = f"fewer than {MIN_ESS} effective samples in {few:.0%} of entries, {np.median(least):,.0f} in the median"
        return Diagnosis("Chains", finding, "too few samples", remedy)
    return Diagnosis("Chains", str(found))


def go_on(run_dir: Path | None, iterations: int) -> str:
    """In words, how to give a run more iterations, with its directory or in memory."""
    if run_dir is None:
        return f"run with iterations={iterations}"
    return f"run on with `vip resume {run_dir} --iterations {iterations}`"


def _iterations(effective: Floats, wanted: int, settings: ChainMethod) -> int:
    """Iterations, to two digits, after which nearly all entries have the effective samples wanted: they grow in proportion."""
    factor = np.clip(wanted / np.quantile(effective, TOLERATED), 1.5, FURTHEST)
    total = settings.burn_in + factor * (settings.iterations - settings.burn_in)
    unit = 10 ** (math.floor(math.log10(total)) - 1) if total >= 10 else 1
    return math.ceil(total / unit) * unit


def judge_weights(effective: float, n: int) -> Diagnosis:
    """Diagnosis of n weighted samples from their effective size."""
    text = f"{n:,} weighted samples are worth {effective:,.0f} of equal weight"
    if effective >= MIN_ESS:
        return Diagnosis("Weights", text)
    return Diagnosis("Weights", f"{text}, fewer than {MIN_ESS}", "too few samples", "start anew with more particles")


def _of_live_points(result: Result) -> list[Diagnosis]:
    """Diagnoses of nested sampling from what its last step reports; none of other methods."""
    metrics, settings = result.store.metrics(), result.problem.config.algorithm
    if not isinstance(settings, Nested) or not metrics:
        return []
    last = metrics[-1]
    found = judge_live_points(last["remaining"], last["ranks"], last["memory"])
    left = last["remaining"] > settings.remaining
    return [found[0]._replace(fault="not converged", remedy=_more_iterations(result)) if left else found[0], *found[1:]]


def judge_live_points(remaining: float, ranks: float, memory: float) -> list[Diagnosis]:
    """Diagnoses of nested sampling: of the evidence left, of the ranks of new points, and of what walks remember.

    Parameters
    ----------
    remaining : float
        Share of the evidence that the live points may still hold.
    ranks : float
        Sum of the ranks of new live points among the others less what is expected of prior draws, in standard deviations.
    memory : float
        Correlation of the ends of walks with their starts, in the entry where it is largest.
    """
    left = Diagnosis("Evidence left", f"the live points hold at most {remaining:.2%} of the evidence")
    finding = f"the ranks of new live points are {abs(ranks):.1f} standard deviations from those of draws of the prior"
    remedy = "start anew with more `moves`"
    where = "high" if ranks > 0 else "low"
    of_ranks = Diagnosis("Ranks", finding)
    if abs(ranks) > MAX_RANKS:
        of_ranks = Diagnosis("Ranks", f"{finding}, too {where}", "evidence biased", remedy)
    finding = f"walks end at a correlation of {memory:.2f} with where they begin, in the entry where it is largest"
    of_walks = Diagnosis("Walks", finding)
    if memory > MAX_MEMORY:
        remedy = f"{remedy}, or more `particles` where modes exchange no live points: their masses are left to chance"
        of_walks = Diagnosis("Walks", finding, "walks too short", remedy)
    return [left, of_ranks, of_walks]


def _of_trace(result: Result, key: str, first: int) -> Diagnosis | None:
    """Whether what is recorded under a key still rises."""
    trace = np.array([line.get(key, np.nan) for line in result.store.metrics()])[first:]
    name = "ELBO" if key == "elbo" else "Log-posterior"
    if not is_rising(trace, result.problem.space.size):
        return Diagnosis(name, f"the {_inside(name)} no longer rises") if len(trace) >= MIN_TRACE else None
    return Diagnosis(name, f"the {_inside(name)} was still rising", "not converged", _more_iterations(result))


def _more_iterations(result: Result) -> str:
    settings = result.problem.config.algorithm
    if isinstance(settings, ChainMethod):
        return "start anew with a longer burn_in or warm_up"
    return go_on(result.path, 2 * settings.iterations)


def _of_ratios(result: Result) -> Diagnosis | None:
    checkpoint = result.store.checkpoint()
    k = None if checkpoint is None else pareto_k(np.ravel(checkpoint.arrays.get("log_ratios", [])))
    return None if k is None else judge_ratios(k)


def judge_ratios(k: float) -> Diagnosis:
    """Diagnosis of an approximation from the shape k of the tail of importance ratios."""
    finding = f"importance ratios of posterior and approximation have a tail of k = {k:.2g}"
    if k < MAX_K:
        return Diagnosis("Approximation", f"{finding}: {'close' if k < GOOD_K else 'fair'}")
    remedy = "try a richer covariance or flow, and compare means and deviations with those of chains"
    return Diagnosis("Approximation", f"{finding}, above {MAX_K}", "not the posterior", remedy)


def _of_ascent(result: Result, settings: Pathfinder | VariationalMethod) -> Diagnosis | None:
    """Whether the ascent ended by itself, before its last iteration; or, if it may not, whether it still rises."""
    checkpoint = result.store.checkpoint()
    if isinstance(settings, VariationalMethod) and settings.halvings == 0:
        return _of_trace(result, "elbo", settings.iterations // 2)
    if checkpoint is None or checkpoint.status != "finished":
        return None
    if checkpoint.iteration < settings.iterations:
        return Diagnosis("ELBO", f"the ascent ended by itself after {checkpoint.iteration:,} iterations")
    finding = f"the ascent took all its {settings.iterations:,} iterations, and gains something yet"
    return Diagnosis("ELBO", finding, "not converged", _more_iterations(result))


def judge_spread(spread: float, n: int, result: Result) -> Diagnosis | None:
    """Diagnosis of SVGD from the variance of its particles over the posterior's, by gradients at n of them; else None."""
    settings, d = result.problem.config.algorithm, result.problem.space.size
    if not isinstance(settings, SVGD | ProjectedSVGD):
        return None
    finding = (
        f"the variance of the particles is {spread:.2g} times the posterior's, by Stein's identity; "
        f"{settings.particles:,} particles for {d:,} parameters"
    )
    chance = SURE * np.sqrt(2 / (n * d))
    if spread > MOST_SPREAD + chance or spread < 0:
        return Diagnosis("Spread", f"{finding}: they have not arrived", "not converged", _more_iterations(result))
    if spread >= LEAST_SPREAD - chance:
        return Diagnosis("Spread", finding)
    remedy = (
        "do not use their standard deviations: particles fewer than parameters lose spread (Ba et al. 2022); "
        "a local kernel, projected-svgd or chains keep it"
    )
    return Diagnosis("Spread", finding, "collapsed", remedy)


def judge_fit(chi2: float, n_data: int) -> Diagnosis:
    """Diagnosis of the data fit from the samples' mean chi^2 per datum."""
    low, high = chi2_range(n_data)
    finding = f"χ² per datum {chi2:.3g}, where {low:.2f} to {high:.2f} is expected if noise and physics are right"
    if chi2 > max(high, 1 + CHI2_MARGIN):
        remedy = "the run has not converged, sigma is too small, or the forward lacks some physics"
        return Diagnosis("Data fit", finding, "data fitted too badly", remedy)
    if chi2 < min(low, 1 - CHI2_MARGIN):
        return Diagnosis(
            "Data fit", finding, "data fitted too well", "sigma is too large, or the prior leaves too much freedom"
        )
    return Diagnosis("Data fit", finding)


def _inside(name: str) -> str:
    """A name as it is written inside a sentence."""
    return name if name.isupper() else name[0].lower() + name[1:]
