"""Building a problem from a configuration."""

from __future__ import annotations

import functools
from pathlib import Path

from pydantic import BaseModel, ValidationError

from vip.config import Config, explain, load_config, prepend, table
from vip.data import data_dir, folder
from vip.errors import ConfigError
from vip.plugins import find, source_file
from vip.protocols import ChecksPrior, DataBlocks, Forward, FromSettings, HasSettings, Prior, ReadsFiles, WithoutGradient
from vip.runs.plugins import data_sets
from vip.runs.priors import build_prior
from vip.runs.problem import Problem


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
    """Build a problem from a checked configuration; relative paths start at the folder of `path`, which errors name."""
    forward = build_forward(config, path)
    prior, transform = build_prior(config, forward, path)
    _check_together(config, forward, prior, path)
    build = functools.partial(build_forward, config.without_method(), path.resolve())
    return Problem(forward, prior, transform, config, path, _inputs(config, forward, path.parent), build)


def build_forward(config: Config, path: Path) -> Forward:
    """Build the forward of a configuration, with its data; workers do so too.

    Raises
    ------
    ConfigError
        For any fault in its settings or data.
    """
    plugin: object = None
    try:
        plugin = find(config.forward.plugin, path.parent, "forward.plugin")
        if not isinstance(plugin, FromSettings):
            raise ConfigError("forward.plugin", config.forward.plugin, "has no from_settings: see vip.protocols.FromSettings")
        forward = plugin.from_settings(table(config.forward), path.parent)
    except ValidationError as error:
        settings = plugin.settings_class if isinstance(plugin, HasSettings) else BaseModel
        raise explain(error, settings, path, "forward") from error
    except ConfigError as error:
        raise _with_hint(prepend(error, "" if error.key.startswith("forward.") else "forward", path)) from error
    except Exception as error:  # a user's plugin may raise anything
        raise ConfigError(
            "forward", config.forward.plugin, f"cannot be built: {type(error).__name__}: {error}", path
        ) from error
    return forward


def _check_together(config: Config, forward: Forward, prior: Prior, path: Path) -> None:
    """Check what neither the forward nor the rest of the configuration can check alone."""
    if isinstance(forward, ChecksPrior):
        try:
            forward.check_prior(prior.lower, prior.upper)
        except ConfigError as error:
            raise prepend(error, "", path) from error
    if config.algorithm.needs_gradient and isinstance(forward, WithoutGradient) and not forward.has_gradient:
        raise ConfigError("algorithm.name", config.algorithm.name, "needs a gradient, and this forward gives none", path)
    wanted = config.algorithm.data_blocks
    if wanted is not None and not isinstance(forward, DataBlocks):
        raise ConfigError("algorithm.data_blocks", wanted, "this forward has no data blocks; leave it out", path)
    if wanted is not None and isinstance(forward, DataBlocks) and wanted > forward.n_blocks:
        raise ConfigError("algorithm.data_blocks", wanted, f"this forward has {forward.n_blocks}", path)


def _with_hint(error: ConfigError) -> ConfigError:
    """Add to an error how to get a public data set that is not there."""
    if str(data_dir()) not in f"{error.file} {error.value}" or "cannot be read" not in error.remedy:
        return error
    wanted = next((name for name in data_sets() if f"{folder(name)}/" in f"{error.file} {error.value}"), None)
    hint = f"get the data with `vip data {wanted}`" if wanted else "VIP_DATA_DIR says where data sets are"
    return ConfigError(error.key, error.value, f"{error.remedy}; {hint}", error.file)


def _inputs(config: Config, forward: Forward, base_dir: Path) -> list[Path]:
    """Files other than the configuration that the posterior depends on."""
    references = [
        config.forward.plugin,
        config.algorithm.name,
        *(getattr(prior, "plugin", "") for prior in config.prior.values()),
    ]
    plugins = [file for file in (source_file(reference, base_dir) for reference in references) if file]
    keys = ("covariance_file", "bounds_file")
    tables = [getattr(prior, key, None) for prior in config.prior.values() for key in keys]
    own = [*plugins, *(base_dir / file for file in tables if file)]
    return [*own, *(forward.inputs if isinstance(forward, ReadsFiles) else [])]
