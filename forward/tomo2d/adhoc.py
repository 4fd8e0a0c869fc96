"""A configuration for measurements that came without one, with the tables that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vip.forward.tomo2d.choices import NodeGrid, bounds, grid_around
from vip.forward.tomo2d.measured import Measured

REFINEMENT = 5
"""Refinement of the grid of times: of models without smoothness, 2 would be wrong by 1.4 %."""


class Choices(NamedTuple):
    """Choices that a user makes for a prediction; None where the measurements are to decide."""

    bounds: tuple[float, float] | None
    """Bounds of the velocity, km/s."""
    correlation: float | None
    """Correlation length of the prior, km; 0 for none."""
    unknown_noise: bool
    """Whether the scale of the noise is inferred."""
    network: Path | None
    """Trained network, if not that of the package."""
    nodes: tuple[int, int]
    """Smallest and largest number of rows or columns of the grid."""
    seed: int


def write_configuration(measured: Measured, choices: Choices, directory: Path) -> tuple[Path, dict[str, str]]:
    """Write tables and ``tomo2d.toml`` to a directory; returns the latter's path, and what was chosen, in words."""
    directory.mkdir(parents=True, exist_ok=True)
    grid = grid_around(measured, choices.nodes)
    correlation = grid.step if choices.correlation is None else choices.correlation
    limits = {label: choices.bounds or bounds(measured.velocities(label)) for label in measured.periods}
    axes = ("latitude", "longitude") if measured.geographic else ("y", "x")
    stations = pd.DataFrame({"name": measured.names, **dict(zip(axes, measured.places.T, strict=True))})
    stations.to_csv(directory / "stations.csv", index=False)
    files = {label: _file(label, i) for i, label in enumerate(measured.periods)}
    for label, picks in measured.periods.items():
        ends = ([measured.names[i] for i in index] for index in (picks.source, picks.receiver))
        columns = dict(zip(("source", "receiver", "time", "sigma"), (*ends, picks.time, picks.sigma), strict=True))
        pd.DataFrame(columns).to_csv(directory / files[label], index=False)
    np.savetxt(directory / "bounds.txt", list(limits.values()), fmt="%g")
    config = directory / "tomo2d.toml"
    config.write_text(_toml(measured, choices, grid, correlation, limits, files), encoding="utf-8")
    return config, _in_words(measured, choices, grid, correlation, limits)


def _file(label: str, i: int) -> str:
    """Name of the table of a period, whatever its label is."""
    plain = re.sub(r"[^\w.-]+", "_", label)
    return f"times_{i + 1}_{plain}.csv" if label else "times.csv"


def _toml(
    measured: Measured,
    choices: Choices,
    grid: NodeGrid,
    correlation: float,
    limits: dict[str, tuple[float, float]],
    files: dict[str, str],
) -> str:
    one = list(limits) == [""]
    lines = [
        "# Made by `vip predict`; `vip run` does the same with chains, which begin at the network's draws.",
        f"seed = {choices.seed}",
        "",
        "[forward]",
        'plugin = "tomo2d"',
        'stations = "stations.csv"',
        *(['times = "times.csv"'] if one else []),
        f"unknown_noise = {json.dumps(choices.unknown_noise)}",
        *([f"network = {json.dumps(str(choices.network.resolve()))}"] if choices.network else []),
        "",
        "[forward.grid]",
        f'unit = "{"degrees" if measured.geographic else "km"}"',
        f"shape = {json.dumps(grid.shape)}",
        f"origin = {json.dumps(grid.origin)}",
        f"spacing = {json.dumps(grid.spacing)}",
        f"refinement = {REFINEMENT}",
    ]
    for label, file in files.items() if not one else ():
        lines += ["", "[[forward.periods]]", f"label = {json.dumps(label)}", f"times = {json.dumps(file)}"]
    lower, upper = next(iter(limits.values()))
    given = [f"lower = {lower}", f"upper = {upper}"] if one else ['bounds_file = "bounds.txt"  # a row for each period']
    lines += ["", "[prior.velocity]", 'kind = "uniform"', 'unit = "km/s"', *given]
    lines += [f"correlation_length = {correlation:.4g}  # km"] if correlation else []
    if choices.unknown_noise:
        lines += ["", "[prior.log_noise]", 'kind = "gaussian"', "mean = 0.0", "sd = 1.0"]
    chains = ['name = "hmc"', 'start = "network"', 'metric = "network"', "particles = 16", "leapfrog_steps = 10"]
    return "\n".join([*lines, "", "[algorithm]", *chains, "burn_in = 60", "iterations = 600", ""])


def _in_words(
    measured: Measured, choices: Choices, grid: NodeGrid, correlation: float, limits: dict[str, tuple[float, float]]
) -> dict[str, str]:
    counts = [len(picks.time) for picks in measured.periods.values()]
    several = f" in {len(counts)} periods" if len(counts) > 1 else ""
    by_period = [f"{label + ': ' if label else ''}{low:g} to {high:g} km/s" for label, (low, high) in limits.items()]
    why = "as asked for" if choices.bounds else "chosen from the range of path averages"
    alike = f"alike over {correlation:.3g} km" if correlation else "each node by itself"
    rows, columns = grid.shape
    scale = "unknown, to a factor of about e" if choices.unknown_noise else "as given"
    return {
        "Data": f"{sum(counts):,} times{several} between {len(measured.names)} stations",
        "Grid": f"{rows} x {columns} nodes, {grid.step:.3g} km apart: about as many as pairs, within the network's reach",
        "Prior": f"uniform, {alike}; {'; '.join(by_period)}; {why}",
        "Scale of the noise": scale,
    }
