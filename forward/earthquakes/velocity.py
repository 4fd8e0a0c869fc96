"""Velocity models: layers, and nodes of a grid in three dimensions. Depths are in km below sea level, velocities in km/s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import interpn

from vip.errors import ConfigError
from vip.forward.earthquakes.projection import Projection
from vip.forward.tables import numbers, place, read_table, read_text

Floats = NDArray[np.float64]
Interpolation = Literal["constant", "linear"]

FASTEST = 20.0
"""km/s; nothing in the Earth is faster."""
CENTRE = 6400.0
"""km; nothing is deeper."""
LAYER = ["depth", "vp", "vp_gradient", "vs", "vs_gradient"]
"""What follows LAYER in a NonLinLoc control file; densities may come after it."""
AXES = {True: ("latitude", "longitude", "depth"), False: ("y", "x", "depth")}
"""Of a grid, by whether it is geographic."""
NETCDF = (".nc", ".nc4", ".netcdf")
"""Suffixes of its files."""
HEADER = ".hdr"
"""Suffix of that of a NonLinLoc grid."""
VELOCITY_UNITS = {"km/s": 1.0, "km s-1": 1.0, "km s**-1": 1.0, "m/s": 1e-3, "m s-1": 1e-3, "m s**-1": 1e-3}
LENGTH_UNITS = {"km": 1.0, "kilometer": 1.0, "kilometre": 1.0, "m": 1e-3, "meter": 1e-3, "metre": 1e-3}

GRID_TYPES: dict[str, Callable[[Floats, float], Floats]] = {
    "VELOCITY": lambda values, _: values,
    "VELOCITY_METERS": lambda values, _: values / 1000,
    "SLOWNESS": lambda values, _: 1 / values,
    "SLOW_LEN": lambda values, spacing: spacing / values,
}
"""Velocities, km/s, from what a NonLinLoc grid holds and its spacing, km."""


class Layered(NamedTuple):
    """Velocities that depend on depth alone. The first layer extends upwards with the velocity of its top."""

    tops: Floats
    """(n,) km below sea level, increasing; negative above it."""
    velocity: Mapping[str, Floats]
    """(n,) km/s at the tops, by phase."""
    gradient: Mapping[str, Floats]
    """(n,) km/s per km within the layers, by phase."""

    @property
    def phases(self) -> frozenset[str]:
        """Those that have a velocity."""
        return frozenset(self.velocity)

    def at(self, phase: str, depths: Floats) -> Floats:
        """Velocities, km/s, in the shape of the depths, km. A top belongs to the layer below it."""
        layer = np.maximum(np.searchsorted(self.tops, depths, side="right") - 1, 0)
        into = np.maximum(depths - self.tops[layer], 0)
        return self.velocity[phase][layer] + self.gradient[phase][layer] * into

    def bounds(self, phase: str, top: float, bottom: float) -> tuple[float, float]:
        """Smallest and largest velocity, km/s, between two depths, km."""
        within = self.tops[(self.tops > top) & (self.tops < bottom)]
        ends = np.concatenate([[top, bottom], within, np.nextafter(within, -np.inf)])
        values = self.at(phase, ends)
        return float(values.min()), float(values.max())


class Grid3D(NamedTuple):
    """Velocities on nodes, linear between them."""

    axes: tuple[Floats, Floats, Floats]
    """Latitude and longitude in degrees, or y and x in km; and depth in km below sea level. Increasing."""
    velocity: Mapping[str, Floats]
    """(n_latitude or n_y, n_longitude or n_x, n_depth) km/s, by phase."""
    geographic: bool
    transform: str = ""
    """NonLinLoc's line that tells how x and y were made."""

    @property
    def phases(self) -> frozenset[str]:
        """Those that have a velocity."""
        return frozenset(self.velocity)

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """The smallest and the largest coordinates (3,), in the order of the axes."""
        return np.array([axis[0] for axis in self.axes]), np.array([axis[-1] for axis in self.axes])

    def contains(self, points: Floats) -> NDArray[np.bool_]:
        """Whether points (n, 3), in the order of the axes, are inside the grid."""
        first, last = self.ends
        points = self.in_turn(points)
        return ((points >= first) & (points <= last)).all(axis=1)

    def at(self, phase: str, points: Floats) -> Floats:
        """Velocities (n,), km/s, at points (n, 3) in the order of the axes; beyond the grid, those of its nearest nodes."""
        return interpn(self.axes, self.velocity[phase], np.clip(self.in_turn(points), *self.ends))

    def bounds(self, phase: str) -> tuple[float, float]:
        """Smallest and largest velocity, km/s."""
        values = self.velocity[phase]
        return float(values.min()), float(values.max())

    def described(self, first: Floats, last: Floats) -> str:
        """Intervals (3,) of the axes, for a person."""
        named = zip(AXES[self.geographic], first, last, strict=True)
        return ", ".join(f"{name} {low:.6g} to {high:.6g}" for name, low, high in named)

    def from_map(self, x: Floats, y: Floats, depth: Floats, projection: Projection | None) -> Floats:
        """Points (n, 3), in the order of the axes, from places (n,) on the map, km."""
        first, second = projection.to_geographic(x, y) if self.geographic and projection is not None else (y, x)
        return np.stack([first, second, depth], axis=1)

    def in_turn(self, points: Floats) -> Floats:
        """Points (n, 3) with each longitude, of which -170 and 190 are one, that is nearest to the middle of the grid."""
        if not self.geographic:
            return points
        west, east = self.axes[1][0], self.axes[1][-1]
        turns = np.floor((points[:, 1] - (west + east) / 2 + 180) / 360)
        return points - 360 * turns[:, None] * [0, 1, 0]


