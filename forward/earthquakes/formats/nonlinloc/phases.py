"""NonLinLoc's phases: read and written as picks, and with the location, a hypocentre-phase and a scatter file an event."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.files import whole
from vip.forward.earthquakes.network import Network
from vip.forward.earthquakes.origins import LEVEL, Origin, confidence_ellipsoid, horizontal_ellipse
from vip.forward.earthquakes.picks import COLUMNS as PICK_COLUMNS
from vip.forward.earthquakes.picks import Picks
from vip.forward.earthquakes.projection import MapProjection, Projection, Simple
from vip.forward.earthquakes.stations import Stations
from vip.protocols import Floats

UNSAFE = r"[^\w.-]+"
"""Characters that are replaced in names of files."""
COLUMNS = (
    "PHASE ID Ins Cmp On Pha  FM Date     HrMn   Sec     Err  ErrMag    Coda      Amp       Per       PriorWt  >   "
    "TTpred    Res       Weight    StaLoc(X  Y         Z)        SDist    SAzim  RAz  RDip RQual    Tcorr"
)
"""Names of columns, which stand above the lines of phases."""
UNKNOWN = (-1, -1, -1)
"""Values that only a search over a grid finds: indices of nodes, the largest density, misfits."""


def write_origins(
    origins: Sequence[Origin], picks: Picks, network: Network, correction: Floats, folder: Path, level: float = LEVEL
) -> None:
    """Write a file .hyp and a file .scat for each event; unusual characters of its name become underscores.

    Parameters
    ----------
    origins : sequence of Origin
    picks : Picks
    network : Network
    correction : (n_picks,) float
        Corrections that the predicted times include, s.
    folder : path
        Folder of the files, which is made if it is not there.
    level : float
        Probability of the regions of confidence.

    Raises
    ------
    VIPError
        If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = {event: i for i, event in enumerate(picks.events)}
    times = pd.DatetimeIndex(picks.absolute_time())
    for origin in origins:
        stem = folder / re.sub(UNSAFE, "_", origin.event)
        rows = np.arange(*picks.start[index[origin.event] : index[origin.event] + 2])
        text = [
            *_hypocentre(origin, stem.name, network.projection),
            *_quality(origin, len(np.unique(picks.station[rows]))),
            *_uncertainty(origin, level),
            COLUMNS,
            *_phases(origin, rows, picks, times, network, correction),
            *("END_PHASE", "END_NLLOC", "", ""),
        ]
        with whole(stem.with_name(f"{stem.name}.hyp")) as part:
            part.write_text("\n".join(text), encoding="utf-8")
        write_scatter(origin, stem.with_name(f"{stem.name}.scat"))


def _hypocentre(origin: Origin, name: str, projection: Projection | None) -> list[str]:
    """Lines that stand above the numbers on uncertainty."""
    time = pd.Timestamp(origin.time)
    second = f"{time.second + time.microsecond / 1e6:.6f}"
    where = _line("", "Lat Long Depth", origin.latitude, origin.longitude, origin.depth)
    return [
        f'NLLOC "{name}" "LOCATED" "Location completed."',
        f"PUBLIC_ID {origin.event}",
        f'SIGNATURE "   vip:{metadata.version("vip-inversion")}   run:{datetime.now(UTC):%d%b%Y %Hh%Mm%S}"',
        'COMMENT ""',
        _line("HYPOCENTER", "x y z OT ix iy iz", *origin.modes[0].position[:2], origin.depth, second, *UNKNOWN),
        f"GEOGRAPHIC  OT {time:%Y %m %d  %H %M} {second}{where}",
        _transform(projection),
    ]


