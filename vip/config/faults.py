"""The faults of a configuration in words: file, key, value and what would be right."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vip.config.dispatch import DispatchSettings
from vip.config.priors import GaussianSettings, SmoothnessSettings, SmoothSettings, UniformSettings
from vip.config.schema import Config, RunSettings
from vip.errors import ConfigError, ConfigErrors
from vip.methods.settings import ALGORITHMS


def explain(error: ValidationError, model: type[BaseModel], file: Path, prefix: str = "") -> ConfigErrors:
    """The faults of a pydantic error as `ConfigErrors`, a line each."""
    return ConfigErrors([_explain_one(detail, model, file, prefix) for detail in _without_branches(error.errors())])


def _without_branches(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Of a value that may be a number or a word, pydantic tells what is wrong with it as either: one is enough."""
    merged: dict[tuple[int | str, ...], ErrorDetails] = {}
    for detail in details:
        *place, branch = detail["loc"] or ("",)
        is_branch = str(branch).startswith(("literal[", "constrained-", "function-"))
        key = tuple(place) if is_branch else detail["loc"]
        told = merged.setdefault(key, {**detail, "loc": key})
        if told["msg"] != detail["msg"]:
            told["msg"] += f"; or {detail['msg'][0].lower()}{detail['msg'][1:]}"
    return list(merged.values())


def _explain_one(detail: ErrorDetails, model: type[BaseModel], file: Path, prefix: str) -> ConfigError:
    location = [str(part) for part in detail["loc"]]
    cause = detail.get("ctx", {}).get("error")
    value, remedy = detail["input"], detail["msg"]
    if isinstance(cause, ConfigError):
        location, value, remedy = [*location, cause.key], cause.value, cause.remedy
    elif detail["type"] == "extra_forbidden":
        remedy = "unknown key" + _suggestion(location, model)
    elif detail["type"] == "union_tag_invalid":
        context = detail["ctx"]
        tag_not_found = ""
        location, value = [*location, tag_not_found, context["discriminator"].strip("'")], context["tag"]
        remedy = f"expected one of {context['expected_tags']}"
    elif detail["type"] == "missing":
        location, value, remedy = location[:-1], location[-1], "this key is missing"
    shown = ".".join(part for part in [prefix, *_without_tags(location, model)] if part)
    return ConfigError(shown, value, remedy, file)


def _without_tags(location: list[str], model: type[BaseModel]) -> list[str]:
    """Pydantic puts the tag of a union ("ssvgd") into the location; a user never wrote it as a key."""
    if not issubclass(model, Config):
        return location
    tag_at = {"algorithm": 1, "prior": 2}.get(location[0] if location else "")
    return location if tag_at is None else [part for i, part in enumerate(location) if i != tag_at]


def _suggestion(location: list[str], model: type[BaseModel]) -> str:
    owner = _owner(location, model)
    if owner is None:
        return ""
    allowed = [field.alias or key for key, field in owner.model_fields.items()]
    close = difflib.get_close_matches(location[-1], allowed, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(allowed)}"


def _owner(location: list[str], model: type[BaseModel]) -> type[BaseModel] | None:
    """The settings class in which a key was found, by the names on the way to it."""
    by_tag: dict[str, type[BaseModel]] = {
        "uniform": UniformSettings,
        "gaussian": GaussianSettings,
        "smooth": SmoothSettings,
        "smoothness": SmoothnessSettings,
        **ALGORITHMS,
        "dispatch": DispatchSettings,
        "run": RunSettings,
    }
    if len(location) == 1:
        return model
    annotation = model.model_fields[location[0]].annotation if location[0] in model.model_fields else None
    nested = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return by_tag.get(location[-2], nested)


def prepend(error: ConfigError, key: str, file: Path) -> ConfigError:
    """The same error with the file it came from, and its key inside a table, where it does not say so itself."""
    if error.file:
        return error
    return ConfigError(".".join(part for part in (key, error.key) if part), error.value, error.remedy, file)


def table(settings: BaseModel) -> dict[str, Any]:
    """The extra keys of settings that leave them to a plugin."""
    return dict(settings.model_extra or {})
