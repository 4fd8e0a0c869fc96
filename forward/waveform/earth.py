"""An elastic earth on a regular grid, from a file of volumes or from a table of layers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.tables import numbers, place, read_table
from vip.protocols import Floats

VOLUMES = ("vp", "vs", "density")
AXES = ("x", "y", "z")
FILLS_SPACE = (".npy", ".h5", ".hdf5", ".nc")
"""Suffixes of files of volumes; all others are tables of layers."""
LEAST_RATIO = 2 / np.sqrt(3)
"""Least vp / vs: at a smaller one, the bulk modulus is negative."""
LIGHTEST_ROCK = 1100.0
"""Density below which there is water, kg/m^3."""
PLAUSIBLE = {"vp": (200.0, 20_000.0), "density": (100.0, 20_000.0)}
"""Velocities of P waves, m/s, and densities, kg/m^3, that no earth exceeds."""
UNIFORM = 1e-4
"""Part of a spacing by which the coordinates of a regular grid may be off."""


class Earth(NamedTuple):
    """Velocities and density on the nodes of a regular grid.

    Attributes
    ----------
    vp, vs, density : (x, y, z) float32
        Velocities of P and S waves, m/s, and density, kg/m^3. vs is zero in water.
    spacing : (3,) float
        Distance of the nodes along x, y and depth, m.
    origin : (3,) float
        Coordinates of the first node, m.
    """

    vp: NDArray[np.float32]
    vs: NDArray[np.float32]
    density: NDArray[np.float32]
    spacing: Floats
    origin: Floats

    @property
    def box(self) -> Floats:
        """Least and greatest x, y and depth (3, 2), m."""
        return np.stack([self.origin, self.origin + (np.array(self.vp.shape) - 1) * self.spacing], axis=1)

    @property
    def mark(self) -> str:
        """Hash of all that makes this earth."""
        made = hashlib.sha256(repr(self.vp.shape).encode())
        for values in self:
            made.update(np.ascontiguousarray(values).tobytes())
        return made.hexdigest()[:24]

    def at(self, name: str, positions: Floats) -> Floats:
        """Values (n,) of a volume at the nodes nearest to positions (n, 3), m."""
        nodes = np.rint((positions - self.origin) / self.spacing).astype(int)
        found: Floats = getattr(self, name)[tuple(nodes.T)].astype(float)
        return found


def read_earth(
    file: Path,
    units: Literal["m", "km"] = "m",
    spacing: Floats | None = None,
    extent: Floats | None = None,
    origin: Floats | None = None,
) -> Earth:
    """Read an earth.

    Parameters
    ----------
    file : Path
        HDF5 or NetCDF with the volumes "vp", "vs" and "density" (x, y, z), and the coordinates "x", "y" and "z" of their nodes
        unless `spacing` is given; .npy with the three volumes (3, x, y, z); or a CSV of layers with the columns depth (of the
        top), vp, vs, density.
    units : {"m", "km"}
        Units of the file: m, m/s and kg/m^3, or km, km/s and g/cm^3.
    spacing : (3,) float, optional
        Distance of nodes, m: for .npy and layers.
    extent : (3,) float, optional
        Size of the model, m: for layers.
    origin : (3,) float, optional
        Coordinates of the first node, m, where the file has none; by default zero.

    Raises
    ------
    ConfigError
        If the file cannot be read, an argument is missing, or the earth cannot be.
    """
    scale = 1000.0 if units == "km" else 1.0
    origin = np.zeros(3) if origin is None else np.asarray(origin, float)
    if file.suffix.lower() not in FILLS_SPACE:
        values, spacing = _from_layers(file, scale, spacing, extent, origin)
    else:
        values, coordinates = _read_volumes(file)
        values = {name: value * scale for name, value in values.items()}
        if coordinates is not None:
            origin, spacing = _regular(file, [scale * axis for axis in coordinates])
    if spacing is None:
        raise ConfigError("spacing", "is missing", "this file does not say how far its nodes are apart: give it in m", file)
    vp, vs, density = (np.ascontiguousarray(values[name], dtype=np.float32) for name in VOLUMES)
    earth = Earth(vp, vs, density, np.asarray(spacing, float) * np.ones(3), origin)
    for fault in faults(earth):
        raise ConfigError(fault.key, fault.value, fault.remedy, file)
    return earth


def faults(earth: Earth) -> Iterator[ConfigError]:
    """What is wrong with an earth, the first node of each fault."""
    for name in VOLUMES:
        values: NDArray[np.float32] = getattr(earth, name)
        if values.shape != earth.vp.shape or values.ndim != 3:
            yield ConfigError(name, values.shape, f"expected the shape of vp, {earth.vp.shape}, along x, y and depth")
            return
        yield from _first(earth, name, ~(np.isfinite(values) & (values >= 0)), "must be a number that is not negative")
    for name, (low, high) in PLAUSIBLE.items():
        values = getattr(earth, name)
        unit, other = ("m/s", "km/s") if name == "vp" else ("kg/m^3", "g/cm^3")
        if values.max() < low:
            yield ConfigError(name, f"at most {values.max():g} {unit}", f'looks like {other}: say units = "km"')
        elif values.min() < low or values.max() > high:
            yield from _first(earth, name, (values < low) | (values > high), f"expected {low:g} to {high:g} {unit}")
    yield from _first(earth, "vs", earth.vs * LEAST_RATIO >= earth.vp, "must be less than vp / 1.155")
    wet = (earth.density < LIGHTEST_ROCK) & (earth.vs > 0)
    yield from _first(earth, "vs", wet, f"must be 0 in water, which a density below {LIGHTEST_ROCK:g} kg/m^3 is")


def _first(earth: Earth, name: str, wrong: NDArray[np.bool_], remedy: str) -> Iterator[ConfigError]:
    if wrong.any():
        node = tuple(map(int, np.argwhere(wrong)[0]))
        where = ", ".join(f"{axis} {i}" for axis, i in zip(AXES, node, strict=True))
        beside = f" where vp is {earth.vp[node]:g}" if name == "vs" else ""
        yield ConfigError(f"{name}: node {where}", f"{getattr(earth, name)[node]:g}{beside}", remedy)


def _read_volumes(file: Path) -> tuple[dict[str, NDArray[Any]], list[Floats] | None]:
    """Volumes by name, and the coordinates of their nodes if the file has them."""
    try:
        if file.suffix.lower() == ".npy":
            values = np.load(file, allow_pickle=False)
            if values.ndim != 4 or len(values) != 3:
                raise ConfigError("shape", values.shape, "expected vp, vs and density: (3, x, y, z)", file)
            return dict(zip(VOLUMES, values.astype(float), strict=True)), None
        import h5py

        with h5py.File(file) as store:
            missing = [name for name in VOLUMES if name not in store]
            if missing:
                raise ConfigError(missing[0], "is missing", "expected the volumes vp, vs and density", file)
            volumes = {name: np.asarray(store[name], float) for name in VOLUMES}
            coordinates = [np.asarray(store[name], float) for name in AXES] if all(a in store for a in AXES) else None
            return volumes, coordinates
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError("", file, f"cannot be read: {error}") from error


def _regular(file: Path, axes: list[Floats]) -> tuple[Floats, Floats]:
    """Origin and spacing of coordinates that are evenly spaced."""
    for name, axis in zip(AXES, axes, strict=True):
        steps = np.diff(axis)
        if axis.ndim != 1 or not len(steps) or not steps[0] > 0 or np.abs(steps - steps[0]).max() > UNIFORM * steps[0]:
            raise ConfigError(name, axis[:4].tolist(), "must grow by equal steps from node to node", file)
    return np.array([axis[0] for axis in axes]), np.array([(axis[-1] - axis[0]) / (len(axis) - 1) for axis in axes])


def _from_layers(
    file: Path, scale: float, spacing: Floats | None, extent: Floats | None, origin: Floats
) -> tuple[dict[str, NDArray[Any]], Floats]:
    """Volumes of layers: a node has the values of the layer that it is in, an upper border included."""
    for key, value in (("spacing", spacing), ("extent", extent)):
        if value is None:
            raise ConfigError(key, "is missing", "layers need spacing and extent, m", file)
    table = read_table(file, ["depth", *VOLUMES])
    columns = {name: scale * numbers(table, name, file) for name in ("depth", *VOLUMES)}
    tops = columns["depth"]
    if len(tops) == 0 or (np.diff(tops) <= 0).any() or tops[0] > origin[2]:
        row = int(np.argmax(np.diff(tops) <= 0)) + 1 if (np.diff(tops) <= 0).any() else 0
        where = place(int(table.index[row]), "depth") if len(tops) else "depth"
        raise ConfigError(where, f"{tops[row] if len(tops) else 'none'}", "depths must grow from that of the first node", file)
    steps = np.asarray(spacing, float) * np.ones(3)
    shape = np.floor(np.asarray(extent, float) / steps + 1e-9).astype(int) + 1
    depth = origin[2] + steps[2] * np.arange(shape[2])
    layer = np.searchsorted(tops, depth + 1e-6 * steps[2], side="right") - 1
    return {name: np.broadcast_to(columns[name][layer], shape) for name in VOLUMES}, steps
