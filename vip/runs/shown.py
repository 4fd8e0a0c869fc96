"""HTML by which objects show themselves in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence


def html_table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Names and values as a small table in HTML.

    Examples
    --------
    >>> html_table("Problem", [("data", "<3>")])
    '<b>Problem</b><table><tr><th style="text-align:left">data</th><td style="text-align:left">&lt;3&gt;</td></tr></table>'
    """
    left = 'style="text-align:left"'
    cells = (f"<tr><th {left}>{html.escape(name)}</th><td {left}>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<b>{html.escape(title)}</b><table>{''.join(cells)}</table>"
