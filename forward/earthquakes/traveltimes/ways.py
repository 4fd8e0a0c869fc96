"""Ways from hypocentres to stations, with a table of travel times for each station and phase."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.forward.earthquakes.network import Network
from vip.forward.earthquakes.traveltimes.eikonet.times import NetworkTimes, network_times
from vip.forward.earthquakes.traveltimes.tables import Solver
from vip.forward.earthquakes.velocity import Grid3D, Layered
from vip.kernels_c.timetables import TimeTables
from vip.protocols import Floats

Ints = NDArray[np.intp]


class Ways(NamedTuple):
    """Ways from hypocentres to the stations of picks, with their travel times."""

    tables: TimeTables | NetworkTimes
    table: Ints
    """Index of the table (n_picks,) of each pick's station and phase."""
    correction: Floats
    """Corrections (n_picks,), s, added to the predicted times."""


def ways_of(
    solver: Solver,
    velocity: Layered | Grid3D,
    network: Network,
    station: Ints,
    phase: NDArray[np.str_],
    travel_times: Literal["tables", "eikonet"] = "tables",
) -> Ways:
    """Travel times with a table for each station and phase that was picked.

    Parameters
    ----------
    solver : Solver
    velocity : Layered or Grid3D
    network : Network
    station : (n_picks,) int
        Index of the station of each pick.
    phase : (n_picks,) str
        "P" or "S".
    travel_times : "tables" or "eikonet"
        A table for each station and phase, or a neural network for each phase.
    """
    pairs = list(zip(station.tolist(), phase.tolist(), strict=True))
    wanted = sorted(set(pairs))
    row = {pair: i for i, pair in enumerate(wanted)}
    place, phases = network.place[[station for station, _ in wanted]], [phase for _, phase in wanted]
    tables: TimeTables | NetworkTimes
    if travel_times == "eikonet":
        tables = network_times(solver, velocity, phases, place, network.projection)
    elif isinstance(velocity, Layered):
        tables = solver.layered(velocity, phases, place)
    else:
        tables = solver.volume(velocity, phases, place, network.projection)
    corrections = network.stations.corrections
    correction = np.array([corrections[phase][station] if phase in corrections else 0.0 for station, phase in pairs])
    return Ways(tables, np.array([row[pair] for pair in pairs]), correction)
