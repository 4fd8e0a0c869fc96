"""Every key of a configuration with type, default and meaning, from the settings classes themselves."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from vip.config import Config
from vip.forward.tomo2d.amortised.settings import AmortisedSettings
from vip.forward.waveform.greens.settings import GreensSettings
from vip.jobs.site import Site, load_site
from vip.methods import BUILT_IN, Method, named
from vip.plugins import find, installed
from vip.protocols import HasStarter

ROOT = Path(__file__).parents[2]

INTRO = """# Configuration

Every key of a configuration file (TOML). An unknown key, a wrong type or a value out of range is an error that names file, key,
value and what would be right. Paths are relative to the file; `${VIP_DATA_DIR}` is where data sets are. `vip init PLUGIN`
writes a file to start from. In the tables, a default of – means that the key may be left out.
"""

METHODS = """
`name` is one of those below, that of an installed package with an entry point in the group `vip.methods`, or
`"package.module:Class"` or `"./file.py:Class"`: a class of your own that derives from `vip.methods.Method`.
"""

OF_COMMANDS: dict[str, tuple[str, type[BaseModel]]] = {
    "greens": ("greens", GreensSettings),
    "amortise train": ("", AmortisedSettings),
}
"""Commands with a file of their own, the table of it that they read, and its settings."""

NAMES = {float: "number", int: "integer", str: "text", Path: "path", bool: "`true` or `false`"}
SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


class Section(NamedTuple):
    """A heading with a table of keys, if it has one of its own."""

    level: int
    title: str
    settings: type[BaseModel] | None = None
    after: str = ""


def page() -> str:
    """The whole page."""
    return INTRO + "\n".join(text(section) for section in sections())


def sections() -> Iterator[Section]:
    """All sections in their order on the page."""
    yield Section(2, "Top level", Config)
    for key, field in Config.model_fields.items():
        yield from _methods() if field.annotation is Method else _tables(field, key, 2)
        if key == "forward":
            for name in _plugins():
                yield from _plugin(name)
    for command, (table, settings) in OF_COMMANDS.items():
        yield Section(2, f"The file of vip {command}" + (f": [{table}]" if table else ""), settings)
        yield from (nested._replace(title=nested.title.replace("[.", "[")) for nested in _nested(settings, table, 3))
    yield Section(2, "Site file", Site, str(inspect.getdoc(load_site)).splitlines()[0])


def _plugins() -> list[str]:
    """Names of the folders of forward plugins that have settings."""
    return sorted(file.parent.name for file in ROOT.glob("forward/*/settings.py"))


def _plugin(name: str) -> Iterator[Section]:
    """The settings of a plugin: the class in its ``settings.py`` that no other one there has as a field."""
    module = importlib.import_module(f"vip.forward.{name}.settings")
    classes = [each for each in vars(module).values() if _is_settings(each) and each.__module__ == module.__name__]
    inner = {found for each in classes for field in each.model_fields.values() for found in _settings_in(field.annotation)}
    for settings in classes:
        if settings not in inner and not any(settings in other.__mro__[1:] for other in classes):
            yield Section(3, f'plugin = "{name}"', settings, _starter(name))
            yield from _nested(settings, "forward", 4)


def _starter(name: str) -> str:
    """What ``vip init`` writes, folded."""
    plugin = find(name, ROOT, "plugin") if name in installed() else None
    if not isinstance(plugin, HasStarter):
        return ""
    text = "\n".join(f"    {line}".rstrip() for line in plugin.starter_config().splitlines())
    return f'??? example "A file to start from: `vip init {name}`"\n\n    ```toml\n{text}\n    ```\n'


def _nested(settings: type[BaseModel], path: str, level: int) -> Iterator[Section]:
    for key, field in settings.model_fields.items():
        yield from _tables(field, f"{path}.{key}", level)


def _methods() -> Iterator[Section]:
    """The settings of every method of ours; a user's own are documented by their class."""
    yield Section(2, "[algorithm]", after=inspect.cleandoc(METHODS))
    for name in BUILT_IN:
        yield Section(3, _kind(named(name)), named(name))


