"""Other associators of picks: PyOcto (Münchmeyer 2024) and GaMMA (Zhu et al. 2022). Each gives the event of every pick, or -1.

pip install pyocto GMMA numba
"""

from __future__ import annotations

import multiprocessing
import resource
import struct
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from vip.forward.earthquakes.frames import velocity_from
from vip.forward.earthquakes.traveltimes.tables import Box, Solver, default_cache
from vip.kernels_c.timetables import TimeTables

KM_A_DEGREE = 111.2
TOLERANCE = 1.0
"""Error of PyOcto's travel times, s, which has no default."""


class Area(NamedTuple):
    """Where events are sought."""

    latitude: tuple[float, float]
    """From and to, degrees."""
    longitude: tuple[float, float]
    depth: tuple[float, float]
    """From and to, km below sea level."""

    @property
    def diagonal(self) -> float:
        """Greatest distance of two epicentres, km."""
        scale = np.cos(np.radians(np.mean(self.latitude)))
        return KM_A_DEGREE * float(np.hypot(np.ptp(self.latitude), scale * np.ptp(self.longitude)))


Associator = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, Area], np.ndarray]
"""Events (n,) of picks (station, phase, time), from stations (degrees), layers, and where events are sought."""


def around(stations: pd.DataFrame, depth: tuple[float, float]) -> Area:
    """The stations, and half as far again to all sides."""
    latitude, longitude = stations["latitude"], stations["longitude"]
    scale = np.cos(np.radians(latitude.mean()))
    margin = 0.5 * max(np.ptp(latitude), scale * np.ptp(longitude))
    return Area(
        (latitude.min() - margin, latitude.max() + margin),
        (longitude.min() - margin / scale, longitude.max() + margin / scale),
        depth,
    )


def pyocto(
    picks: pd.DataFrame,
    stations: pd.DataFrame,
    layers: pd.DataFrame,
    area: Area,
    tolerance: float = TOLERANCE,
    cutoff: float | None = None,
    **settings: Any,
) -> np.ndarray:
    """PyOcto with tables of the layers and its own defaults; stations up to `cutoff`, km, begin an event."""
    import pyocto as program

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table"
        longest = write_pyocto_table(table, layers, area.diagonal + 10, area.depth[1] + 10)
        associator = program.OctoAssociator.from_area(
            lat=area.latitude,
            lon=area.longitude,
            zlim=(max(area.depth[0], 0), area.depth[1]),  # it does not know what is above the sea
            time_before=longest,
            velocity_model=program.VelocityModel1D(str(table), tolerance=tolerance, association_cutoff_distance=cutoff),
            n_threads=1,
            **settings,
        )
        there = associator.transform_stations(
            pd.DataFrame(
                {
                    "id": stations["station"],
                    "latitude": stations["latitude"],
                    "longitude": stations["longitude"],
                    "elevation": stations["elevation_m"],
                }
            )
        )
        seconds = picks["time"].dt.tz_localize(None).to_numpy("datetime64[us]").astype(float) / 1e6
        _, found = associator.associate(picks[["station", "phase"]].assign(time=seconds), there)
    event = np.full(len(picks), -1)
    event[found["pick_idx"].to_numpy(int)] = found["event_idx"].to_numpy(int)
    return event


def write_pyocto_table(file: Path, layers: pd.DataFrame, furthest: float, deepest: float, step: float = 0.5) -> float:
    """Travel times of both phases as PyOcto reads them, from our own tables; returns the longest."""
    x, z = np.arange(0, furthest, step), np.arange(0, deepest, step)
    tables = tables_at_sea_level(layers, furthest, deepest, step)
    places = np.stack(np.meshgrid(x, [0.0], z, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    times, _ = tables.evaluate(places, np.zeros(2, int), np.arange(2))
    file.write_bytes(struct.pack("iid", len(x), len(z), step) + times[:, 0].tobytes() + times[:, 1].tobytes())
    return float(times.max())


def tables_at_sea_level(layers: pd.DataFrame, furthest: float, deepest: float, step: float) -> TimeTables:
    """Tables of P and S from a station at (0, 0, 0) to distances and depths, km."""
    solver = Solver(Box(np.zeros(3), np.array([furthest, 0, deepest])), step, default_cache())
    return solver.layered(velocity_from(layers), ["P", "S"], np.zeros((2, 3)))


def gamma(picks: pd.DataFrame, stations: pd.DataFrame, layers: pd.DataFrame, area: Area) -> np.ndarray:
    """GaMMA with DBSCAN and its defaults, in the mean speeds of the layers."""
    from gamma.utils import association

    x = (stations["longitude"] - stations["longitude"].mean()) * KM_A_DEGREE * np.cos(np.radians(stations["latitude"].mean()))
    y = (stations["latitude"] - stations["latitude"].mean()) * KM_A_DEGREE
    there = pd.DataFrame({"id": stations["station"], "x(km)": x, "y(km)": y, "z(km)": -stations["elevation_m"] / 1e3})
    given = pd.DataFrame(
        {
            "id": picks["station"],
            "timestamp": picks["time"].dt.tz_localize(None),
            "type": picks["phase"].str.lower(),
            "prob": 1.0,
            "amp": 0.0,
        }
    )
    depth = area.depth[1]
    shallow = layers[layers["depth"] < depth]
    speeds = {"p": float(shallow["vp"].mean()), "s": float(shallow["vs"].mean())}
    extent = float(max(np.ptp(x), np.ptp(y)))
    config = {
        "dims": ["x(km)", "y(km)", "z(km)"],
        "vel": speeds,
        "x(km)": (x.min() - extent / 2, x.max() + extent / 2),
        "y(km)": (y.min() - extent / 2, y.max() + extent / 2),
        "z(km)": (0, depth),
        "bfgs_bounds": (
            (x.min() - extent, x.max() + extent),
            (y.min() - extent, y.max() + extent),
            (0, depth + 1),
            (None, None),
        ),
        "method": "BGMM",
        "oversample_factor": 5,
        "use_dbscan": True,
        "use_amplitude": False,
        "dbscan_eps": 10,
        "dbscan_min_samples": 3,
        "min_picks_per_eq": 5,
        "max_sigma11": 2.0,
        "ncpu": 1,
    }
    _, assignments = association(given, there, config, method="BGMM")
    event = np.full(len(picks), -1)
    for pick, number, _ in assignments:
        event[pick] = number
    return event


def installed() -> dict[str, Associator]:
    """The programs that are there."""
    found: dict[str, Associator] = {}
    if find_spec("pyocto"):
        found["PyOcto"] = pyocto
    if find_spec("gamma") and find_spec("numba"):
        found["GaMMA"] = gamma
    return found


class Answer(NamedTuple):
    """What a program says, and what it costs."""

    result: Any
    seconds: float
    """CPU time."""
    megabytes: float
    """Largest memory of its process, of which about 250 MB are there before it begins."""


def _call(sender: Connection, limit: float, associator: Callable[..., Any], *arguments: object) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
    begin = time.process_time()
    result = associator(*arguments)
    seconds, kilobytes = time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sender.send(Answer(result, seconds, kilobytes / 1024))


def within(seconds: float, associator: Callable[..., Any], *arguments: object) -> Answer | None:
    """Answer of a program in a process of its own; None if it fails, or needs more than some seconds of CPU time."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, seconds, associator, *arguments))
    process.start()
    sender.close()
    try:
        answer: Answer = receiver.recv()
    except EOFError:
        return None
    finally:
        process.join()
    return answer