def read_velocity(file: Path, between: Interpolation = "constant") -> Layered | Grid3D:
    """Layers from text, or a grid from NetCDF or from the header of a NonLinLoc grid of P (model.P.mod.hdr) and that of S.

    Raises
    ------
    ConfigError
        See `read_layers`, `read_netcdf` and `read_nonlinloc_grids`.
    """
    if file.suffix in NETCDF:
        return read_netcdf(file)
    if file.suffix == HEADER:
        return read_nonlinloc_grids(_headers(file))
    return read_layers(file, between)


def velocity_files(file: Path) -> list[Path]:
    """All that is read for a velocity model: of a NonLinLoc grid, headers and buffers of its phases."""
    if file.suffix != HEADER:
        return [file]
    return [part for header in _headers(file).values() for part in (header, header.with_suffix(".buf"))]


def _headers(of_p: Path) -> dict[str, Path]:
    """By phase; the grid of S is that of the same name with S for P, if it is there."""
    before, found, after = of_p.name.rpartition(".P.")
    if not found:
        raise ConfigError("velocity", of_p, "expected the grid of P, with .P. in its name, such as model.P.mod.hdr")
    of_s = of_p.with_name(f"{before}.S.{after}")
    return {"P": of_p, "S": of_s} if of_s.is_file() else {"P": of_p}


def read_layers(file: Path, between: Interpolation = "constant") -> Layered:
    """Layers from a CSV table (depth, vp and, if wanted, vs or vp_vs) or the LAYER lines of a NonLinLoc control file.

    Parameters
    ----------
    between : "constant" or "linear"
        Velocity between the depths of the file. Gradients of NonLinLoc layers come before this. If it is linear, a depth may
        stand twice, for a discontinuity.

    Raises
    ------
    ConfigError
        Names the file, line and column of the first fault.
    """
    lines = read_text(file, "a table of layers").splitlines()
    of_nonlinloc = any(line.startswith("LAYER") for line in lines)
    table = _nonlinloc_layers(lines, file) if of_nonlinloc else _csv_layers(file)
    for column in table.columns.intersection(["vp", "vs"]):
        _check_column(table, column, file)
    _check_depths(table["depth"], between, file)
    if "vs" in table.columns:
        slow = table.index[table["vs"] >= table["vp"]]
        if len(slow):
            remedy = f"must be smaller than the velocity of P, {table.loc[slow[0], 'vp']:g}"
            raise ConfigError(place(slow[0], "vs"), float(table.loc[slow[0], "vs"]), remedy, file)
    return _layered(table, between)


def _csv_layers(file: Path) -> pd.DataFrame:
    text = read_table(file, ["depth", "vp"])
    columns = [column for column in ("depth", "vp", "vs", "vp_vs") if column in text.columns]
    table = pd.DataFrame({column: numbers(text, column, file) for column in columns}, index=text.index)
    if "vp_vs" in table.columns:
        if "vs" in table.columns:
            raise ConfigError("columns", "vs, vp_vs", "give one of the two", file)
        small = table.index[table["vp_vs"] <= 1]
        if len(small):
            raise ConfigError(place(small[0], "vp_vs"), float(table.loc[small[0], "vp_vs"]), "must be larger than 1", file)
        table["vs"] = table["vp"] / table["vp_vs"]
    return table


def _nonlinloc_layers(lines: list[str], file: Path) -> pd.DataFrame:
    """An S velocity of 0 in every layer stands for none."""
    rows = {}
    for number, fields in ((i, line.split()[1:]) for i, line in enumerate(lines, 1) if line.startswith("LAYER")):
        try:
            rows[number] = [float(field) for field in fields[: len(LAYER)]]
        except ValueError:
            rows[number] = []
        if len(rows[number]) != len(LAYER) or not np.isfinite(rows[number]).all():
            remedy = "expected LAYER depth VpTop VpGrad VsTop VsGrad (rhoTop rhoGrad), numbers between blanks"
            raise ConfigError(f"line {number}", " ".join(fields), remedy, file)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=LAYER)
    return table if table["vs"].any() else table.drop(columns=["vs", "vs_gradient"])