def _tables(field: FieldInfo, path: str, level: int) -> Iterator[Section]:
    """Sections of the tables that a key may hold: one, or one for each kind."""
    classes = _settings_in(field.annotation)
    origin = get_origin(field.annotation)
    title = f"[{path}.NAME]" if origin is dict else f"[[{path}]]" if origin in (tuple, list) else f"[{path}]"
    if len(classes) > 1:
        yield Section(level, title)
    for settings in classes:
        kind = _kind(settings)
        yield Section(level + 1, kind, settings) if len(classes) > 1 and kind else Section(level, title, settings)
        yield from _nested(settings, title.strip("[]"), level + 2 if len(classes) > 1 else level + 1)


def _settings_in(annotation: Any) -> list[type[BaseModel]]:
    """Settings classes anywhere in an annotation."""
    if _is_settings(annotation):
        return [annotation]
    return list(dict.fromkeys(found for part in get_args(annotation) for found in _settings_in(part)))


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _kind(settings: type[BaseModel]) -> str:
    """The key that tells it from the others, such as ``name = "svgd"``."""
    for key, field in settings.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            return f"{key} = {_value(get_args(field.annotation)[0])}"
    return ""


def text(section: Section) -> str:
    """Heading, prose of the class and table of its keys."""
    title = f"`{section.title}`" if section.title[0] == "[" or "=" in section.title else section.title
    heading = f"\n{'#' * min(section.level, 4)} {title}\n"
    if section.settings is None:
        return "\n".join(part for part in (heading, section.after) if part)
    prose, meanings = _documentation(section.settings)
    return "\n".join([heading, prose, "", _table(section.settings, meanings), "", section.after])


def _table(settings: type[BaseModel], meanings: dict[str, str]) -> str:
    fields = settings.model_fields
    own_first = sorted(
        fields, key=lambda key: next(i for i, each in enumerate(settings.__mro__) if key in each.__annotations__)
    )
    described = {key: fields[key].description or meanings.get(key, "") for key in own_first}
    columns = ["Key", "Type", "Default"] + ["Meaning"] * any(described.values())
    rows = [columns, ["---"] * len(columns)]
    for key, meaning in described.items():
        field = fields[key]
        cells = [f"`{field.alias or key}`", _type(field.annotation, field.metadata), _default(field), meaning]
        rows.append([" ".join(cell.split()).replace("|", "\\|") for cell in cells[: len(columns)]])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _documentation(settings: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """Prose of a class and its bases, and what a numpydoc list of attributes says of each key."""
    prose, meanings = [], {}
    for each in settings.__mro__[: settings.__mro__.index(BaseModel)]:
        if each.__name__ == "Settings":  # the bases of all
            continue
        text, *listed = re.split(r"\n(?:Attributes|Parameters)\n-+\n", inspect.cleandoc(each.__doc__ or ""))
        prose.append(text.strip())
        for names, meaning in re.findall(r"^(\w[\w, ]*?) : .*\n((?:[ ]{4}.*(?:\n|$))+)", "".join(listed), re.M):
            meanings.update(dict.fromkeys(names.split(", "), " ".join(meaning.split())))
    return "\n\n".join(prose), meanings


def _type(annotation: Any, metadata: Any = ()) -> str:
    """A type in words, with its limits."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0], parts[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in parts if part is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{_value(part)}`" for part in parts)
    if origin in (tuple, list):
        return f"[{_type(parts[0])}, ...]" if parts[-1] is ... or origin is list else f"[{', '.join(map(_type, parts))}]"
    if origin is dict or _is_settings(annotation):
        return "table"
    return f"{NAMES.get(annotation, str(annotation))} {', '.join(_limits(metadata))}".strip()


def _limits(metadata: Any) -> Iterator[str]:
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from _limits(each.metadata)
        for name, sign in SIGNS.items():
            if hasattr(each, name):
                limit = getattr(each, name)
                yield f"{sign} 2⁶⁴" if limit == 2**64 else f"{sign} {limit:g}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if isinstance(field.json_schema_extra, dict) and "default" in field.json_schema_extra:
        return str(field.json_schema_extra["default"])  # one that follows from other keys
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return "–"
    return f"`{_value(value)}`"


def _value(value: Any) -> str:
    """As one writes it in TOML."""
    return json.dumps(value, default=str)
