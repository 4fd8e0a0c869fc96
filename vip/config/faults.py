"""The faults of a configuration in words: file, key, value and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vip.config.priors import GaussianSettings, PriorSettings, SmoothnessSettings, SmoothSettings, UniformSettings
from vip.errors import ConfigError, ConfigErrors


def explain(error: ValidationError, model: type[BaseModel], file: Path | None = None, prefix: str = "") -> ConfigErrors:
    """The faults of a pydantic error as `ConfigErrors`, a line each."""
    details = _without_branches(error.errors())
    return ConfigErrors([fault for detail in details for fault in _explain_one(detail, model, file, prefix)])


def _without_branches(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """One error for a value that may be a number or a word, where pydantic reports what is wrong with it as either."""
    merged: dict[tuple[int | str, ...], ErrorDetails] = {}
    for detail in details:
        *place, branch = detail["loc"] or ("",)
        is_branch = str(branch).startswith(("literal[", "constrained-", "function-"))
        key = tuple(place) if is_branch else detail["loc"]
        known = merged.setdefault(key, {**detail, "loc": key})
        if known["msg"] != detail["msg"]:
            known["msg"] += f"; or {detail['msg'][0].lower()}{detail['msg'][1:]}"
    return list(merged.values())


def _explain_one(detail: ErrorDetails, model: type[BaseModel], file: Path | None, prefix: str) -> Iterator[ConfigError]:
    """The faults that one detail reports: several where a table in it was checked by a class of its own."""
    location = [str(part) for part in detail["loc"]]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        for each in cause.errors if isinstance(cause, ConfigErrors) else [cause]:
            shown = ".".join(part for part in [prefix, *_without_tags(location, model), each.key] if part)
            yield ConfigError(shown, each.value, each.remedy, file)
        return
    value, remedy = detail["input"], detail["msg"]
    if detail["type"] == "extra_forbidden":
        remedy = "unknown key" + _suggestion(location, model)
    elif detail["type"] == "union_tag_invalid":
        context = detail["ctx"]
        tag_not_found = ""
        location, value = [*location, tag_not_found, context["discriminator"].strip("'")], context["tag"]
        remedy = f"expected one of {context['expected_tags']}"
    elif detail["type"] == "missing":
        location, value, remedy = location[:-1], location[-1], "this key is missing"
    shown = ".".join(part for part in [prefix, *_without_tags(location, model)] if part)
    yield ConfigError(shown, value, remedy, file)


def _without_tags(location: list[str], model: type[BaseModel]) -> list[str]:
    """A location without the tags of unions, such as "uniform": pydantic adds them, and the user never wrote them as keys."""
    field = model.model_fields.get("prior")
    of_prior = location[:1] == ["prior"] and field is not None and field.annotation == dict[str, PriorSettings]
    return location[:2] + location[3:] if of_prior else location


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
    }
    if len(location) == 1:
        return model
    annotation = model.model_fields[location[0]].annotation if location[0] in model.model_fields else None
    nested = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return by_tag.get(location[-2], nested)


def prepend(error: ConfigError, key: str, file: Path) -> ConfigError:
    """The same error with the file it came from, and the table that its key is in, where the error does not name them yet."""
    if error.file:
        return error
    return ConfigError(".".join(part for part in (key, error.key) if part), error.value, error.remedy, file)


def table(settings: BaseModel) -> dict[str, Any]:
    """Extra keys of settings, which belong to a plugin."""
    return dict(settings.model_extra or {})