def _check_column(table: pd.DataFrame, column: str, file: Path) -> None:
    wrong = table.index[~table[column].between(0, FASTEST, inclusive="right")]
    if len(wrong):
        value = float(table.loc[wrong[0], column])
        raise ConfigError(place(wrong[0], column), value, _velocity_remedy(value), file)


def _velocity_remedy(value: float) -> str:
    return "must be in km/s; is it in m/s?" if FASTEST < value < np.inf else "must be a positive number, km/s"


def _check_depths(depths: pd.Series, between: Interpolation, file: Path) -> None:
    deep = depths.index[depths > CENTRE]
    if len(deep):
        raise ConfigError(place(deep[0], "depth"), float(depths[deep[0]]), "must be in km below sea level; is it in m?", file)
    steps = np.diff(depths)
    wrong = np.flatnonzero(steps < 0 if between == "linear" else steps <= 0)
    if len(wrong):
        line = depths.index[wrong[0] + 1]
        raise ConfigError(place(line, "depth"), float(depths[line]), "depths must increase from line to line", file)


def _layered(table: pd.DataFrame, between: Interpolation) -> Layered:
    columns = {phase: column for phase, column in (("P", "vp"), ("S", "vs")) if column in table.columns}
    gradients = {phase: table.get(f"{column}_gradient") for phase, column in columns.items()}
    given = any(gradient is not None and gradient.any() for gradient in gradients.values())
    thickness = np.diff(table["depth"], append=np.inf)
    thick = thickness > 0  # a depth that stands twice is a layer without thickness
    velocity = {phase: table[column].to_numpy(float)[thick] for phase, column in columns.items()}
    if given:
        gradient = {phase: gradients[phase].to_numpy(float)[thick] for phase in columns}
    elif between == "linear":
        steps = {phase: np.append(np.diff(table[column]), 0.0) for phase, column in columns.items()}
        gradient = {phase: step[thick] / thickness[thick] for phase, step in steps.items()}
    else:
        gradient = {phase: np.zeros(int(thick.sum())) for phase in columns}
    return Layered(table["depth"].to_numpy(float)[thick], velocity, gradient)


def read_netcdf(file: Path) -> Grid3D:
    """A grid from NetCDF: variables vp and, if wanted, vs, with units, over latitude, longitude, depth or x, y, depth.

    Depths, and x and y, are in km unless they have other units.

    Raises
    ------
    ConfigError
        If a variable, its axes or its units are not these, or a velocity is not positive.
    """
    import xarray as xr

    try:
        with xr.open_dataset(file) as opened:
            data = opened.load()
    except FileNotFoundError as error:
        raise ConfigError("", file, "cannot be read: No such file or directory") from error
    except (OSError, ValueError) as error:
        raise ConfigError("", file, f"is not NetCDF: {error}") from error
    if "vp" not in data:
        raise ConfigError(
            "variables", ", ".join(map(str, data.data_vars)) or "none", "expected vp, and vs if there is one", file
        )
    geographic = "latitude" in data.coords
    names = AXES[geographic]
    for name in names:
        if name not in data.coords:
            found = ", ".join(map(str, data.coords)) or "none"
            raise ConfigError("coordinates", found, "expected latitude, longitude, depth or x, y, depth", file)
    data = data.sortby(list(names))
    lengths = {name: 1.0 if geographic and name != "depth" else _unit(data[name], LENGTH_UNITS, "km", file) for name in names}
    axes = tuple(data[name].to_numpy().astype(float) * lengths[name] for name in names)
    velocity = {}
    for phase, variable in (("P", "vp"), ("S", "vs")):
        if variable in data:
            if set(data[variable].dims) != set(names):
                raise ConfigError(variable, data[variable].dims, f"expected the axes {', '.join(names)}", file)
            factor = _unit(data[variable], VELOCITY_UNITS, None, file)
            velocity[phase] = data[variable].transpose(*names).to_numpy().astype(float) * factor
    return _checked_grid(axes, velocity, geographic, dict.fromkeys(velocity, file))


def _unit(variable: Any, factors: Mapping[str, float], default: str | None, file: Path) -> float:
    unit = variable.attrs.get("units", default)
    if unit not in factors:
        raise ConfigError(f"units of {variable.name}", unit or "none", f"expected one of {', '.join(factors)}", file)
    return factors[unit]


