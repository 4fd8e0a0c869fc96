"""Travel times from trained networks in place of tables: one network for each phase, kept on disk."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vip.errors import ConfigError
from vip.forward.earthquakes.projection import Projection
from vip.forward.earthquakes.traveltimes.eikonet.network import FORMAT, EikoNet, Medium
from vip.forward.earthquakes.traveltimes.eikonet.training import RECIPE, STEPS, train
from vip.forward.earthquakes.traveltimes.tables import MARGIN, WITHIN_CELL, Solver, default_cache
from vip.forward.earthquakes.velocity import Grid3D, Layered
from vip.progress import Waiting
from vip.protocols import Floats

Ints = NDArray[np.intp]

SEED = 0
LAST = 50
"""Number of last steps whose mean misfit is reported as that of the network."""
POOR = 1.5
"""Misfit above which the user is warned, % of slowness; layers and smooth volumes leave a tenth of it."""
log = logging.getLogger(__name__)


class NetworkTimes(NamedTuple):
    """Travel times to the stations of picks, with the signature of `vip.kernels_c.timetables.TimeTables`.

    Attributes
    ----------
    networks : mapping of phase to EikoNet
    phases : (n_tables,) str
        Phase of each pair of phase and station, which takes the place of a table.
    places : (n_tables, 3) array
        X, y and depth of the station of each pair, km.
    """

    networks: Mapping[str, EikoNet]
    phases: NDArray[np.str_]
    places: Floats

    def evaluate(self, hypocentres: ArrayLike, event: ArrayLike, table: ArrayLike, threads: int = 1) -> tuple[Floats, Floats]:
        """Travel times and their gradients.

        Parameters
        ----------
        hypocentres : (n_particles, n_events, 3) array_like
            X, y and depth, km.
        event, table : (n_picks,) int
            Event of each pick, and its pair of phase and station.
        threads : int
            Number of threads; does not change the result.

        Returns
        -------
        time : (n_particles, n_picks) float64
            Travel times, s; that of a particle and a pick does not depend on the others.
        gradient : (3, n_particles, n_picks) float64
            Derivatives of the times by x, y and depth of the pick's event, s/km.

        Raises
        ------
        ValueError
            If a hypocentre is not finite, or lies outside the box of the networks.
        """
        event, table = np.asarray(event), np.asarray(table)
        of_pick = np.asarray(hypocentres, float)[:, event]
        time, gradient = np.empty(of_pick.shape[:2]), np.empty(of_pick.shape)
        for phase, network in self.networks.items():
            picks = np.flatnonzero(self.phases[table] == phase)
            a = of_pick[:, picks]
            _refuse_outside(network, a, event[picks])
            b = np.broadcast_to(self.places[table[picks]], a.shape)
            found = network.times(a.reshape(-1, 3), b.reshape(-1, 3), threads)
            time[:, picks], gradient[:, picks] = found[0].reshape(a.shape[:2]), found[1].reshape(a.shape)
        return time, np.moveaxis(gradient, 2, 0)


def _refuse_outside(network: EikoNet, hypocentres: Floats, event: Ints) -> None:
    inside = ((hypocentres >= network.shape.lower) & (hypocentres <= network.shape.upper)).all(axis=(0, 2))
    if not inside.all():
        raise ValueError(f"hypocentres: event {event[np.argmin(inside)]} has one outside the box of the networks")


def network_times(
    solver: Solver, velocity: Layered | Grid3D, phases: Sequence[str], stations: Floats, projection: Projection | None
) -> NetworkTimes:
    """Networks for the phases (n,) and stations (n, 3: x, y, depth) of picks, from the cache, or trained and put there.

    Raises
    ------
    ConfigError
        If torch or safetensors is not installed, or a file of the cache is damaged.
    """
    for package in ("torch", "safetensors"):
        if importlib.util.find_spec(package) is None:
            raise ConfigError("travel_times", "eikonet", f"needs {package}: pip install 'vip-inversion[neural]'")
    networks = {}
    for phase in sorted(set(phases)):
        medium = medium_of(solver, velocity, phase, stations, projection)
        networks[phase] = _trained(medium, phase, solver)
    return NetworkTimes(networks, np.array(phases), stations)


def medium_of(
    solver: Solver, velocity: Layered | Grid3D, phase: str, stations: Floats, projection: Projection | None
) -> Medium:
    """Medium that tables would be solved in, to the same depth. Slownesses of layers are averaged over the nodes' spacing."""
    lower, upper = solver.reach(stations)
    if isinstance(velocity, Layered):
        upper[2] = lower[2] + solver.spacing * (len(solver.profile(velocity, phase, stations)) - 1 - MARGIN)
        fine = solver.spacing / len(WITHIN_CELL)
        depth = np.linspace(lower[2], upper[2], int(np.ceil((upper[2] - lower[2]) / fine)) + 1)
        averaged = np.mean(1 / velocity.at(phase, depth[:, None] + solver.spacing * WITHIN_CELL), axis=1)
        return Medium(averaged[None, None], lower, upper)
    nodes = solver.sampled(velocity, phase, stations, projection)
    return Medium(1 / nodes, lower, lower + solver.spacing * (np.array(nodes.shape) - 1))


def _trained(medium: Medium, phase: str, solver: Solver) -> EikoNet:
    file = _file(medium, phase, solver.cache or default_cache())
    if file.is_file():
        return EikoNet.load(file)
    log.info("training a network for travel times of %s on the eikonal equation; it will be kept as %s", phase, file)
    waiting, misfits = Waiting(f"training for travel times of {phase}", STEPS, "steps"), []

    def progress(done: int, misfit: float) -> None:
        waiting(done)
        misfits.append(misfit)

    state = file.with_suffix(".training.safetensors")
    network = train(medium, phase, seed=SEED, steps=STEPS, progress=progress, kept=state)
    wrong = 50 * float(np.mean(misfits[-LAST:]))  # a slowness by half as much as its square
    log.info("%s: slownesses are wrong by %.2g %%", phase, wrong)
    if wrong > POOR:
        log.warning("the network for %s has slownesses wrong by %.2g %%: locate some events with tables too", phase, wrong)
    network.save(file)
    state.unlink(missing_ok=True)
    return network


def _file(medium: Medium, phase: str, cache: Path) -> Path:
    key = hashlib.sha256(f"{FORMAT} {RECIPE} {phase} {STEPS} {SEED}".encode())
    for array in (medium.slowness, np.array(medium.slowness.shape, float), medium.lower, medium.upper):
        key.update(np.ascontiguousarray(array, float).tobytes())
    return cache / f"{key.hexdigest()[:32]}.safetensors"
