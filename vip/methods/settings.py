"""Settings of the algorithms, one class for each name in ``[algorithm]``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from vip.errors import ConfigError
from vip.settings import Count, Positive, Settings

OptimizerName = Literal["sgd", "adagrad", "adadelta", "adam"]
MetricName = Literal["none", "variance", "gradient", "rmsprop", "covariance", "low-rank"]
Natural = Annotated[int, Field(ge=0)]
Particles = Annotated[int, Field(ge=2)]
Share = Annotated[float, Field(gt=0, lt=1)]


class MethodSettings(Settings):
    """Base: how many iterations; `data_blocks` is how many blocks of data (shots) to use at each, all without it."""

    needs_gradient: ClassVar[bool] = True
    """Whether the method asks for gradients of the log-density."""
    needs_prior: ClassVar[bool] = False
    """Whether the method asks for the prior and the likelihood apart."""

    name: str
    iterations: Count
    data_blocks: Count | None = None

    def with_iterations(self, iterations: int) -> Self:
        """The same settings with another number of iterations, checked anew."""
        return type(self).model_validate(self.model_dump() | {"iterations": iterations})

    @property
    def rejects(self) -> bool:
        """Whether the method compares log-densities between iterations."""
        return False

    @property
    def may_be_moved(self) -> bool:
        """Whether particles may be moved from outside: reset to hard bounds, or put in the place of others."""
        return not self.rejects

    @model_validator(mode="after")
    def _whole_data(self) -> MethodSettings:
        if self.data_blocks is not None and self.rejects:
            raise ConfigError("data_blocks", self.data_blocks, "this algorithm compares whole log-posteriors; leave it out")
        return self


class StepSettings(MethodSettings):
    """Step size after t iterations: ``step_size / (1 + step_decay t)^step_power``."""

    step_size: Positive
    step_decay: Annotated[float, Field(ge=0)] = 0.0
    step_power: Annotated[float, Field(ge=0)] = 1.0


class VariationalSettings(StepSettings):
    """What is fitted by ascent of the ELBO.

    The step size is halved whenever the ELBO no longer rises, and after so many `halvings` the run ends; with 0 it takes all
    its iterations. `draws` are samples of what was fitted.
    """

    samples_per_step: Count = 2
    draws: Count = 5000
    optimizer: OptimizerName = "adam"
    halvings: Natural = 8

    @property
    def may_be_moved(self) -> bool:
        """No: each iteration draws its models anew."""
        return False


class ADVISettings(VariationalSettings):
    """Automatic differentiation variational inference: a Gaussian.

    `covariance` is a diagonal one ("mean-field"), any ("full-rank"), diagonal plus `rank` directions ("low-rank"), or one
    with a Cholesky factor between nodes at most `reach` apart ("structured"). It starts at the prior, or with "pathfinder"
    where as many `paths` lead within `start_iterations`.
    """

    name: Literal["advi"]
    covariance: Literal["mean-field", "full-rank", "low-rank", "structured"] = "mean-field"
    rank: Count = 20
    reach: Count = 1
    start: Literal["prior", "pathfinder"] = "prior"
    paths: Particles = 4
    start_iterations: Count = 100

    @property
    def rejects(self) -> bool:
        """Pathfinder does: a step that does not rise is halved."""
        return self.start == "pathfinder"


class FlowSettings(VariationalSettings):
    """A normalising flow of spline couplings, for up to a few hundred parameters; needs the extra "neural"."""

    name: Literal["flow"]
    transforms: Count = 3
    hidden: Count = 64


class PathfinderSettings(MethodSettings):
    """Gaussians along quasi-Newton paths, the best of each path; ends when all paths have."""

    name: Literal["pathfinder"]
    paths: Particles = 8
    draws: Count = 5000

    @property
    def rejects(self) -> bool:
        """Yes: a step that does not rise is halved."""
        return True


class SVGDSettings(StepSettings):
    """Stein variational gradient descent.

    `metric` is what the particles' coordinates are scaled by, see `ChainSettings`. With `kernel` "local" each node has a
    kernel of its own, of nodes at most `reach` apart; of independent problems in one model, like earthquakes, each has one.
    `widening` multiplies the median heuristic's bandwidth. In `annealing` iterations, in `cycles`, the pull of the posterior
    grows from nothing.
    """

    name: Literal["svgd"]
    particles: Particles
    optimizer: OptimizerName = "adam"
    metric: MetricName = "none"
    rank: Count = 50
    kernel: Literal["global", "local"] = "global"
    bandwidth: Positive | Literal["median"] = "median"
    widening: Positive = 1.0
    reach: Count = 1
    annealing: Natural = 0
    cycles: Count = 1

    @model_validator(mode="after")
    def _fitting(self) -> SVGDSettings:
        if self.kernel == "local" and self.bandwidth != "median":
            raise ConfigError("bandwidth", self.bandwidth, "each local kernel has the median heuristic's: leave it out")
        if self.widening != 1 and self.bandwidth != "median":
            raise ConfigError(
                "widening", self.widening, f"is of the median heuristic: leave it out, or bandwidth = {self.bandwidth}"
            )
        if self.annealing > self.iterations:
            raise ConfigError("annealing", self.annealing, f"must not be larger than iterations, which is {self.iterations}")
        return self


class ProjectedSVGDSettings(StepSettings):
    """SVGD in the subspace of at most `rank` directions in which the data say more than the prior."""

    needs_prior: ClassVar[bool] = True

    name: Literal["projected-svgd"]
    particles: Particles
    optimizer: OptimizerName = "adam"
    rank: Count = 50


class ChainSettings(MethodSettings):
    """What chains have in common; `iterations` counts burn-in too.

    In `warm_up` iterations, part of burn-in, particles are optimised, so that chains start where the data are fitted. In the
    rest of burn-in they learn what stays constant afterwards: `metric` and, where it is "auto", `step_size`.

    The metric is none, one over the particles' "variance", their mean square "gradient" or its root ("rmsprop"), the inverse of
    their full "covariance" (for up to some hundred parameters), or diagonal plus `rank` directions of curvature ("low-rank").
    """

    particles: Particles = 20
    burn_in: Natural
    thin: Count = 1
    warm_up: Natural = 0
    warm_up_step_size: Positive = 0.05
    metric: MetricName = "gradient"
    rank: Count = 50
    step_size: Positive | Literal["auto"] = "auto"
    step_decay: Annotated[float, Field(ge=0)] = 0.0
    step_power: Annotated[float, Field(ge=0)] = 1.0

    @model_validator(mode="after")
    def _samples_remain(self) -> ChainSettings:
        if self.burn_in >= self.iterations:
            raise ConfigError("burn_in", self.burn_in, f"must be smaller than iterations, which is {self.iterations}")
        if self.warm_up > self.burn_in:
            raise ConfigError("warm_up", self.warm_up, f"is part of burn_in, which is {self.burn_in}")
        if self.step_size == "auto" and self.burn_in == self.warm_up:
            raise ConfigError("burn_in", self.burn_in, "must be longer than warm_up for step_size = 'auto' to be learnt")
        return self


class AdjustedSettings(ChainSettings):
    """Chains whose steps are accepted or rejected; step_size = "auto" aims at this share of `acceptance`."""

    @property
    def rejects(self) -> bool:
        """Yes."""
        return True


class SGLDSettings(ChainSettings):
    """Stochastic gradient Langevin dynamics; step_size = "auto" inflates variances by no more than `inflation`."""

    name: Literal["sgld"]
    inflation: Share = 0.05


class MALASettings(AdjustedSettings):
    """Metropolis-adjusted Langevin algorithm."""

    name: Literal["mala"]
    acceptance: Share = 0.574


class HMCSettings(AdjustedSettings):
    """Hamiltonian Monte Carlo with up to `leapfrog_steps` evaluations of each particle in an iteration."""

    name: Literal["hmc"]
    acceptance: Share = 0.8
    leapfrog_steps: Count = 20


class MetropolisSettings(AdjustedSettings):
    """Adaptive random-walk Metropolis-Hastings, for a few parameters."""

    needs_gradient: ClassVar[bool] = False

    name: Literal["metropolis"]
    acceptance: Share = 0.234
    metric: MetricName = "covariance"


class SSVGDSettings(ChainSettings):
    """Stochastic SVGD: chains that repel each other.

    With `adjusted`, a step of all particles is accepted or rejected. step_size = "auto" then aims at this `acceptance`, else at
    inflating variances by no more than `inflation`.
    """

    name: Literal["ssvgd"]
    bandwidth: Positive | Literal["median"] = "median"
    adjusted: bool = False
    acceptance: Share = 0.574
    inflation: Share = 0.05

    @property
    def rejects(self) -> bool:
        """With `adjusted`."""
        return self.adjusted


AlgorithmSettings = Annotated[
    ADVISettings
    | FlowSettings
    | PathfinderSettings
    | SVGDSettings
    | ProjectedSVGDSettings
    | SSVGDSettings
    | SGLDSettings
    | MALASettings
    | HMCSettings
    | MetropolisSettings,
    Field(discriminator="name"),
]

ALGORITHMS: dict[str, type[MethodSettings]] = {
    "advi": ADVISettings,
    "flow": FlowSettings,
    "pathfinder": PathfinderSettings,
    "svgd": SVGDSettings,
    "projected-svgd": ProjectedSVGDSettings,
    "ssvgd": SSVGDSettings,
    "sgld": SGLDSettings,
    "mala": MALASettings,
    "hmc": HMCSettings,
    "metropolis": MetropolisSettings,
}
"""Settings by the algorithm's name."""
