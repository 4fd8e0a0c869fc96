"""A fault between a fast and a slow side, stations, and picks of events on it: python make_data.py writes them beside itself.

Velocities differ by a sixth across the fault, and there is a basin on its slow side. `volume.nc` is this model on a grid in
three dimensions, `layers.csv` its mean at each depth. Picks come from tables computed on nodes twice as close as those of the
examples, with Gaussian errors, and one in twelve is wrong by seconds.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from vip.forward.earthquakes.formats import netcdf
from vip.forward.earthquakes.projection import centred_on
from vip.forward.earthquakes.traveltimes.tables import Box, Solver, default_cache
from vip.forward.earthquakes.velocity import Grid3D

HERE = Path(__file__).parent
LATITUDE, LONGITUDE = 35.9, -120.45
STRIKE = np.radians(-42.0)
"""Strike of the fault, radians from north to the east."""
DEPTHS, VP = np.array([-2.0, 1.0, 4.0, 9.0, 16.0, 26.0]), np.array([3.6, 4.6, 5.6, 6.1, 6.5, 6.8])
VP_VS = 1.74
N_STATIONS, N_EVENTS = 16, 12
SIGMA = {"P": 0.03, "S": 0.06}
FALSE = 1 / 12
START = np.datetime64("2026-03-01T04:00:00", "us")


def velocity(east, north, depth):
    """Velocity of P, km/s, at places in km: faster on the south-western side, slower in a basin on the other."""
    across = east * np.cos(STRIKE) - north * np.sin(STRIKE)
    basin = np.exp(-((east - 8) ** 2 + (north - 6) ** 2) / 2 / 5**2 - (depth / 3) ** 2)
    return np.interp(depth, DEPTHS, VP) * (1 - 0.08 * np.tanh(across / 1.5) - 0.15 * basin)


def write_model(projection, folder):
    """volume.nc and layers.csv."""
    latitude, longitude = LATITUDE + np.linspace(-0.3, 0.3, 67), LONGITUDE + np.linspace(-0.36, 0.36, 67)
    depth = np.arange(-2, 26.01, 1.0)
    x, y = (
        v.reshape(67, 67, 1) for v in projection.to_local(*(v.ravel() for v in np.meshgrid(latitude, longitude, indexing="ij")))
    )
    vp = velocity(x, y, depth)
    axes, km = ("latitude", "longitude", "depth"), {"units": "km/s"}
    model = xr.Dataset(
        {"vp": (axes, vp, km), "vs": (axes, vp / VP_VS, km)}, dict(zip(axes, (latitude, longitude, depth), strict=True))
    )
    model.to_netcdf(folder / "volume.nc")
    mean = vp.mean(axis=(0, 1))
    pd.DataFrame({"depth": depth, "vp": mean, "vs": mean / VP_VS}).round(3).to_csv(folder / "layers.csv", index=False)


def travel_times(model: Grid3D, projection, stations, events):
    """(n_events, n_stations) s, by phase."""
    both = np.concatenate([stations, events])
    solver = Solver(Box(both.min(axis=0), both.max(axis=0)), 0.5, default_cache())
    event, station = (index.ravel() for index in np.indices((len(events), len(stations))))
    tables = {phase: solver.volume(model, [phase] * len(stations), stations, projection) for phase in SIGMA}
    return {phase: table.evaluate(events[None], event, station)[0].reshape(len(events), -1) for phase, table in tables.items()}


def main(folder=HERE, seed=4):
    """Write model, stations, picks and true hypocentres."""
    rng = np.random.default_rng(seed)
    projection = centred_on(np.array([LATITUDE]), np.array([LONGITUDE]))
    write_model(projection, folder)
    stations = np.stack([*rng.uniform(-18, 18, (2, N_STATIONS)), -rng.uniform(0.2, 1.2, N_STATIONS)], axis=1)
    along = np.linspace(-11, 11, N_EVENTS)
    events = np.stack([along * np.sin(STRIKE), along * np.cos(STRIKE), rng.uniform(3, 12, N_EVENTS)], axis=1)
    names, event_names = (
        np.array([f"F{i + 1:02d}" for i in range(N_STATIONS)]),
        np.array([f"ev{i + 1:02d}" for i in range(N_EVENTS)]),
    )
    parts = []
    for phase, time in travel_times(netcdf.read_velocity(folder / "volume.nc"), projection, stations, events).items():
        false = np.where(rng.random(time.shape) < FALSE, rng.uniform(-4, 4, time.shape), 0)
        time = time + SIGMA[phase] * rng.standard_normal(time.shape) + false
        event, station = np.nonzero(rng.random(time.shape) < 0.8)
        observed = START + event * np.timedelta64(300, "s") + np.rint(1e6 * time[event, station]).astype("timedelta64[us]")
        parts.append(
            pd.DataFrame(
                {
                    "event": event_names[event],
                    "station": names[station],
                    "phase": phase,
                    "time": observed,
                    "sigma": SIGMA[phase],
                }
            )
        )
    picks = pd.concat(parts).sort_values("event", kind="stable")
    picks.to_csv(folder / "picks.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
    for name, column, places, file in (("station", names, stations, "stations"), ("event", event_names, events, "truth")):
        latitude, longitude = projection.to_geographic(*places[:, :2].T)
        height = {"elevation_m": -1000 * places[:, 2]} if name == "station" else {"depth": places[:, 2]}
        pd.DataFrame({name: column, "latitude": latitude, "longitude": longitude} | height).round(5).to_csv(
            folder / f"{file}.csv", index=False
        )


if __name__ == "__main__":
    main()
