"""Lines of NonLinLoc control files: stations (GTSRCE), layers (LAYER) and the map (TRANS, which grids have too)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from vip.errors import ConfigError
from vip.forward.earthquakes.projection import MapProjection, Projection, Simple
from vip.forward.earthquakes.stations import Stations, checked_stations

LAYER = ["depth", "vp", "vp_gradient", "vs", "vs_gradient"]
"""Numbers that follow LAYER in a NonLinLoc control file; densities may come after them."""
ELLIPSOIDS = {
    "WGS-84": "WGS84",
    "GRS-80": "GRS80",
    "WGS-72": "WGS72",
    "Australian": "aust_SA",
    "Krasovsky": "krass",
    "International": "intl",
    "Hayford-1909": "intl",
    "Clarke-1880": "clrk80",
    "Clarke-1866": "clrk66",
    "Airy": "airy",
    "Bessel": "bessel",
    "Hayford-1830": "evrst30",
    "Sphere": "sphere",
}
"""Names of NonLinLoc's ellipsoids in PROJ."""
LABELS = ("RefEllipsoid", "LatOrig", "LongOrig", "FirstStdParal", "SecondStdParal", "RotCW", "UseFalseEasting")
"""Labels that stand before the numbers in the header of a NonLinLoc grid, but not in a control file."""


def read_stations(text: str, file: Path) -> Stations:
    """Stations from the GTSRCE lines of a control file, all in degrees or all in km."""
    lines = {number: line.split()[1:] for number, line in enumerate(text.splitlines(), 1) if line.startswith("GTSRCE")}
    rows = {number: _source(fields, number, file) for number, fields in lines.items()}
    kinds = {number: fields[1] == "XYZ" for number, fields in lines.items()}
    cartesian = next(iter(kinds.values()))
    for number, kind in kinds.items():
        if kind != cartesian:
            raise ConfigError(f"line {number}", lines[number][1], "XYZ and geographic sources cannot be mixed", file)
    axes = ["y", "x"] if cartesian else ["latitude", "longitude"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["station", *axes, "elevation_km"])
    return checked_stations(table, axes, {phase: np.zeros(len(table)) for phase in ("P", "S")}, file)


def _source(fields: list[str], line: int, file: Path) -> tuple[str, float, float, float]:
    """Name, two coordinates and elevation from what follows GTSRCE (NonLinLoc control file, Grid2Time)."""
    try:
        label, kind, *rest = fields
        if kind == "XYZ":
            x, y, depth, elevation = map(float, rest)
            return label, y, x, elevation - depth
        if kind == "LATLON":
            y, x, depth, elevation = map(float, rest)
            return label, y, x, elevation - depth
        parts = {"LATLONDM": 2, "LATLONDS": 3}[kind]
        angles, (below, above) = rest[:-2], rest[-2:]
        latitude, longitude = (_degrees(angles[i : i + parts + 1]) for i in (0, parts + 1))
        if len(angles) != 2 * (parts + 1):
            raise ValueError
        return label, latitude, longitude, float(above) - float(below)
    except (ValueError, KeyError, IndexError) as error:
        remedy = "expected GTSRCE label LATLON latitude longitude depth elevation, or XYZ, LATLONDM or LATLONDS; km"
        raise ConfigError(f"line {line}", " ".join(fields), remedy, file) from error


def _degrees(parts: list[str]) -> float:
    """Decimal degrees from degrees, minutes, (seconds,) and N, S, E or W."""
    *values, side = parts
    size: float = sum(float(value) / 60**i for i, value in enumerate(values))
    return size * {"N": 1, "E": 1, "S": -1, "W": -1}[side.upper()]


def read_layers(lines: list[str], file: Path) -> pd.DataFrame:
    """Layers from LAYER lines; an S velocity of 0 in every layer means that there is none."""
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


def read_transform(line: str) -> Projection:
    """The projection of a NonLinLoc line, "TRANS SIMPLE 45 7 0" or "TRANSFORM SIMPLE LatOrig 45 LongOrig 7 RotCW 0".

    Raises
    ------
    ConfigError
        If the projection is not SIMPLE, LAMBERT or TRANS_MERC.
    """
    kind, *fields = [word for word in line.split()[1:] if word not in LABELS] or [""]
    try:
        if kind == "SIMPLE":
            return Simple(*_all_numbers(fields, 3))
        ellipsoid = f"+ellps={ELLIPSOIDS[fields[0]]} +units=m +type=crs"
        if kind == "LAMBERT":
            latitude, longitude, first, second, rotation = _all_numbers(fields[1:], 5)
            parallels = f"+lat_0={latitude} +lon_0={longitude} +lat_1={first} +lat_2={second}"
            return MapProjection(f"+proj=lcc {parallels} {ellipsoid}", rotation)
        if kind == "TRANS_MERC":
            no_shift = ["0"] * (len(fields) == 4)  # older files do not say
            latitude, longitude, rotation, shifted = _all_numbers([*fields[1:], *no_shift], 4)
            origin = f"+lat_0={latitude} +lon_0={longitude} +k=1 +x_0={500000 * shifted:g}"
            return MapProjection(f"+proj=tmerc {origin} {ellipsoid}", rotation)
    except (ValueError, KeyError, IndexError):
        pass  # the error below reports it
    remedy = "expected SIMPLE, LAMBERT or TRANS_MERC with their numbers; give another as a PROJ string, `projection`"
    raise ConfigError("TRANSFORM", line or "none", remedy)


def _all_numbers(fields: list[str], n: int) -> list[float]:
    values = [float(field) for field in fields]
    if len(values) != n or not np.isfinite(values).all():
        raise ValueError
    return values
