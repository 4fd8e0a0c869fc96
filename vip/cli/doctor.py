"""`vip doctor`."""

from __future__ import annotations

import typer

from vip.diagnose.doctor import diagnose


def doctor() -> None:
    """Say what works on this machine, what does not, and what to do about it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    findings = diagnose()
    table = Table("", "what", "found", "what to do", box=None, pad_edge=False)
    for finding in findings:
        mark = "[green]ok[/]" if finding.works else "[red]missing[/]" if finding.needed else "[yellow]absent[/]"
        table.add_row(mark, *(escape(text) for text in (finding.what, finding.found, finding.remedy)))
    Console().print(table)
    if any(finding.needed and not finding.works for finding in findings):
        raise typer.Exit(1)
