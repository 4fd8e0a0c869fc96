"""From the settings of an algorithm to the algorithm."""

from __future__ import annotations

from collections.abc import Callable

import scipy.sparse as sp

from vip.algorithms import ADVI, HMC, MALA, SGLD, SSVGD, SVGD, Metropolis, Pathfinder, ProjectedSVGD
from vip.algorithms.burn_in import BurnIn
from vip.algorithms.families import Family, LowRankGaussian, Triangular
from vip.algorithms.flow import Flow
from vip.algorithms.local_kernel import LocalRBF, neighbourhoods, within
from vip.algorithms.metrics import DIAGONAL, Covariance, Estimator, LowRank
from vip.algorithms.optimizers import OPTIMIZERS, Adam, Optimizer, Schedule
from vip.algorithms.stein_kernels import RBF, GroupRBF
from vip.algorithms.step_sizes import Scheduled, StepSize, TargetAcceptance, TargetError
from vip.algorithms.svgd import Annealing, Kernel
from vip.methods.settings import (
    ADVISettings,
    ChainSettings,
    FlowSettings,
    HMCSettings,
    MALASettings,
    MethodSettings,
    MetropolisSettings,
    PathfinderSettings,
    ProjectedSVGDSettings,
    SGLDSettings,
    SSVGDSettings,
    SVGDSettings,
    VariationalSettings,
)
from vip.protocols import Algorithm, Factorises, Floats, Target

CAUTION = 1e-3
"""First steps of chains without rejection, which could diverge, over those of chains with it."""


def build_algorithm(settings: MethodSettings, target: Target) -> Algorithm:
    """The algorithm that settings describe, for a target."""
    project = target.project
    match settings:
        case PathfinderSettings():
            return Pathfinder(settings.paths)
        case ADVISettings():
            start = Pathfinder(settings.paths) if settings.start == "pathfinder" else None
            return _variational(settings, _gaussian(settings, target), start, settings.start_iterations)
        case FlowSettings():
            return _variational(settings, Flow(target.space.size, settings.transforms, settings.hidden))
        case SVGDSettings():
            metric, annealing = _estimator(settings.metric, settings.rank), Annealing(settings.annealing, settings.cycles)
            return SVGD(settings.particles, _optimizer(settings), _kernel(settings, target), metric, annealing, project)
        case ProjectedSVGDSettings():
            log_prior = target.log_prior
            return ProjectedSVGD(settings.particles, _optimizer(settings), log_prior, settings.rank, project)
        case _:
            return _chains(settings, target.space.size, project)


def _kernel(settings: SVGDSettings, target: Target) -> Kernel:
    """Local ones are those of the groups where the problem falls apart into groups, else of neighbours on the grid."""
    if settings.kernel != "local":
        return _rbf(settings.bandwidth, settings.widening)
    if isinstance(target.forward, Factorises):
        return GroupRBF(target.forward.groups, settings.widening)
    return LocalRBF(neighbourhoods(target.space, settings.reach), settings.widening)


def _neighbours(target: Target, reach: int) -> sp.csr_array:
    """Which entries see each other: those of a group where the problem falls apart into groups, else neighbours on the grid."""
    if isinstance(target.forward, Factorises):
        return within(target.forward.groups)
    return neighbourhoods(target.space, reach)


def _variational(
    settings: VariationalSettings, family: Family, start: Pathfinder | None = None, start_iterations: int = 0
) -> ADVI:
    return ADVI(settings.samples_per_step, _optimizer(settings), family, settings.halvings, start, start_iterations)


def _gaussian(settings: ADVISettings, target: Target) -> Family:
    match settings.covariance:
        case "mean-field":
            return Triangular.mean_field()
        case "full-rank":
            return Triangular.full_rank(target.space.size)
        case "structured":
            return Triangular.between(_neighbours(target, settings.reach))
        case "low-rank":
            return LowRankGaussian(settings.rank)


Chain = SSVGDSettings | SGLDSettings | MALASettings | HMCSettings | MetropolisSettings


def _chains(settings: Chain, d: int, project: Callable[[Floats], Floats]) -> Algorithm:
    """Where nothing else is said, the first step suits a standard normal distribution of d entries."""
    n, warm_up = settings.particles, Adam(Schedule(settings.warm_up_step_size))
    burn_in = BurnIn(settings.burn_in, _estimator(settings.metric, settings.rank), settings.warm_up, warm_up)
    match settings:
        case SSVGDSettings():
            first = n * d ** (-1 / 3)
            by_error, by_acceptance = (
                TargetError(CAUTION * first, settings.inflation),
                TargetAcceptance(first, settings.acceptance),
            )
            step_size = _step_size(settings, by_acceptance if settings.adjusted else by_error)
            return SSVGD(n, step_size, _rbf(settings.bandwidth), burn_in, settings.adjusted, project)
        case SGLDSettings():
            return SGLD(n, _step_size(settings, TargetError(CAUTION * d ** (-1 / 3), settings.inflation)), burn_in, project)
        case MALASettings():
            return MALA(n, _step_size(settings, TargetAcceptance(d ** (-1 / 3), settings.acceptance)), burn_in)
        case HMCSettings():
            step_size = _step_size(settings, TargetAcceptance(d ** (-1 / 4), settings.acceptance))
            return HMC(n, step_size, burn_in, settings.leapfrog_steps)
        case MetropolisSettings():
            return Metropolis(n, _step_size(settings, TargetAcceptance(2.38 / d**0.5, settings.acceptance)), burn_in)


def _step_size(settings: ChainSettings, learnt: StepSize) -> StepSize:
    """The one that is given, or else the one that is learnt."""
    if settings.step_size == "auto":
        return learnt
    return Scheduled(Schedule(settings.step_size, settings.step_decay, settings.step_power))


def _estimator(name: str, rank: int) -> Estimator:
    if name == "covariance":
        return Covariance()
    return LowRank(rank) if name == "low-rank" else DIAGONAL[name]


def _optimizer(settings: VariationalSettings | SVGDSettings | ProjectedSVGDSettings) -> Optimizer:
    schedule = Schedule(settings.step_size, settings.step_decay, settings.step_power)
    return OPTIMIZERS[settings.optimizer](schedule)


def _rbf(bandwidth: float | str, widening: float = 1.0) -> RBF:
    return RBF(None if bandwidth == "median" else float(bandwidth), widening)