def _uncertainty(origin: Origin, level: float) -> list[str]:
    """Numbers on uncertainty: angles are from true north; ellipsoids are given by their two shorter axes."""
    ellipsoid, ellipse = confidence_ellipsoid(origin.covariance, level), horizontal_ellipse(origin.covariance, level)
    longest, middle, shortest = zip(ellipsoid.azimuths, ellipsoid.plunges, ellipsoid.semi_axes, strict=True)
    axes = (longest[2], shortest[2], middle[2])
    return [
        _line("STATISTICS", "ExpectX Y Z", *origin.mean)
        + _line("", "CovXX XY XZ YY YZ ZZ", *origin.covariance[np.triu_indices(3)])
        + _line("", "EllAz1 Dip1 Len1 Az2 Dip2 Len2 Len3", *shortest, *middle, longest[2]),
        _line("QML_OriginUncertainty", "horUnc minHorUnc maxHorUnc azMaxHorUnc", -1, ellipse[1], ellipse[0], ellipse[2]),
        _line("QML_ConfidenceEllipsoid", "semiMajorAxisLength semiMinorAxisLength semiIntermediateAxisLength", *axes)
        + _line("", "majorAxisPlunge majorAxisAzimuth majorAxisRotation", longest[1], longest[0], ellipsoid.rotation),
    ]


def _quality(origin: Origin, n_stations: int) -> list[str]:
    """Line on the quality of the location; there are no magnitudes, which is written as -9.90."""
    seen, n = origin.arrivals, origin.n_picks
    distances = (origin.nearest, seen.distance.max(), float(np.median(seen.distance)))
    return [
        _line("QUALITY", "Pmax MFmin MFmax RMS Nphs Gap Dist", *UNKNOWN, origin.rms, n, origin.gap, origin.nearest)
        + "  Mamp -9.90 0  Mdur -9.90 0",
        _line("QML_OriginQuality", "assocPhCt usedPhCt assocStaCt usedStaCt depthPhCt", n, n, n_stations, n_stations, -1)
        + _line("", "stdErr azGap secAzGap gtLevel", origin.rms, origin.gap, second_gap(seen.azimuth), "-")
        + _line("", "minDist maxDist medDist", *distances),
    ]


def _line(keyword: str, names: str, *values: float | str) -> str:
    shown = (value if isinstance(value, str) else f"{value:.9g}" for value in values)
    return keyword + "".join(f"  {name} {value}" for name, value in zip(names.split(), shown, strict=True))


def _transform(projection: Projection | None) -> str:
    """Line of the projection. NonLinLoc knows only its own: for one of PROJ, the definition is written for people to read."""
    match projection:
        case None:
            return "TRANSFORM  NONE"
        case Simple(latitude, longitude, rotation):
            return f"TRANSFORM  SIMPLE LatOrig {latitude:.6f}  LongOrig {longitude:.6f}  RotCW {rotation:.6f}"
        case MapProjection(definition, rotation):
            return f"TRANSFORM  PROJ {definition}  RotCW {rotation:.6f}"
    raise TypeError(projection)


def second_gap(azimuths: Floats) -> float:
    """Largest angle, degrees, between stations at azimuths (n,) that a single station closes."""
    ordered = np.unique(azimuths % 360)
    around = np.concatenate([ordered, ordered + 360, ordered[:2] + 720])
    return float(min((around[2:] - around[:-2]).max(), 360))


def _phases(
    origin: Origin,
    rows: NDArray[np.intp],
    picks: Picks,
    times: pd.DatetimeIndex,
    network: Network,
    correction: Floats,
) -> Iterator[str]:
    """Lines of phases, with stations by their codes alone, as in NonLinLoc, where only one network has that code."""
    codes, seen = network.stations.codes(), origin.arrivals
    for i, row in enumerate(rows):
        station = picks.station[row]
        fit = f"{seen.predicted[i] - correction[row]:9.4f} {seen.residual[i]:9.6f} {seen.weight[i]:9.4f}"
        x, y, z = network.place[station]
        geometry = f"{x:9.4f} {y:9.4f} {z:9.4f} {seen.distance[i]:9.4f} {seen.azimuth[i]:6.2f}  -1.0  -1.0  0"
        yield f"{_observed(codes[station], picks, row, times[row])} > {fit} {geometry} {correction[row]:9.4f}"


def _observed(code: str, picks: Picks, row: int, time: pd.Timestamp) -> str:
    """The fields of a pick; motion, coda, amplitude and period are not known."""
    picked = f"{time:%Y%m%d %H%M} {time.second + time.microsecond / 1e6:9.6f} GAU {picks.sigma[row]:10.4e}"
    unknown = "-1.00e+00 -1.00e+00 -1.00e+00"
    return f"{code:6} ?    ?    ? {picks.phase[row]:6} ? {picked} {unknown} {picks.weight[row]:9.4f}"