def read_nonlinloc_grids(headers: Mapping[str, Path]) -> Grid3D:
    """A grid from NonLinLoc 3-D grid files, one pair .hdr and .buf for each phase; x and y are those of its transformation.

    Parameters
    ----------
    headers : mapping of "P" or "S" to path
        The .hdr files; the .buf files stand beside them.

    Raises
    ------
    ConfigError
        If a header is not that of a velocity grid in three dimensions, the size of its buffer is another, the grids of two
        phases differ, or a velocity is not positive.
    """
    grids = {phase: _nonlinloc_grid(header) for phase, header in headers.items()}
    (first, (axes, _)), *others = grids.items()
    for phase, (other, _) in others:
        if any(not np.array_equal(a, b) for a, b in zip(axes, other, strict=True)):
            raise ConfigError("nodes", f"those of {phase}", f"expected those of {first}, {headers[first]}", headers[phase])
    lines = read_text(headers[first], "a NonLinLoc grid header").splitlines()
    transform = next((line for line in lines if line.startswith("TRANS")), "")
    if transform.split()[1:] == ["GLOBAL"]:
        raise ConfigError("TRANSFORM", "GLOBAL", "has degrees for x and y; write this grid as NetCDF", headers[first])
    grid = _checked_grid(axes, {phase: values for phase, (_, values) in grids.items()}, False, headers)
    return grid._replace(transform=transform)


def _nonlinloc_grid(header: Path) -> tuple[tuple[Floats, Floats, Floats], Floats]:
    """Axes y, x, depth and velocities of one file. Values run over depth first, then y, then x (3D Grid Files)."""
    fields = read_text(header, "a NonLinLoc grid header").split("\n", 1)[0].split()
    try:
        shape = [int(field) for field in fields[:3]]
        origin, spacing = (np.array([float(field) for field in fields[i : i + 3]]) for i in (3, 6))
        kind = fields[9]
    except (ValueError, IndexError) as error:
        remedy = "expected xNum yNum zNum xOrig yOrig zOrig dx dy dz gridType"
        raise ConfigError("line 1", " ".join(fields), remedy, header) from error
    if kind not in GRID_TYPES:
        raise ConfigError("line 1, gridType", kind, f"expected one of {', '.join(GRID_TYPES)}", header)
    if shape[0] <= 2:
        raise ConfigError("line 1, xNum", shape[0], "this is the grid of a layered model: give its layers instead", header)
    if kind == "SLOW_LEN" and not np.allclose(spacing, spacing[0]):
        raise ConfigError("line 1, dx dy dz", " ".join(fields[6:9]), "slowness times length needs cubic cells", header)
    dtype = np.dtype("<f8" if fields[10:11] == ["DOUBLE"] else "<f4")
    buffer = header.with_suffix(".buf")
    try:
        raw = buffer.read_bytes()
    except OSError as error:
        raise ConfigError("", buffer, f"cannot be read: {error.strerror}") from error
    if len(raw) != np.prod(shape) * dtype.itemsize:
        remedy = f"{' x '.join(map(str, shape))} nodes take {np.prod(shape) * dtype.itemsize} bytes"
        raise ConfigError("size", f"{len(raw)} bytes", remedy, buffer)
    values = np.frombuffer(raw, dtype).astype(float).reshape(shape)
    with np.errstate(divide="ignore"):  # a slowness of 0 becomes a velocity that is refused
        velocity = GRID_TYPES[kind](values, float(spacing[0]))
    x, y, depth = (start + step * np.arange(n) for start, step, n in zip(origin, spacing, shape, strict=True))
    return (y, x, depth), velocity.transpose(1, 0, 2)


def _checked_grid(
    axes: tuple[Floats, ...], velocity: Mapping[str, Floats], geographic: bool, files: Mapping[str, Path]
) -> Grid3D:
    for name, axis in zip(AXES[geographic], axes, strict=True):
        file = next(iter(files.values()))
        if len(axis) < 2 or not (np.diff(axis) > 0).all():
            raise ConfigError(name, f"{len(axis)} nodes", "at least two, each once and finite, are needed", file)
    if axes[2][-1] > CENTRE:
        remedy = "must be in km below sea level; if it is in m, give it the units m"
        raise ConfigError("depth", float(axes[2][-1]), remedy, next(iter(files.values())))
    for phase, values in velocity.items():
        wrong = np.argwhere(~((values > 0) & (values <= FASTEST)))
        if len(wrong):
            node = ", ".join(f"{name} {axis[i]:g}" for name, axis, i in zip(AXES[geographic], axes, wrong[0], strict=True))
            value = float(values[tuple(wrong[0])])
            raise ConfigError(f"velocity of {phase} at {node}", value, _velocity_remedy(value), files[phase])
    y, x, depth = axes
    return Grid3D((y, x, depth), {phase: np.ascontiguousarray(values) for phase, values in velocity.items()}, geographic)
