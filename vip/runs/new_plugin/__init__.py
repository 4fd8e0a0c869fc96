"""A package of a plugin to start from, written from the templates in this folder: `vip plugins new NAME`."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from string import Template

from vip.errors import ConfigError, StoreError
from vip.plugins import installed

FILES = {
    "pyproject.toml": "pyproject.toml.template",
    "README.md": "readme.md.template",
    "$name/__init__.py": "plugin.py.template",
    "$name/starter.toml": "starter.toml.template",
    "tests/test_$name.py": "test_plugin.py.template",
}
"""Names of the templates, by the files that they become."""


def write(name: str, parent: Path) -> Path:
    """Write the package `name` into a new folder of `parent`, which is returned.

    Raises
    ------
    ConfigError
        If `name` cannot be the name of a plugin.
    StoreError
        If there is something of that name in `parent`.
    """
    folder = parent / name
    _check(name)
    if folder.exists():
        raise StoreError(f"{folder}: exists; choose another name, or remove it first")
    _check_is_free(name)
    values = {"name": name, "cls": "".join(part.capitalize() for part in name.split("_"))}
    for file, template in FILES.items():
        target = folder / Template(file).substitute(values)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = Path(__file__).with_name(template).read_text(encoding="utf-8")
        target.write_text(Template(text).substitute(values), encoding="utf-8")
    return folder


def _check(name: str) -> None:
    """Raise `ConfigError` for a name that cannot be that of a module and an entry point."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise ConfigError("NAME", name, "use small letters, digits and single underscores, a letter first, no word of Python's")


def _check_is_free(name: str) -> None:
    if name in installed():
        raise ConfigError("NAME", name, "a plugin of this name is installed; choose another, see `vip plugins`")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise ConfigError("NAME", name, "there is a Python module of this name, which it would hide; choose another")
