"""The home page: README.md, with links that lead to pages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that show a file outside ``docs/``."""


def page() -> str:
    """The whole page; links to files that are on no page become plain text."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"<!--.*?-->\n", "", text)
    return re.sub(r"\[([^]]*)\]\((?!\w+:)([^)]+)\)", _link, text)


def _link(found: re.Match[str]) -> str:
    text, target = found.groups()
    page = target.removeprefix("docs/") if target.startswith("docs/") else PAGES.get(target)
    return text if page is None else f"[{text}]({page})"
