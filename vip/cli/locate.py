"""`vip locate PICKS --stations FILE --velocity FILE -o CATALOGUE`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import vip
from vip.cli.carry_on import begin, go_on
from vip.cli.messages import told
from vip.cli.options import Dispatch, Overwrite
from vip.errors import ConfigError, StoreError
from vip.runs.plugins import starter

FORMATS = {".xml": "quakeml", ".csv": "csv"}
"""Of the catalogue, by its suffix."""


def locate(
    picks: Annotated[Path, typer.Argument(help="QuakeML, NonLinLoc phases, or CSV: event, station, phase, time, sigma.")],
    stations: Annotated[Path, typer.Option("--stations", help="StationXML, NonLinLoc GTSRCE, or CSV.")],
    velocity: Annotated[
        Path, typer.Option("--velocity", help="CSV: depth, vp, vs; NonLinLoc LAYER or .P.mod.hdr; or NetCDF in 3-D.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Catalogue: .xml (QuakeML) or .csv.")],
    depth: Annotated[tuple[float, float], typer.Option("--depth", help="Of the region, km below sea level.")] = (0.0, 30.0),
    likelihood: Annotated[str, typer.Option("--likelihood", help="edt or gaussian.")] = "edt",
    sigma: Annotated[float | None, typer.Option("--sigma", help="Of picks that have none, s.")] = None,
    dispatch: Dispatch = None,
    overwrite: Overwrite = False,
) -> None:
    """Locate earthquakes; Ctrl-C saves, and the same command goes on."""
    if output.suffix not in FORMATS:
        raise ConfigError("--output", output, f"expected a name that ends in {' or '.join(FORMATS)}")
    config, run_dir = output.with_suffix(".toml"), output.with_suffix(".run")
    text = _configuration(stations, picks, velocity, depth, likelihood, sigma, run_dir)
    same = config.is_file() and config.read_text(encoding="utf-8") == text
    goes_on = not overwrite and same and run_dir.exists()
    if not overwrite and not goes_on:
        for path in (output, config, run_dir):
            if path.exists() and not (path == config and same):
                raise StoreError(f"{path}: exists; choose another --output or use --overwrite")
    if goes_on:
        result = go_on(run_dir, dispatch=dispatch, check=lambda problem: _check_can_write(problem, output))
    else:
        with told():
            problem = _loaded(config, text)
        _check_can_write(problem, output)
        result = begin(problem, run_dir, overwrite, dispatch)
    result.problem.forward.export(result.flat.astype(float), FORMATS[output.suffix], output)  # type: ignore[attr-defined]
    left_out = len({fault.event for fault in result.problem.forward.catalogue.faults})  # type: ignore[attr-defined]
    counts = f"{len(result.problem.space.variables[0].coords['event'])} events" + (f", {left_out} left out" if left_out else "")
    print(f"{output}: {counts}; more: vip report {run_dir}")


def _check_can_write(problem: vip.Problem, output: Path) -> None:
    """Whether the catalogue can have the format of its name."""
    if output.suffix == ".xml" and problem.forward.catalogue.network.projection is None:  # type: ignore[attr-defined]
        raise ConfigError("--output", output, "QuakeML needs degrees, and these stations are in km: choose a name in .csv")


def _loaded(config: Path, text: str) -> vip.Problem:
    """The problem of a configuration, which is left there only if it can be loaded: a second try finds what the first did."""
    before = config.read_text(encoding="utf-8") if config.is_file() else None
    config.write_text(text, encoding="utf-8")
    try:
        return vip.load_problem(config)
    except BaseException:  # Ctrl-C too
        config.unlink() if before is None else config.write_text(before, encoding="utf-8")
        raise


def _configuration(
    stations: Path,
    picks: Path,
    velocity: Path,
    depth: tuple[float, float],
    likelihood: str,
    sigma: float | None,
    run_dir: Path,
) -> str:
    """The starter configuration with what the command says."""
    text: str = starter("hypocenter", "starter_config")()
    said = {
        "stations": str(stations.resolve()),
        "picks": str(picks.resolve()),
        "velocity": str(velocity.resolve()),
        "likelihood": likelihood,
        "depth": list(depth),
        "output": str(run_dir.resolve()),
    }
    lines = []
    for line in text.splitlines():
        key = line.partition(" =")[0]
        if key in said:
            line = f"{key} = {json.dumps(said[key])}"  # strings and lists of JSON are those of TOML
        if line.startswith("# sigma =") and sigma is not None:
            line = f"sigma = {{ P = {sigma}, S = {sigma} }}"
        lines.append(line)
    return "\n".join(lines) + "\n"
