"""NetCDF: velocities on nodes in three dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vip.errors import ConfigError
from vip.forward.earthquakes.velocity import AXES, Grid3D, checked_grid

VELOCITY_UNITS = {"km/s": 1.0, "km s-1": 1.0, "km s**-1": 1.0, "m/s": 1e-3, "m s-1": 1e-3, "m s**-1": 1e-3}
LENGTH_UNITS = {"km": 1.0, "kilometer": 1.0, "kilometre": 1.0, "m": 1e-3, "meter": 1e-3, "metre": 1e-3}


def read_velocity(file: Path) -> Grid3D:
    """A grid from NetCDF: variables vp and, if wanted, vs, with units, over latitude, longitude, depth or x, y, depth.

    Depths, and x and y, are in km unless they have other units.

    Raises
    ------
    ConfigError
        If a variable, its axes or its units are other ones, or a velocity is not positive.
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
    return checked_grid(axes, velocity, geographic, dict.fromkeys(velocity, file))


def _unit(variable: Any, factors: Mapping[str, float], default: str | None, file: Path) -> float:
    unit = variable.attrs.get("units", default)
    if unit not in factors:
        raise ConfigError(f"units of {variable.name}", unit or "none", f"expected one of {', '.join(factors)}", file)
    return factors[unit]
