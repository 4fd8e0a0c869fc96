"""Other associators of picks: PyOcto (Münchmeyer 2024) and GaMMA (Zhu et al. 2022). Each gives the event of every pick, or -1.

pip install pyocto GMMA numba
"""

from __future__ import annotations

import multiprocessing
import queue
import struct
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from vip.forward.earthquakes.frames import velocity_from
from vip.forward.earthquakes.traveltimes.tables import Box, Solver, default_cache

KM_A_DEGREE = 111.2
TOLERANCE = 1.0
"""Error of PyOcto's travel times, s, which has no default."""

Associator = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, float], np.ndarray]
"""Events (n,) of picks (station, phase, time), from stations (degrees), layers, and the greatest depth, km."""


def pyocto(picks: pd.DataFrame, stations: pd.DataFrame, layers: pd.DataFrame, depth: float) -> np.ndarray:
    """PyOcto with tables of the layers and its own defaults."""
    import pyocto as program

    extent = float(np.ptp(stations["latitude"])) * KM_A_DEGREE
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table"
        write_pyocto_table(table, layers, 3 * extent, depth + 10)
        model = program.VelocityModel1D(str(table), tolerance=TOLERANCE)
        margin = 0.5 * extent / KM_A_DEGREE
        associator = program.OctoAssociator.from_area(
            lat=(stations["latitude"].min() - margin, stations["latitude"].max() + margin),
            lon=(stations["longitude"].min() - margin, stations["longitude"].max() + margin),
            zlim=(0, depth),
            time_before=extent / 3 + depth / 3,
            velocity_model=model,
            n_threads=1,
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


def write_pyocto_table(file: Path, layers: pd.DataFrame, furthest: float, deepest: float, step: float = 0.5) -> None:
    """Travel times of both phases as PyOcto reads them, from our own tables."""
    x, z = np.arange(0, furthest, step), np.arange(0, deepest, step)
    solver = Solver(Box(np.zeros(3), np.array([furthest, 0, deepest])), step, default_cache())
    tables = solver.layered(velocity_from(layers), ["P", "S"], np.zeros((2, 3)))
    places = np.stack(np.meshgrid(x, [0.0], z, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    times, _ = tables.evaluate(places, np.zeros(2, int), np.arange(2))
    header = struct.pack("iid", len(x), len(z), step)
    file.write_bytes(header + times[:, 0].tobytes() + times[:, 1].tobytes())


def gamma(picks: pd.DataFrame, stations: pd.DataFrame, layers: pd.DataFrame, depth: float) -> np.ndarray:
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


def _call(answer: multiprocessing.Queue, associator: Associator, *arguments: object) -> None:
    begin = time.process_time()
    answer.put((associator(*arguments), time.process_time() - begin))


def within(seconds: float, associator: Associator, *arguments: object) -> tuple[np.ndarray, float] | None:
    """Events and CPU seconds of a program, in a process of its own; None if it fails, or takes longer than some seconds."""
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    process = context.Process(target=_call, args=(answer, associator, *arguments))
    process.start()
    try:
        return answer.get(timeout=seconds)
    except queue.Empty:
        return None
    finally:
        process.kill()
