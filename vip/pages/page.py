"""The page: a headline, a summary and figures in one file."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

from vip.pages.style import DPI, STYLE, Picture

PAGE_DPI = 105
"""Number of pixels of the page for an inch of a figure."""


def write_page(
    directory: Path,
    title: str,
    headline: str,
    summary: Mapping[str, str],
    pictures: Iterable[Picture],
    *,
    notes: Sequence[str] = (),
    configuration: str = "",
) -> Path:
    """Write figures as PNG and ``index.html``, which holds all of them.

    Parameters
    ----------
    directory : Path
        Folder of the page; it is made if it is not there.
    title : str
    headline : str
        The finding in one line.
    summary : mapping
        Rows of the table under it.
    pictures : iterable of Picture
        Pictures are drawn while the page is written, one after the other, so that all have one style.
    notes : sequence of str
        More lines under the headline.
    configuration : str
        Text at the end, as it is.

    Returns
    -------
    Path
        Path of the page.
    """
    import matplotlib
    from jinja2 import Environment, FileSystemLoader

    directory.mkdir(parents=True, exist_ok=True)
    figures = []
    with matplotlib.rc_context(STYLE):
        for picture in pictures:
            png = _png(picture)
            (directory / (re.sub(r"\W+", "_", picture.name) + ".png")).write_bytes(png)
            figures.append((picture, base64.b64encode(png).decode(), _width(png)))
    # Nothing in the page is markup but the template's own.
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    page = environment.get_template("page.html").render(
        title=title, headline=headline, notes=notes, summary=summary, figures=figures, configuration=configuration
    )
    index = directory / "index.html"
    index.write_text(page, encoding="utf-8")
    return index


def _png(picture: Picture) -> bytes:
    buffer = BytesIO()
    picture.figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()


def _width(png: bytes) -> int:
    """Width of a picture on the page, in pixels, such that all pictures have letters of one size."""
    pixels = int.from_bytes(png[16:20])
    return round(pixels * PAGE_DPI / DPI)
