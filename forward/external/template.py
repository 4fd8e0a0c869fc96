"""Placeholders in the arguments of the command."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")
"""Pattern of ``{name}`` and of ``{{name}}``, the text {name} itself. Braces around anything else (JSON) are just braces."""


def placeholders(argument: str) -> set[str]:
    """Names of the placeholders in one argument.

    Examples
    --------
    >>> placeholders('--out={gradient}'), placeholders('{"a": 1} {{b}}')
    ({'gradient'}, set())
    """
    return {name for _, name in PLACEHOLDER.findall(argument) if name}


def fill(argument: str, values: Mapping[str, str]) -> str:
    """The argument with values in place of placeholders; what a value holds is not looked at again.

    Examples
    --------
    >>> fill("-n {threads} {{threads}}", {"threads": "4"})
    '-n 4 {threads}'
    """
    return PLACEHOLDER.sub(lambda found: values[found[2]] if found[2] else f"{{{found[1]}}}", argument)
