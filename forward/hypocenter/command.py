"""`vip locate PICKS --stations FILE --velocity FILE -o CATALOGUE`, a command that this plugin brings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import vip
from vip.cli.carry_on import begin, go_on
from vip.cli.messages import messages_shown
from vip.cli.options import Dispatch, Overwrite, check_are_free
from vip.errors import ConfigError
from vip.forward.hypocenter.plugin import Hypocenters

FORMATS = {suffix: name for name, suffix in Hypocenters.formats.items() if suffix}
"""Formats of the catalogue by the suffix of its file."""


def locate(
    picks: Annotated[Path, typer.Argument(help="QuakeML, NonLinLoc phases, or CSV: event, station, phase, time, sigma.")],
    stations: Annotated[Path, typer.Option("--stations", help="StationXML, NonLinLoc GTSRCE, or CSV.")],
    velocity: Annotated[
        Path, typer.Option("--velocity", help="CSV: depth, vp, vs; NonLinLoc LAYER or .P.mod.hdr; or NetCDF in 3-D.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Catalogue: .xml (QuakeML) or .csv.")],
    depth: Annotated[tuple[float, float], typer.Option("--depth", help="Depths of the region, km.")] = (0.0, 30.0),
    likelihood: Annotated[str, typer.Option("--likelihood", help="edt or gaussian.")] = "edt",
    sigma: Annotated[float | None, typer.Option("--sigma", help="Sigma of picks without one, s.")] = None,
    dispatch: Dispatch = None,
    overwrite: Overwrite = False,
) -> None:
    """Locate earthquakes; Ctrl-C saves, and the same command goes on."""
    if output.suffix not in FORMATS:
        raise ConfigError("--output", output, f"expected a name that ends in {' or '.join(FORMATS)}")
    config, run_dir = output.with_suffix(".toml"), output.with_suffix(".run")
    text = _toml(_configuration(picks, stations, velocity, depth, likelihood, sigma, run_dir))
    same = config.is_file() and config.read_text(encoding="utf-8") == text
    if same and run_dir.exists() and not overwrite:
        result = go_on(run_dir, dispatch=dispatch, check=lambda problem: _check_can_write(problem, output))
    else:
        if not overwrite:
            check_are_free(output, *([] if same else [config]), run_dir)
        with messages_shown():
            problem = _loaded(config, text)
        _check_can_write(problem, output)
        result = begin(problem, run_dir, overwrite, dispatch)
    _write(result, output)


def _check_can_write(problem: vip.Problem, output: Path) -> None:
    """Raise an error if the catalogue cannot have the format that its suffix names."""
    if output.suffix == ".xml" and _forward(problem).catalogue.network.projection is None:
        raise ConfigError("--output", output, "QuakeML needs degrees, and these stations are in km: choose a name in .csv")


def _forward(problem: vip.Problem) -> Hypocenters:
    forward = problem.forward
    if not isinstance(forward, Hypocenters):  # another distribution may have an entry point of this name
        raise ConfigError("forward.plugin", type(forward).__qualname__, f"expected {Hypocenters.__qualname__}", problem.path)
    return forward


def _write(result: vip.Result, output: Path) -> None:
    """Write the catalogue, and report what is in it."""
    forward = _forward(result.problem)
    forward.export(result.flat.astype(float), FORMATS[output.suffix], output)
    left_out = len({fault.event for fault in forward.catalogue.faults})
    counts = f"{len(forward.picks.events)} events" + (f", {left_out} left out" if left_out else "")
    print(f"{output}: {counts}; more: vip report {result.path}")


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
    picks: Path,
    stations: Path,
    velocity: Path,
    depth: tuple[float, float],
    likelihood: str,
    sigma: float | None,
    run_dir: Path,
) -> dict[str, Any]:
    """The starter configuration, as data, with the options of the command."""
    config = tomllib.loads(Hypocenters.starter_config())
    forward = config["forward"]
    forward |= {name: str(file.resolve()) for name, file in (("stations", stations), ("picks", picks), ("velocity", velocity))}
    forward["likelihood"] = likelihood
    forward["region"]["depth"] = list(depth)
    if sigma is not None:
        forward["sigma"] = {"P": sigma, "S": sigma}
    config["run"]["output"] = str(run_dir.resolve())
    return config


def _toml(table: Mapping[str, Any], name: str = "") -> str:
    """A table of text, numbers, lists and tables as TOML.

    Examples
    --------
    >>> print(_toml({"seed": 1, "run": {"output": "runs/x", "depth": [0.0, 30.0]}}), end="")
    seed = 1
    <BLANKLINE>
    [run]
    output = "runs/x"
    depth = [0.0, 30.0]
    """
    values, tables = [], []
    for key, value in table.items():
        if isinstance(value, Mapping):
            path = f"{name}.{key}" if name else key
            tables.append(f"\n[{path}]\n{_toml(value, path)}")
        else:  # strings, numbers and lists of JSON are those of TOML, but for escapes beyond the first plane of Unicode
            values.append(f"{key} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(values + tables)
