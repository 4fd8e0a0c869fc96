"""Inversion of Python objects: from a forward code and a prior, or from a log-density, to a result.

No file is written that was not asked for. ``vip.load_problem`` makes the same kind of problem from a configuration.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from vip.config import DispatchSettings, Plan, RunSettings
from vip.config.faults import explain
from vip.errors import ConfigError
from vip.forward.combine import FiniteDifferences
from vip.inference.loop import Record
from vip.inference.priors import Gaussian, Joint
from vip.inference.transforms import Logit
from vip.methods import Method, method_class
from vip.progress import shown
from vip.protocols import Floats, Forward, Prior, WithoutGradient
from vip.rng import Purpose, stream
from vip.runs import inversion
from vip.runs.callables import Function, density_of
from vip.runs.problem import Problem
from vip.runs.result import Result

log = logging.getLogger(__name__)

STEP = 6e-6
"""Step of finite differences over the prior's standard deviation: the cube root of the precision of a double."""
N_SCALE = 100
"""Number of models drawn from the prior to find its standard deviations."""


def invert(
    forward: Forward | Callable[[Floats], Any],
    prior: Prior | Mapping[str, Prior],
    method: str | Method = "hmc",
    *,
    iterations: int | None = None,
    seed: int = 0,
    gradient: Literal["differences"] | None = None,
    on_failure: Literal["raise", "hold", "resample"] = "raise",
    dispatch: str | DispatchSettings = "serial",
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Sample the posterior of a forward code, with its data, and a prior.

    Parameters
    ----------
    forward : Forward or callable
        A `vip.protocols.Forward`, or a function that returns log-likelihoods and their gradients, or log-likelihoods alone:
        (n,) and (n, d) for models (n, d), or a number and (d,) for one model (d,).
    prior : Prior, or mapping of str to Prior
        A prior of all d parameters, such as those of `vip.priors`; or one for each variable of the forward's space, by name.
    method : str or settings
        Name of a method, with its default settings, or settings such as ``vip.methods.SSVGD(particles=50)``.
    iterations : int, optional
        Number of iterations, in place of the method's own.
    seed : int
        Seed from which all random numbers follow.
    gradient : "differences", optional
        How to find the gradient of a forward that gives none: by central differences, 2 d + 1 evaluations for each particle.
    on_failure : str
        What becomes of a particle whose forward fails, see `vip.config.RunSettings`.
    dispatch : str or DispatchSettings
        Who evaluates the particles: "serial" (this process), "local" (worker processes; a script then needs its work under
        ``if __name__ == "__main__"``), "mpi", or the address of a Dask scheduler.
    output : path, optional
        Run directory, from which a killed run can go on; without it nothing is written.
    overwrite : bool
        Whether to replace a run that is there.
    resume : bool
        Whether to go on with the run in `output`, if there is one: the same objects must be given again.
    progress : bool
        Whether to show the progress of the run.
    stop : callable
        Called before each iteration; the run ends where it returns true.

    Returns
    -------
    Result

    Raises
    ------
    ConfigError
        If what the forward returns has no known shape, or the method needs a gradient and there is none; the message says what
        would be right.
    StoreError
        If `output` cannot be used, or its run was made from other objects.
    ForwardError
        If the forward fails.

    Examples
    --------
    A Gaussian likelihood of one parameter, given as a function of many models:

    >>> import numpy as np, vip
    >>> prior = vip.priors.Uniform(np.array([-10.0]), np.array([10.0]))
    >>> def forward(models):
    ...     return -0.5 * ((models[:, 0] - 2) / 0.1) ** 2, (2 - models) / 0.1**2
    >>> result = vip.invert(forward, prior, iterations=600)
    >>> bool(abs(result.mean_model[0] - 2) < 0.02)
    True
    """
    problem = make_problem(
        forward, prior, method, iterations=iterations, seed=seed, gradient=gradient, on_failure=on_failure, dispatch=dispatch
    )
    return _run(problem, output, overwrite, resume, progress, stop)


def sample(
    log_density: Callable[[Floats], Any],
    ndim: int,
    method: str | Method = "hmc",
    *,
    start: Prior | None = None,
    iterations: int | None = None,
    seed: int = 0,
    gradient: Literal["differences"] | None = None,
    dispatch: str | DispatchSettings = "serial",
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Sample a density on the whole of R^d whose logarithm is known up to a constant.

    Parameters
    ----------
    log_density : callable
        A function of points (n, ndim) or of one point (ndim,), which returns what the function `forward` of `invert` does.
    ndim : int
        Number of parameters.
    start : Prior, optional
        Distribution of the first particles, which is no part of the density; a standard normal one by default.
    method, iterations, seed, gradient, dispatch, output, overwrite, resume, progress, stop
        See `invert`.

    Returns
    -------
    Result

    Examples
    --------
    >>> import vip
    >>> result = vip.sample(lambda x: (-0.5 * x @ x, -x), ndim=2, method=vip.methods.SSVGD(particles=20), iterations=400)
    >>> result.flat.shape[1]
    2
    """
    problem = _of_density(log_density, ndim, start, method, iterations, seed, gradient, dispatch)
    return _run(problem, output, overwrite, resume, progress, stop)


def steps(
    target: Problem | Forward | Callable[[Floats], Any],
    prior: Prior | Mapping[str, Prior] | None = None,
    method: str | Method = "hmc",
    *,
    ndim: int | None = None,
    iterations: int | None = None,
    seed: int = 0,
    gradient: Literal["differences"] | None = None,
    dispatch: str | DispatchSettings = "serial",
) -> Iterator[Record]:
    """Run as a plain loop over iterations, which may be stopped after any of them; nothing is saved.

    Parameters
    ----------
    target : Problem, Forward or callable
        A problem; or a forward as in `invert`, with a prior; or a log-density as in `sample`, with `ndim`.
    prior, method, ndim, iterations, seed, gradient, dispatch
        See `invert` and `sample`.

    Yields
    ------
    Record
        State of the algorithm, numbers of the iteration, and the samples that it adds.

    Examples
    --------
    >>> import vip
    >>> for record in vip.steps(lambda x: (-0.5 * x @ x, -x), ndim=2, method="hmc"):
    ...     if record.iteration == 3:
    ...         break
    >>> record.evaluations > 0
    True
    """
    if isinstance(target, Problem):
        problem = target
    elif prior is not None:
        problem = make_problem(target, prior, method, iterations=iterations, seed=seed, gradient=gradient, dispatch=dispatch)
    elif ndim is not None:
        problem = _of_density(target, ndim, None, method, iterations, seed, gradient, dispatch)
    else:
        raise ConfigError("prior", None, "give a prior for a forward, or ndim for a log-density")
    return inversion.steps(problem)


def make_problem(
    forward: Forward | Callable[[Floats], Any],
    prior: Prior | Mapping[str, Prior],
    method: str | Method = "hmc",
    *,
    iterations: int | None = None,
    seed: int = 0,
    gradient: Literal["differences"] | None = None,
    on_failure: Literal["raise", "hold", "resample"] = "raise",
    dispatch: str | DispatchSettings = "serial",
) -> Problem:
    """The problem that `invert` runs, to look at it or check it first; parameters and errors are the same."""
    joint = prior if not isinstance(prior, Mapping) else _joint(forward, prior)
    draw = joint.sample(N_SCALE, stream(seed, 0, Purpose.CHECK))
    made = forward if isinstance(forward, Forward) else Function(forward, draw[:, :], "the forward")
    if made.space.size != draw.shape[1]:
        raise ConfigError("prior", f"{draw.shape[1]} parameters", f"the forward's space has {made.space.size}")
    return _problem(made, joint, draw, method, iterations, seed, gradient, dispatch, on_failure)


def _of_density(
    log_density: Callable[[Floats], Any],
    ndim: int,
    start: Prior | None,
    method: str | Method,
    iterations: int | None,
    seed: int,
    gradient: Literal["differences"] | None,
    dispatch: str | DispatchSettings,
) -> Problem:
    """The problem of a log-density: a forward that includes the prior, and a distribution to start from."""
    prior = start or Gaussian.diagonal(np.zeros(ndim), np.ones(ndim))
    settings = _method(method, iterations)
    if settings.needs_prior:
        raise ConfigError("method", settings.name, "needs a prior to part from the likelihood: use vip.invert")
    draw = prior.sample(N_SCALE, stream(seed, 0, Purpose.CHECK))
    return _problem(density_of(log_density, draw), prior, draw, settings, None, seed, gradient, dispatch, "raise")


def _problem(
    forward: Forward,
    prior: Prior,
    draw: Floats,
    method: str | Method,
    iterations: int | None,
    seed: int,
    gradient: Literal["differences"] | None,
    dispatch: str | DispatchSettings,
    on_failure: Literal["raise", "hold", "resample"],
) -> Problem:
    settings = _method(method, iterations)
    if isinstance(forward, WithoutGradient) and not forward.has_gradient:
        forward = _with_gradient(forward, settings, gradient, draw)
    engine = dispatch if isinstance(dispatch, DispatchSettings) else DispatchSettings(kind=dispatch)
    plan = Plan(seed=seed, algorithm=settings, dispatch=engine, run=RunSettings(on_failure=on_failure))
    return Problem(forward, prior, Logit(prior.lower, prior.upper), plan)


def _with_gradient(forward: Forward, settings: Method, gradient: str | None, draw: Floats) -> Forward:
    """A forward without a gradient, by differences if these are wanted, or as it is for a method that needs none."""
    if gradient == "differences" and settings.needs_gradient:
        made = FiniteDifferences(forward, STEP * np.maximum(draw.std(axis=0), np.finfo(float).tiny))
        log.warning("gradients by central differences: %d evaluations of the forward for each particle", made.gradient_runs)
        return made
    if settings.needs_gradient:
        remedy = "needs gradients, and the forward gives none: say gradient='differences', or method='nested' or 'metropolis'"
        raise ConfigError("method", settings.name, remedy)
    return forward


def _method(method: str | Method, iterations: int | None) -> Method:
    """Settings of a method by its name or as they are, with another number of iterations if one is given."""
    settings = method_class(method, Path())() if isinstance(method, str) else method
    try:
        return settings if iterations is None else settings.with_iterations(iterations)
    except ValidationError as error:
        raise explain(error, type(settings)) from error


def _joint(forward: Any, priors: Mapping[str, Prior]) -> Prior:
    """The joint prior of a forward's variables."""
    if not isinstance(forward, Forward):
        raise ConfigError("prior", ", ".join(priors), "a function has no named variables: give one prior for all parameters")
    names = [variable.name for variable in forward.space.variables]
    if set(names) != set(priors):
        raise ConfigError("prior", ", ".join(priors), f"give one for each variable: {', '.join(names)}")
    return Joint([priors[name] for name in names])


def _run(
    problem: Problem, output: str | Path | None, overwrite: bool, resume: bool, progress: bool, stop: Callable[[], bool]
) -> Result:
    with shown() if progress else contextlib.nullcontext(lambda record: None) as tell:
        if resume and output is not None and (Path(output) / "provenance.json").is_file():
            return inversion.resume(output, tell, stop, problem=problem)
        return inversion.run(problem, output, overwrite, tell, stop)
