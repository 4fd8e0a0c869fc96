"""Reading a TOML file into frozen settings: the only place that reads configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vip.config.faults import explain
from vip.config.schema import Config
from vip.data import data_dir
from vip.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def load_config(path: Path, base_dir: Path | None = None) -> Config:
    """Read and check a configuration file; relative paths start at `base_dir`, else at its folder.

    Raises
    ------
    ConfigError
        If it cannot be read or holds a fault; the message has a line for each fault.
    """
    return load_settings(Config, path, base_dir)


def load_settings(model: type[Model], path: Path, base_dir: Path | None = None) -> Model:
    """Read and check a file of settings of any kind; relative paths start at `base_dir`, else at its folder.

    Raises
    ------
    ConfigError
        If it cannot be read or holds a fault; the message has a line for each fault.
    """
    data = read_toml(path)
    try:
        return model.model_validate(_with_data_dir(data), context={"base_dir": path.parent if base_dir is None else base_dir})
    except ValidationError as error:
        raise explain(error, model, path) from error


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file says, unchecked.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError("", path, f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("", path, f"is not valid TOML: {error}") from error


def _with_data_dir(value: Any) -> Any:
    """Put the folder of `data_dir` in place of ``${VIP_DATA_DIR}`` in all strings."""
    if isinstance(value, dict):
        return {key: _with_data_dir(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_data_dir(item) for item in value]
    return value.replace("${VIP_DATA_DIR}", str(data_dir())) if isinstance(value, str) else value
