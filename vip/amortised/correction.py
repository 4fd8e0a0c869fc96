"""From a proposal to the posterior, with the exact likelihood: by importance weights where they are good, else by chains.

Weights are smoothed in their tail, whose shape k says whether they can be relied on (Vehtari, Simpson, Gelman, Yao & Gabry
2024). Chains are those of Hamiltonian Monte Carlo, from draws of the proposal and in the metric of their covariance: even a
proposal too narrow or too wide to be reweighted has the scales and correlations of the posterior.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vip.amortised.prediction import N_DRAWS, Prediction, drawn
from vip.config import Plan
from vip.diagnose.statistics import convergence, smoothed_weights, spread_entries
from vip.diagnose.verdict import MAX_K, MAX_R_HAT, MIN_ESS
from vip.inference.loop import Record
from vip.inference.proposed import InTheta
from vip.methods import HMC
from vip.protocols import Floats
from vip.rng import Purpose, stream
from vip.runs.inversion import steps
from vip.runs.memory import Memory
from vip.runs.problem import Problem
from vip.runs.result import Result

MOST_DRAWS = 20_000
"""Largest number of draws to be reweighted: chains need fewer evaluations than more of them."""
CHAINS = HMC(particles=16, iterations=4000, burn_in=60, leapfrog_steps=10, start="network", metric="network")
FIRST, GROWTH = 60, 1.4
"""Number of iterations after burn-in before chains are first judged, and by what factor it grows until the next time."""
N_CHECKED = 100
"""Number of entries that are judged."""


class Weighted(NamedTuple):
    """Draws of a proposal with importance weights."""

    models: Floats
    log_weights: Floats
    k: float
    """Shape of the tail of the ratios; infinite where too few of them are finite."""

    @property
    def effective_size(self) -> float:
        """Number of samples of equal weight that would be worth as much (Kong 1992); zero if no ratio is finite."""
        return float(1 / np.sum(np.exp(2 * self.log_weights))) if np.isfinite(self.log_weights).any() else 0.0


def correct(problem: Problem, n: int = N_DRAWS, tell: Callable[[Record], None] = lambda record: None) -> Prediction:
    """Samples of the exact posterior, from what the forward proposes.

    Parameters
    ----------
    problem : Problem
    n : int
        Number of draws that are reweighted first.
    tell : callable
        Called after each iteration, if chains are needed.

    Returns
    -------
    Prediction
        Draws with weights if the shape k of their tail is below 0.7 and they are worth 400 samples; else chains, with a warning
        if R-hat is not below 1.05 after the most iterations that are allowed.

    Raises
    ------
    ConfigError
        If the forward proposes nothing, or not for this prior or these data.
    ForwardError
        If the forward fails.
    """
    found = reweighted(problem, n)
    wanted = n * MIN_ESS / max(found.effective_size, 1.0)
    if found.k < MAX_K and n < wanted <= MOST_DRAWS:
        found = reweighted(problem, math.ceil(1.2 * wanted))
    tail = f"k = {found.k:.2f} from {len(found.models):,} draws, worth {found.effective_size:,.0f}"
    warnings = tuple(problem.proposal.warnings)
    if found.k < MAX_K and found.effective_size >= MIN_ESS:
        rows = {"Samples": f"{len(found.models):,} weighted draws of the network", "Importance weights": tail}
        return Prediction("reweighted", drawn(problem, found.models, found.log_weights), rows, warnings)
    result, rows, unfinished = _chains(problem, tell)
    return Prediction("sampled", result, rows | {"Importance weights": f"{tail}: not used"}, warnings + unfinished)


def reweighted(problem: Problem, n: int) -> Weighted:
    """Draws (n, d) of the proposal with smoothed logarithms (n,) of the ratios of posterior and proposal, normalised."""
    proposal = InTheta(problem.proposal, problem.transform)
    theta = proposal.sample(n, stream(problem.config.seed, 0, Purpose.PROPOSE))
    ratios = problem.log_density(theta).value - proposal.log_density(theta)
    log_weights, k = smoothed_weights(ratios)
    return Weighted(problem.transform.to_model(theta), log_weights, k)


def _chains(problem: Problem, tell: Callable[[Record], None]) -> tuple[Result, dict[str, str], tuple[str, ...]]:
    """Chains from the proposal's draws until they agree; what they cost and found, and a warning if they do not agree."""
    plan = Plan(seed=problem.config.seed, algorithm=CHAINS, dispatch=problem.config.dispatch, run=problem.config.run)
    planned = problem.planned(plan)
    memory, kept, judged_at = Memory(plan.seed), [], FIRST
    entries = spread_entries(problem.free_entries, N_CHECKED)
    agree, finding = False, "none"
    for record in steps(planned):
        memory.log_metrics(record.iteration, record.info, record.seconds, record.more)
        tell(record)
        kept += [] if record.samples is None else [record.samples.models]
        if len(kept) < judged_at and not record.is_last:
            continue
        judged_at = math.ceil(GROWTH * judged_at)
        second = kept[len(kept) // 2 :]  # where chains were on their way, samples of the first half are not the posterior's
        found = convergence(np.array([models[:, entries] for models in second]).swapaxes(0, 1))
        if found is None:
            continue
        agree, finding = float(found.r_hat.max()) < MAX_R_HAT, str(found)
        if agree and np.median(found.bulk_ess) >= MIN_ESS:  # of fewer, R-hat cannot be trusted
            break
    for i, models in enumerate(second):
        memory.append(record.iteration - len(second) + 1 + i, models)
    memory.commit(record.iteration, "finished", record.state)
    rows = {
        "Samples": f"{len(second) * CHAINS.particles:,} of {CHAINS.particles} chains from draws of the network",
        "Chains": finding,
        "Evaluations": f"{memory.evaluations + len(kept[0]):,} models in {record.iteration:,} iterations",
    }
    unfinished = () if agree else (f"the chains do not agree after {record.iteration:,} iterations: use `vip run` with more",)
    return Result(memory, planned), rows, unfinished
