"""Building the joint prior of a model from a configuration, and the transform that its bounds ask for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vip.config import (
    Config,
    CustomPriorSettings,
    GaussianSettings,
    PriorSettings,
    SmoothSettings,
    UniformSettings,
    prepend,
    table,
)
from vip.errors import ConfigError
from vip.inference.priors import Bounded, CorrelatedUniform, Gaussian, Joint, Uniform
from vip.inference.transforms import Clip, Logit, Transform, Whitened
from vip.plugins import find
from vip.protocols import Floats, Forward, HasBounds, Prior, Variable


def build_prior(config: Config, forward: Forward, path: Path) -> tuple[Prior, Transform]:
    """The joint prior of all variables, uniform in the forward's bounds where none is given, and the transform for it."""
    space = forward.space
    names = [variable.name for variable in space.variables]
    for name in config.prior:
        if name not in names:
            raise ConfigError(f"prior.{name}", name, f"no such variable; this forward has {', '.join(names)}", path)
    own_bounds = forward.bounds if isinstance(forward, HasBounds) else {}
    parts: list[Prior] = []
    for variable in space.variables:
        bounds = own_bounds.get(variable.name)
        if variable.name not in config.prior and bounds is not None:
            parts.append(Uniform(*(np.ravel(bound) for bound in bounds)))
            continue
        if variable.name not in config.prior:
            raise ConfigError("prior", variable.name, f"give a prior for it in [prior.{variable.name}]", path)
        try:
            parts.append(_variable_prior(config.prior[variable.name], variable, path.parent))
        except ConfigError as error:
            raise prepend(error, f"prior.{variable.name}", path) from error
    prior = Joint(parts)
    clips = {s.bounds == "clip" for s in config.prior.values() if isinstance(s, UniformSettings)}
    if len(clips) > 1:
        raise ConfigError("prior", "bounds", "use the same bounds, 'logit' or 'clip', for all variables", path)
    if clips == {True} and not config.algorithm.may_be_moved:
        name = config.algorithm.name
        raise ConfigError("prior", "clip", f"{name} needs unconstrained variables: use bounds = 'logit'", path)
    transform = Clip(prior.lower, prior.upper) if clips == {True} else Logit(prior.lower, prior.upper)
    whitened = [
        (where, part)
        for (name, where), part in zip(space.slices().items(), parts, strict=True)
        if getattr(config.prior.get(name), "whiten", False) and isinstance(part, Gaussian)
    ]
    return prior, Whitened(transform, whitened) if whitened else transform


def _variable_prior(settings: PriorSettings, variable: Variable, base_dir: Path) -> Prior:
    if settings.unit is not None and settings.unit != variable.units:
        raise ConfigError("unit", settings.unit, f"{variable.name} is in {variable.units!r}; convert the values")
    if isinstance(settings, CustomPriorSettings):
        prior: Prior = find(settings.plugin, base_dir, "plugin")(variable, **table(settings))
        return prior
    size = variable.size
    if isinstance(settings, SmoothSettings):
        _check_gridded(variable)
        return Gaussian.smooth(np.full(size, settings.mean), settings.sigma, settings.correlation_length, variable)
    if isinstance(settings, UniformSettings):
        bounds = _bounds(settings, variable, base_dir)
        if settings.correlation_length is not None:
            _check_gridded(variable)
            return CorrelatedUniform(*bounds, settings.correlation_length, variable)
        uniform = Uniform(*bounds)
        field = _smoothness(settings, (uniform.lower + uniform.upper) / 2, variable)
        return uniform if field is None else Bounded(uniform, field)
    mean = np.full(size, settings.mean)
    gaussian = _gaussian(settings, mean, base_dir)
    field = _smoothness(settings, mean, variable)
    return gaussian if field is None else gaussian.times(field)


def _bounds(settings: UniformSettings, variable: Variable, base_dir: Path) -> tuple[Floats, Floats]:
    """Lower and upper bounds (d,), from two numbers, or from a file with a pair for each row of the variable."""
    if settings.bounds_file is None or settings.lower is not None:
        return np.full(variable.size, settings.lower, dtype=float), np.full(variable.size, settings.upper, dtype=float)
    file = base_dir / settings.bounds_file
    rows = _read(file, "bounds_file")
    if rows.ndim != 2 or rows.shape[1] != 2 or not (np.isfinite(rows).all() and (rows[:, 0] < rows[:, 1]).all()):
        raise ConfigError("bounds_file", file, "expected rows of a lower and a larger upper bound")
    if settings.bounds_spacing is not None:
        rows = _at_rows(rows, settings.bounds_spacing, variable, file)
    n = variable.shape[0] if variable.dims else 1
    if len(rows) != n:
        raise ConfigError("bounds_file", f"{file} has {len(rows)} rows", f"{variable.name} has {n}; or give bounds_spacing")
    lower, upper = np.repeat(rows.T, variable.size // n, axis=1)
    return lower, upper


def _read(file: Path, key: str) -> Floats:
    """A table of numbers from .npy or text."""
    try:
        numbers: Floats = np.load(file) if file.suffix == ".npy" else np.loadtxt(file, ndmin=2)
    except (OSError, ValueError) as error:
        raise ConfigError(key, file, f"cannot be read: {error}") from error
    return numbers


def _at_rows(rows: Floats, spacing: float, variable: Variable, file: Path) -> Floats:
    """Bounds at the variable's rows, interpolated from `rows` (m, 2), which are `spacing` apart and begin at zero."""
    if not variable.dims:
        raise ConfigError("bounds_spacing", spacing, f"{variable.name} is a single number; leave it out")
    have, wanted = spacing * np.arange(len(rows)), variable.coords[variable.dims[0]]
    if wanted.min() < 0 or wanted.max() > have[-1] * (1 + 1e-9):
        found = f"{file} goes from 0 to {have[-1]:g}"
        raise ConfigError("bounds_file", found, f"{variable.dims[0]} goes from {wanted.min():g} to {wanted.max():g}")
    return np.stack([np.interp(wanted, have, column) for column in rows.T], axis=1)


def _gaussian(settings: GaussianSettings, mean: Floats, base_dir: Path) -> Gaussian:
    if settings.covariance_file is None:
        return Gaussian.diagonal(mean, np.full(len(mean), settings.sd))
    file = base_dir / settings.covariance_file
    covariance = _read(file, "covariance_file")
    if covariance.shape != (len(mean), len(mean)):
        raise ConfigError("covariance_file", file, f"has shape {covariance.shape}, expected {(len(mean), len(mean))}")
    if not np.allclose(covariance, covariance.T):
        raise ConfigError("covariance_file", file, "must be symmetric")
    try:
        return Gaussian.full(mean, covariance)
    except np.linalg.LinAlgError as error:
        raise ConfigError("covariance_file", file, "must be positive definite") from error


def _smoothness(settings: UniformSettings | GaussianSettings, mean: Floats, variable: Variable) -> Gaussian | None:
    smoothness = settings.smoothness
    if smoothness is None:
        return None
    _check_gridded(variable)
    return Gaussian.smooth(mean, smoothness.sigma, smoothness.correlation_length, variable)


def _check_gridded(variable: Variable) -> None:
    if not variable.dims:
        raise ConfigError(
            "smoothness", variable.name, "a single number has no neighbours; leave smoothness and correlation_length out"
        )
