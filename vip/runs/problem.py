"""An inverse problem, put together from a configuration file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ValidationError

from vip.config import (
    Config,
    CustomPriorSettings,
    DispatchSettings,
    GaussianSettings,
    PriorSettings,
    SmoothSettings,
    UniformSettings,
    explain,
    load_config,
    prepend,
    table,
)
from vip.data import data_dir, folder
from vip.dispatch.serial import Serial
from vip.errors import ConfigError
from vip.inference.posterior import OnFailure, Posterior
from vip.inference.priors import Bounded, Gaussian, Joint, Uniform
from vip.inference.transforms import Clip, Logit, Transform, Whitened
from vip.methods.build import build_algorithm
from vip.protocols import (
    Algorithm,
    ChecksPrior,
    DataBlocks,
    Dispatcher,
    Floats,
    Forward,
    HasBounds,
    ModelSpace,
    Prior,
    Target,
    Variable,
)
from vip.runs.plugins import data_sets, find, source_file


class Problem:
    """Data, forward code and prior: all but the algorithm.

    Parameters
    ----------
    forward : Forward
    prior : Prior
    transform : Transform
    config : Config
        What an algorithm is to do with it.
    path : Path
        The configuration file; relative paths in it start at its folder.

    Examples
    --------
    A configuration gives a problem, and a problem a result::

        problem = vip.load_problem("tomo2d.toml")
        log_likelihood, gradient = problem.forward(models)
        result = vip.run(problem)
    """

    def __init__(self, forward: Forward, prior: Prior, transform: Transform, config: Config, path: Path) -> None:
        self.forward, self.prior, self.transform, self.config, self.path = forward, prior, transform, config, path

    @property
    def space(self) -> ModelSpace:
        """What the entries of a model are."""
        return self.forward.space

    @property
    def inputs(self) -> list[Path]:
        """Files other than the configuration that the posterior depends on."""
        base_dir, config = self.path.parent, self.config
        references = [config.forward.plugin, *(getattr(prior, "plugin", "") for prior in config.prior.values())]
        plugins = [file for file in (source_file(reference, base_dir) for reference in references) if file]
        keys = ("covariance_file", "bounds_file")
        tables = [getattr(prior, key, None) for prior in config.prior.values() for key in keys]
        own = [*plugins, *(base_dir / file for file in tables if file)]
        return [*own, *getattr(self.forward, "inputs", [])]

    @property
    def dispatch(self) -> DispatchSettings:
        """The configuration's dispatch settings; relative paths in them start at the configuration's folder."""
        settings, folder = self.config.dispatch, self.path.parent.absolute()
        paths = {key: folder / path for key in ("site", "certificates") if (path := getattr(settings, key)) is not None}
        return settings.model_copy(update=paths)

    @cached_property
    def log_density(self) -> Posterior:
        """Log-posterior ``(theta (n, d)) -> (values (n,), gradients (n, d))`` in unconstrained space, in this process."""
        return self.posterior(Serial(self.forward, self.config.dispatch.threads))

    def posterior(self, dispatcher: Dispatcher) -> Posterior:
        """The log-posterior with its likelihood evaluated by `dispatcher`."""
        includes_prior = getattr(self.forward, "includes_prior", False)
        rejects, raises = self.config.algorithm.rejects, self.config.run.on_failure == "raise"
        on_failure: OnFailure = "reject" if rejects else "raise" if raises else "hold"
        return Posterior(self.prior, self.transform, dispatcher, includes_prior, on_failure)

    @property
    def target(self) -> Target:
        """What a method is built for."""
        return Target(self.space, self.forward, self.log_density.log_prior, self.transform.project)

    def build_algorithm(self) -> Algorithm:
        """The algorithm that the configuration describes."""
        return build_algorithm(self.config.algorithm, self.target)

    def sample_prior(self, n: int, rng: np.random.Generator) -> Floats:
        """Models (n, d) drawn from the prior."""
        return self.prior.sample(n, rng)


def load_problem(path: str | Path) -> Problem:
    """Build the problem that a configuration file describes.

    Raises
    ------
    ConfigError
        For any fault in the file or in the data it names.
    """
    path = Path(path)
    return build_problem(load_config(path), path)


def build_problem(config: Config, path: Path) -> Problem:
    """Build a problem from a checked configuration; `path` says where relative paths start and what errors name."""
    forward = build_forward(config, path)
    prior, transform = _prior(config, forward, path)
    _check_together(config, forward, prior, path)
    return Problem(forward, prior, transform, config, path)


def build_forward(config: Config, path: Path) -> Forward:
    """The forward of a configuration, with its data; workers build it too.

    Raises
    ------
    ConfigError
        For any fault in its settings or data.
    """
    try:
        plugin = find(config.forward.plugin, path.parent, "forward.plugin")
        forward: Forward = plugin.from_settings(table(config.forward), path.parent)
    except ValidationError as error:
        raise explain(error, _settings_model(error), path, "forward") from error
    except ConfigError as error:
        raise _with_hint(prepend(error, "" if error.key.startswith("forward.") else "forward", path)) from error
    except Exception as error:  # a user's plugin may raise anything
        raise ConfigError(
            "forward", config.forward.plugin, f"cannot be built: {type(error).__name__}: {error}", path
        ) from error
    return forward


def _check_together(config: Config, forward: Forward, prior: Prior, path: Path) -> None:
    """What neither the forward nor the rest of the configuration can check alone."""
    if isinstance(forward, ChecksPrior):
        try:
            forward.check_prior(prior.lower, prior.upper)
        except ConfigError as error:
            raise prepend(error, "", path) from error
    wanted = config.algorithm.data_blocks
    if wanted is not None and not isinstance(forward, DataBlocks):
        raise ConfigError("algorithm.data_blocks", wanted, "this forward has no data blocks; leave it out", path)
    if wanted is not None and isinstance(forward, DataBlocks) and wanted > forward.n_blocks:
        raise ConfigError("algorithm.data_blocks", wanted, f"this forward has {forward.n_blocks}", path)


def _with_hint(error: ConfigError) -> ConfigError:
    """Say how to get a public data set that is not there."""
    named = f"{error.file} {error.value}"
    if str(data_dir()) not in named or "cannot be read" not in error.remedy:
        return error
    wanted = next((name for name in data_sets() if f"{folder(name)}/" in named), None)
    hint = f"get the data with `vip data {wanted}`" if wanted else "VIP_DATA_DIR says where data sets are"
    return ConfigError(error.key, error.value, f"{error.remedy}; {hint}", error.file)


def _settings_model(error: ValidationError) -> type[BaseModel]:
    """A plugin's own settings class, by the title of its error; pydantic does not hand it out."""

    def subclasses(cls: type[BaseModel]) -> list[type[BaseModel]]:
        children: list[type[BaseModel]] = type.__subclasses__(cls)
        return [c for child in children for c in (child, *subclasses(child))]

    return next((c for c in subclasses(BaseModel) if c.__name__ == error.title), BaseModel)


def _prior(config: Config, forward: Forward, path: Path) -> tuple[Prior, Transform]:
    """The joint prior of all variables, the forward's bounds where none is given, and the transform that its bounds ask for."""
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
        uniform = Uniform(*_bounds(settings, variable, base_dir))
        field = _smoothness(settings, (uniform.lower + uniform.upper) / 2, variable)
        return uniform if field is None else Bounded(uniform, field)
    mean = np.full(size, settings.mean)
    gaussian = _gaussian(settings, mean, base_dir)
    field = _smoothness(settings, mean, variable)
    return gaussian if field is None else gaussian.times(field)


def _bounds(settings: UniformSettings, variable: Variable, base_dir: Path) -> tuple[Floats, Floats]:
    """Lower and upper bounds (d,): two numbers, or from a file a pair for each row of the variable."""
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
    """Bounds (m, 2) that are `spacing` apart, from zero, at the variable's rows."""
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
        raise ConfigError("smoothness", variable.name, "a single number has no neighbours; leave smoothness out")
