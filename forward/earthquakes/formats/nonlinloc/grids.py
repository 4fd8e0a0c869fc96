"""NonLinLoc's grids of velocity or slowness: a header .hdr and a buffer .buf for each phase (3D Grid Files)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from vip.errors import ConfigError
from vip.forward.earthquakes.velocity import Grid3D, checked_grid
from vip.forward.tables import read_text
from vip.protocols import Floats

GRID_TYPES: dict[str, Callable[[Floats, float], Floats]] = {
    "VELOCITY": lambda values, _: values,
    "VELOCITY_METERS": lambda values, _: values / 1000,
    "SLOWNESS": lambda values, _: 1 / values,
    "SLOW_LEN": lambda values, spacing: spacing / values,
}
"""Velocities, km/s, from what a NonLinLoc grid holds and its spacing, km."""


def read_grids(headers: Mapping[str, Path]) -> Grid3D:
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
    grids = {phase: _grid(header) for phase, header in headers.items()}
    (first, (axes, _)), *others = grids.items()
    for phase, (other, _) in others:
        if any(not np.array_equal(a, b) for a, b in zip(axes, other, strict=True)):
            raise ConfigError("nodes", f"those of {phase}", f"expected those of {first}, {headers[first]}", headers[phase])
    lines = read_text(headers[first], "a NonLinLoc grid header").splitlines()
    transform = next((line for line in lines if line.startswith("TRANS")), "")
    if transform.split()[1:] == ["GLOBAL"]:
        raise ConfigError("TRANSFORM", "GLOBAL", "has degrees for x and y; write this grid as NetCDF", headers[first])
    grid = checked_grid(axes, {phase: values for phase, (_, values) in grids.items()}, False, headers)
    return grid._replace(transform=transform)


def _grid(header: Path) -> tuple[tuple[Floats, Floats, Floats], Floats]:
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