@contextmanager
def growing(file: Path) -> Iterator[Callable[[Sequence[Origin], Picks, Stations], None]]:
    """A function to write parts of a file of phases with, the input of NonLinLoc; the file is there when all are written."""
    with whole(file) as part, part.open("w", encoding="utf-8") as opened:

        def add(origins: Sequence[Origin], picks: Picks, stations: Stations) -> None:
            codes, times = stations.codes(), pd.DatetimeIndex(picks.absolute_time())
            for event, first, last in zip(picks.events, picks.start[:-1], picks.start[1:], strict=True):
                lines = (_observed(codes[picks.station[row]], picks, row, times[row]) for row in range(first, last))
                opened.write("\n".join([f"PUBLIC_ID {event}", *lines, "", ""]))

        yield add


def write_scatter(origin: Origin, file: Path) -> None:
    """Write samples as a NonLinLoc scatter file: records of four 4-byte numbers, little-endian.

    The first record holds the number of samples (integer), the largest density and two unused numbers; the others hold x, y and
    depth, km, and the density, which is 1 for all, since samples have no weights.
    """
    header = np.zeros(1, dtype=[("n", "<i4"), ("largest", "<f4"), ("unused", "<f4", 2)])
    header["n"], header["largest"] = len(origin.samples), 1
    records = np.ones((len(origin.samples), 4), dtype="<f4")
    records[:, :3] = origin.samples
    with whole(file) as part:
        part.write_bytes(header.tobytes() + records.tobytes())


def read_picks(text: str, file: Path) -> pd.DataFrame:
    """Picks from a phase file (NonLinLoc, Phase File Formats): 14 fields between blanks, and in newer files a prior weight."""
    rows = []
    for name, line, words in _phase_lines(text, file.stem):
        station, phase, *date, error, size, weight = ((words + [""] * 15)[i] for i in (0, 4, 6, 7, 8, 9, 10, 14))
        sigma = size if error == "GAU" else f"{error} {size}"
        rows.append((name, station, phase, " ".join(date), sigma, weight, f"line {line}", "", "", ""))
    table = _with_times(pd.DataFrame(rows, columns=PICK_COLUMNS, dtype=object))
    if rows and table["utc"].isna().all():
        expected = "expected a CSV table, QuakeML or a NonLinLoc phase file; columns of a table are between commas or tabs"
        raise ConfigError(table["source"][0], text.splitlines()[0], expected, file)
    return table


def _phase_lines(text: str, stem: str) -> Iterator[tuple[str, int, list[str]]]:
    """Event, line and fields of each phase; in files of located events (.hyp), only those between PHASE and END_PHASE."""
    number, name, among_phases = 0, "", True
    for line, written in enumerate(text.splitlines(), 1):
        words = written.split(">")[0].split()
        if not words:
            name = ""  # a blank line ends an event
            continue
        if words[0].startswith("#"):
            continue
        if not name:
            number += 1
            name = f"{stem}-{number}"
        if words[0] == "PUBLIC_ID":
            name = " ".join(words[1:]) if words[1:] not in ([], ["None"]) else name
        elif words[0] in ("NLLOC", "END_PHASE", "END_NLLOC") or words[:2] == ["PHASE", "ID"]:
            among_phases = words[0] in ("PHASE", "END_NLLOC")
        elif among_phases:
            yield name, line, words


def _with_times(table: pd.DataFrame) -> pd.DataFrame:
    """The table with times from date, hours and minutes, and seconds, which may be negative or more than 60."""
    parts = table["time"].str.extract(r"^(\d{8}) (\d\d?)(\d\d) ([-+.\deE]+)$")
    day = pd.to_datetime(parts[0], format="%Y%m%d", errors="coerce")
    hours, minutes, seconds = (pd.to_numeric(parts[i], errors="coerce") for i in (1, 2, 3))
    microseconds = np.rint((hours * 3600 + minutes * 60 + seconds) * 1e6)
    return table.assign(utc=(day + pd.to_timedelta(microseconds, unit="us")).astype("datetime64[us]"), zone="+0000")
