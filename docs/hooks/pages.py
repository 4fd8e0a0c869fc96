"""MkDocs hook: adds the pages that are made from the code and README.md, so that they cannot be out of date."""

from __future__ import annotations

from typing import Any

import api_pages
import commands_page
import configuration_page
import gallery_page
import home_page


def generated() -> dict[str, str]:
    """Text of every generated page, by its path under ``docs/``."""
    pages = {
        "index.md": home_page.page(),
        "configuration.md": configuration_page.page(),
        "commands.md": commands_page.page(),
        "gallery.md": gallery_page.page(),
    }
    return pages | gallery_page.readmes() | {path: text for path, _, text in api_pages.pages()}


def on_config(config: Any) -> Any:
    """Put the pages of the Python reference where the navigation says "api"."""
    for section in config.nav:
        for entries in section.values():
            if isinstance(entries, list) and {"Python": "api"} in entries:
                entries[entries.index({"Python": "api"})] = {"Python": [{title: path} for path, title, _ in api_pages.pages()]}
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to those in ``docs/``."""
    from mkdocs.structure.files import File  # not above: the tests read these pages without MkDocs

    for path, text in generated().items():
        files.append(File.generated(config, path, content=text))
    return files
