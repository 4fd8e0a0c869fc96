"""The page: a summary, the figures and the configuration in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from vip.config import DispatchSettings
from vip.diagnose.verdict import verdict
from vip.pages.page import write_page
from vip.pages.style import Picture
from vip.protocols import Draws
from vip.report import fit, gathers, maps, marginals, reliability, trace, truth, wells
from vip.report.findings import Findings
from vip.report.layout import rounded
from vip.runs.result import Result


def own(findings: Findings) -> Iterator[Picture]:
    """Pictures that the forward itself draws."""
    forward = findings.result.problem.forward
    if isinstance(forward, Draws):
        yield from (Picture(*picture) for picture in forward.pictures(findings.flat.astype(float)))


FIGURES: list[Callable[[Findings], Iterator[Picture]]] = [
    own,
    maps.moments,
    maps.samples,
    maps.contraction,
    truth.rows,
    reliability.curves,
    wells.profiles,
    marginals.profiles,
    marginals.lines,
    marginals.contraction,
    marginals.numbers,
    maps.coverage,
    gathers.sections,
    gathers.traces,
    fit.residuals,
]
"""Functions that draw the pictures, in the order of the page; each leaves out what the forward cannot give."""


def write_report(result: Result, output: Path | None = None, dispatch: DispatchSettings | None = None) -> Path:
    """Write figures and ``index.html``, which holds all of them, for a finished or interrupted run.

    Parameters
    ----------
    result : Result
    output : path, optional
        Folder; without it ``report`` in the run directory, or for a run in memory in this folder.
    dispatch : DispatchSettings, optional
        Who predicts data of samples; this process without it.

    Returns
    -------
    Path
        Path of the page.
    """
    output = output or (result.path or Path()) / "report"
    findings = Findings(result, dispatch)
    name = result.path.resolve().name if result.path else "in memory"
    return write_page(
        output,
        f"{name}: posterior",
        verdict(findings.diagnoses),
        summary(findings),
        _pictures(findings),
        notes=[str(diagnosis) for diagnosis in findings.diagnoses if diagnosis.fault][1:],
        configuration=(result.path / "config.toml").read_text(encoding="utf-8") if result.path else repr(result.problem.config),
    )


def summary(findings: Findings) -> dict[str, str]:
    """Summary in words: what was run, what it cost and what it found."""
    result = findings.result
    settings, made = result.problem.config.algorithm, result.store.provenance
    options = settings.model_dump(exclude={"name", "iterations"})
    seconds = np.array([m["seconds"] for m in result.store.metrics()])
    algorithm = result.problem.build_algorithm()
    rows = {
        "Status": result.status,
        "Algorithm": f"{settings.name}: " + ", ".join(f"{key} {value}" for key, value in options.items()),
        "Iterations": f"{len(seconds):,} of {settings.iterations:,}",
        "Samples": "none yet",
        "Model": f"{findings.space.size:,} parameters: {', '.join(v.name for v in findings.space.variables)}",
        "Evaluations": f"{sum(int(m.get('evaluations', algorithm.n_evaluated)) for m in result.store.metrics()):,} models",
    }
    failures = sum(int(m.get("failures", 0)) for m in result.store.metrics())
    if failures:
        rows["Failures"] = (
            f"{failures:,} evaluations failed, on_failure = {result.problem.config.run.on_failure!r}; see run.log"
        )
    if len(seconds):
        rows["Time"] = f"{_duration(seconds.sum())}; {np.median(seconds):.3g} s an iteration (median)"
    if findings.sampled:
        rows |= _sample_rows(findings, algorithm.is_chain)
    rows |= {diagnosis.name: diagnosis.finding for diagnosis in findings.diagnoses if diagnosis.name not in rows}
    rows["Machine"] = f"{made['machine']}, {made['platform']}"
    rows["Seed"] = str(made["seed"])
    rows["Versions"] = ", ".join(f"{name} {version}" for name, version in made["packages"].items())
    rows["Versions"] += f", Python {made['python']}"
    return rows


def _sample_rows(findings: Findings, is_chain: bool) -> dict[str, str]:
    chains, draws, _ = findings.result.models.shape
    rows = {"Samples": f"{chains * draws:,}" + (f": {chains} chains of {draws:,}" if is_chain else "")}
    if findings.fit is not None:
        data, before, after = len(findings.fit.observed), findings.fit.chi2_before, findings.fit.chi2_after
        rows["Data fit"] = f"χ² per datum {rounded(after)}, from {rounded(before)} over the prior; {data:,} data"
    if findings.grid is not None:
        rows["Error of the grid"] = str(findings.grid)
    against = truth.summary(findings)
    if against:
        rows["Against the truth"] = against
    if findings.stein is not None:
        rows["Stein discrepancy"] = str(findings.stein)
    return rows


def _pictures(findings: Findings) -> Iterator[Picture]:
    if findings.sampled:
        for draw in FIGURES:
            yield from draw(findings)
    yield from trace.trace(findings)


def _duration(seconds: float) -> str:
    """A time in a unit that suits it.

    Examples
    --------
    >>> _duration(12.34), _duration(1234), _duration(12345)
    ('12.3 s', '20.6 min', '3.4 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
