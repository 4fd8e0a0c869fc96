"""Settings of the table ``[algorithm]``: those of the class that the method's name leads to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError, ValidationInfo

from vip.config.faults import explain
from vip.errors import ConfigError
from vip.methods import method_class
from vip.methods.base import Method


def read_method(table: Mapping[str, Any], base_dir: Path) -> Method:
    """The method of an ``[algorithm]`` table; a path in its name is relative to `base_dir`.

    Raises
    ------
    ConfigError
        For any fault in the table.
    """
    if not isinstance(table, Mapping):
        raise ConfigError("", table, "expected a table with the name of a method")
    if not isinstance(table.get("name"), str):
        missing = "name" not in table
        raise ConfigError("" if missing else "name", table.get("name", "name"), "this key is missing" if missing else "a text")
    cls = method_class(table["name"], base_dir)
    try:
        return cls.model_validate(table)
    except ValidationError as error:
        raise explain(error, cls) from error


def _read(value: Any, info: ValidationInfo) -> Any:
    base_dir = (info.context or {}).get("base_dir", Path())
    return value if isinstance(value, Method) else read_method(value, base_dir)


MethodSettings = Annotated[Method, BeforeValidator(_read)]
"""A method, or the table that describes it."""
