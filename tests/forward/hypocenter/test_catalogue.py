"""From files to what is located: stations and regions against the model, and picks that no origin explains."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vip.errors import ConfigError
from vip.forward.earthquakes.picks import Picks
from vip.forward.earthquakes.projection import MapProjection, Simple
from vip.forward.earthquakes.region import BEYOND
from vip.forward.earthquakes.traveltimes.tables import Box
from vip.forward.hypocenter.catalogue import read_catalogue
from vip.forward.hypocenter.early import early_by, early_faults, shortest_and_longest
from vip.forward.hypocenter.settings import HypocenterSettings
from vip.kernels_c.timetables import TimeTables

pytest.importorskip("pyproj", reason="stations in degrees need the extra 'seismology'")

VELOCITY = {"P": 6.0, "S": 3.5}
PLACES = {"A": (45.0, 7.0), "B": (45.3, 7.1), "C": (45.1, 7.4), "D": (45.4, 7.5), "FAR": (-21.1, 55.5)}
"""Latitudes and longitudes of stations, the last on another continent."""


@pytest.fixture
def files(tmp_path):
    """Stations, layers of one velocity, and picks of one event for each line of text."""

    def write(*events, cartesian=False, elevation=0.0):
        rows = [(name, *place, elevation) for name, place in PLACES.items()]
        axes = ["y", "x"] if cartesian else ["latitude", "longitude"]
        stations = pd.DataFrame(rows, columns=["station", *axes, "elevation_km"])
        if cartesian:
            stations[axes] = (stations[axes] - [45, 7]) * 100
        stations.to_csv(tmp_path / "stations.csv", index=False)
        (tmp_path / "layers.csv").write_text("depth,vp,vs\n0,6.0,3.5\n")
        picks = ["event,station,phase,time,sigma"]
        for i, event in enumerate(events or ("A B C D",)):
            for name in event.split():
                station, _, delay = name.partition("+")
                picks.append(f"e{i},{station},P,2024-05-17T{i:02d}:30:{10 + float(delay or 0):09.6f},0.1")
        (tmp_path / "picks.csv").write_text("\n".join(picks))
        return tmp_path

    return write


def grid(folder, latitude=(44.0, 46.0), longitude=(6.0, 8.5), depth=(-1.0, 40.0), names=("latitude", "longitude", "depth")):
    """A model of one velocity, written to v.nc."""
    coords = {name: list(ends) for name, ends in zip(names, (latitude, longitude, depth), strict=True)}
    data = xr.Dataset({"vp": (names, np.full((2, 2, 2), 6.0), {"units": "km/s"})}, coords)
    data.to_netcdf(folder / "v.nc")


def settings(folder, velocity="layers.csv", region=None, **others):
    region = {"depth": (0, 30)} | (region or {})
    files = {"stations": "stations.csv", "picks": "picks.csv", "velocity": velocity, "cache": folder / "cache"}
    return HypocenterSettings(region=region, spacing=10.0, **files, **others)


def test_the_region_reaches_as_far_as_stations_that_have_picks(files):
    folder = files()
    catalogue = read_catalogue(settings(folder), folder)
    place = catalogue.network.place
    assert catalogue.network.stations.names == ["A", "B", "C", "D"]
    assert len(catalogue.ways.tables.places) == 4
    low, high = place[:, :2].min(axis=0), place[:, :2].max(axis=0)
    reach = BEYOND * (high - low).max()
    np.testing.assert_allclose(catalogue.box.lower, [*(low - reach), 0])
    np.testing.assert_allclose(catalogue.box.upper, [*(high + reach), 30])
    np.testing.assert_allclose(low + high, 0, atol=0.5)  # and the map is about them


def test_a_station_of_a_faulty_event_alone_counts_for_nothing(files):
    folder = files("A B C D", "A B FAR")
    catalogue = read_catalogue(settings(folder), folder)
    assert [fault.event for fault in catalogue.faults] == ["e1"]
    assert catalogue.network.stations.names == ["A", "B", "C", "D"]


def test_a_station_outside_the_grid_is_a_fault_of_the_events_that_picked_it(files):
    folder = files("A B C D FAR", "A B C D", "D FAR A B C")
    grid(folder)
    catalogue = read_catalogue(settings(folder, "v.nc"), folder)
    assert catalogue.picks.events == ["e1"]
    assert [fault.event for fault in catalogue.faults] == ["e0", "e2"]
    assert catalogue.faults[0].place.endswith("picks.csv, line 6")
    assert catalogue.faults[0].message == (
        "station 'FAR': lies outside the velocity model (latitude 44 to 46, longitude 6 to 8.5, depth -1 to 40); enlarge the "
        "model, or leave this pick out"
    )
    assert len(catalogue.ways.tables.places) == 4


@pytest.mark.parametrize(("elevation", "top", "fits"), [(0.9, -1.0, True), (1.1, -1.0, False), (-0.5, 0.0, True)])
def test_a_station_above_the_grid_is_outside(files, elevation, top, fits):
    """Elevations go upwards, depths downwards."""
    folder = files(elevation=elevation)
    grid(folder, depth=(top, 40.0))
    if fits:
        assert read_catalogue(settings(folder, "v.nc"), folder).network.place[0, 2] == -elevation
    else:
        with pytest.raises(ConfigError, match=r"no event can be located; .*station 'A': lies outside .*depth -1 to 40"):
            read_catalogue(settings(folder, "v.nc"), folder)


@pytest.mark.parametrize("turn", [0, 360])
def test_longitudes_are_the_same_after_a_turn(files, turn):
    folder = files()
    grid(folder, longitude=(6.0 + turn, 8.5 + turn))
    catalogue = read_catalogue(settings(folder, "v.nc", {"latitude": (44.5, 45.5), "longitude": (6.5, 8.0)}), folder)
    assert not catalogue.faults


def test_a_region_from_stations_ends_where_the_grid_does(files, caplog):
    folder = files(cartesian=True)
    grid(folder, (-10.0, 45.0), (-5.0, 200.0), names=("y", "x", "depth"))
    catalogue = read_catalogue(settings(folder, "v.nc"), folder)
    np.testing.assert_allclose(catalogue.box.lower, [-5, -10, 0])
    np.testing.assert_allclose(catalogue.box.upper, [50 + 25, 45, 30])
    assert "reaches beyond the velocity model: it ends there" in caplog.text
    with_x = read_catalogue(settings(folder, "v.nc", {"x": (0, 60)}), folder)
    np.testing.assert_allclose(with_x.box.lower, [0, -10, 0])


def test_a_region_from_stations_ends_at_a_geographic_grid(files):
    folder = files()
    grid(folder, latitude=(44.9, 46.0))
    catalogue = read_catalogue(settings(folder, "v.nc"), folder)
    south = catalogue.network.projection.to_geographic(np.zeros(1), catalogue.box.lower[1:2])[0][0]
    assert south == pytest.approx(44.9, abs=1e-3)
    whole = read_catalogue(settings(folder), folder).box
    np.testing.assert_allclose(catalogue.box.upper, whole.upper)
    np.testing.assert_allclose(catalogue.box.lower[[0, 2]], whole.lower[[0, 2]])


def test_a_region_may_be_all_of_the_grid(files):
    """Though the rectangle around it on the map is larger."""
    folder = files()
    grid(folder)
    region = {"latitude": (44.0, 46.0), "longitude": (6.0, 8.5), "depth": (-1.0, 40.0)}
    assert not read_catalogue(settings(folder, "v.nc", region), folder).faults


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ({"depth": (0, 50)}, "depth 0 to 50: reaches outside the velocity model, .* depth -1 to 40; make the region smaller"),
        (
            {"latitude": (43, 45), "longitude": (7, 8)},
            "region: latitude 43 to 45, longitude 7 to 8, depth 0 to 30: reaches outside the velocity model, latitude 44 to 46",
        ),
    ],
)
def test_a_region_outside_the_grid_is_told_with_both_extents(files, region, message):
    folder = files()
    grid(folder)
    with pytest.raises(ConfigError, match=message):
        read_catalogue(settings(folder, "v.nc", region), folder)


def test_stations_and_grids_must_meet(files):
    folder = files(cartesian=True)
    grid(folder)
    with pytest.raises(ConfigError, match=r"v\.nc: is over latitude and longitude, but stations are in km: give them in deg"):
        read_catalogue(settings(folder, "v.nc"), folder)
    folder = files()
    grid(folder, (-100.0, 100.0), (-100.0, 100.0), names=("y", "x", "depth"))
    with pytest.raises(ConfigError, match=r"v\.nc: is over x and y, but stations are in degrees: .* `projection` of x and y"):
        read_catalogue(settings(folder, "v.nc"), folder)
    definition = "+proj=tmerc +lat_0=45 +lon_0=7 +datum=WGS84"
    catalogue = read_catalogue(settings(folder, "v.nc", projection=definition), folder)
    assert catalogue.network.projection == MapProjection(definition)
    np.testing.assert_allclose(catalogue.network.place[0], 0, atol=1e-6)


@pytest.mark.parametrize(("transform", "fits"), [("SIMPLE 45 7 0", True), ("NONE", False), ("SDC 45 7 0", False)])
def test_stations_in_degrees_meet_a_nonlinloc_grid_by_its_transformation(files, transform, fits):
    folder = files("A B C D", "A B C D FAR")
    header = folder / "model.P.mod.hdr"
    header.write_text(f"3 3 3  -100.0 -100.0 -2.0  100.0 100.0 30.0 VELOCITY FLOAT\nTRANSFORM {transform}\n")
    header.with_suffix(".buf").write_bytes(np.full(27, 6, "<f4").tobytes())
    s = settings(folder, header.name)
    if not fits:
        with pytest.raises(
            ConfigError, match=rf"model\.P\.mod\.hdr: TRANSFORM: TRANSFORM {transform}: expected SIMPLE, LAMBERT"
        ):
            read_catalogue(s, folder)
        return
    catalogue = read_catalogue(s, folder)
    assert catalogue.network.projection == Simple(45.0, 7.0)
    np.testing.assert_allclose(catalogue.network.place[1, :2], [1000 / 90 * np.cos(np.radians(45.3)), 3000 / 90])
    assert [fault.event for fault in catalogue.faults] == ["e1"]
    np.testing.assert_allclose(catalogue.ways.tables.evaluate([[[0, 0, 24]]], [0], [0])[0], 24 / 6, rtol=1e-4)


def test_stations_in_one_place_have_no_extent(files):
    folder = files()
    rows = "\n".join(f"{name},45,7,0" for name in PLACES)
    (folder / "stations.csv").write_text(f"station,latitude,longitude,elevation_km\n{rows}\n")
    with pytest.raises(ConfigError, match="all stations with picks are in one place: give the margin of the region, km, or"):
        read_catalogue(settings(folder), folder)


# Picks before all possible origins


def picks_at(*times, sizes=None):
    """P of station 0, 1, ... at times, s, of events with so many of them."""
    n = len(times)
    sizes = sizes or [n]
    events = [f"e{i}" for i in range(len(sizes))]
    start, reference = np.concatenate([[0], np.cumsum(sizes)]), np.zeros(len(sizes), "datetime64[us]")
    ones, source = np.ones(n), [f"line {i + 2}" for i in range(n)]
    return Picks(events, start, reference, np.arange(n), np.full(n, "P"), np.array(times, float), 0.1 * ones, ones, source)


def test_early_by_is_that_of_a_slow_twin():
    """The twin counts, for each pick, how many others of its event begin after its end, if it may end so much later."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(4, 9, 40)
    picks = picks_at(*rng.normal(0, 20, sizes.sum()), sizes=list(sizes))
    shortest = rng.uniform(0, 5, sizes.sum())
    longest = shortest + rng.uniform(0, 15, sizes.sum())
    early = early_by(picks, shortest, longest)
    latest, earliest = picks.time - shortest, picks.time - longest
    for a, b in zip(picks.start[:-1], picks.start[1:], strict=True):
        for i in range(a, b):
            others = np.delete(np.arange(a, b), i - a)
            for later, more in ((early[i] - 1e-9, True), (early[i] + 1e-9, False)):
                assert ((earliest[others] > latest[i] + later).sum() > len(others) / 2) == more or early[i] < 0


@pytest.mark.parametrize(
    ("times", "faulty"),
    [
        ([0, 1, 2, 3, 4], None),
        ([0, 1, 2, 3, 400], None),
        ([0, 1, 2, 300, 400], None),
        ([-20, 1, 2, 3, 4], 0),
        ([1, 2, -40, 3, -20], 2),
        ([-9.3, 0, 1, 2], None),
        ([-9.5, 1, 2, 3], 0),
        ([-3600, 1, 2, 3, 300], 0),
    ],
)
def test_a_false_pick_that_is_late_condemns_no_good_one(times, faulty):
    """All travel times are between 0 and 10 s, all sigmas 0.1 s: a pick is early 10.5 s before more than half of the others."""
    picks = picks_at(*times)
    n = len(times)
    faults = early_faults(picks, list("ABCDE"), early_by(picks, np.zeros(n), np.full(n, 10.0)), picks.sigma, "picks.csv")
    assert [fault.place for fault in faults] == ([] if faulty is None else [f"picks.csv, line {faulty + 2}"])


def test_shortest_and_longest_times_of_a_region():
    """In one velocity, 1 km/s: distances."""
    places = np.array([[0.0, 0.0, 0.0], [-30.0, 5.0, -2.0], [10.0, 40.0, 12.0]])
    box = Box(np.array([-10.0, -10.0, 1.0]), np.array([20.0, 10.0, 30.0]))
    far = np.maximum(np.abs(box.lower - places), np.abs(box.upper - places))
    near = np.maximum(np.maximum(box.lower - places, places - box.upper), 0)
    for slowness, origin in ((np.ones((3, 80, 50)), [0, -5]), (np.ones((3, 60, 60, 45)), [-35, -15, -5])):
        tables = TimeTables(slowness, places, origin, [1.0] * len(origin))
        shortest, longest = shortest_and_longest(tables, box)
        np.testing.assert_allclose(longest, np.linalg.norm(far, axis=1), rtol=1e-5)
        np.testing.assert_allclose(shortest, np.linalg.norm(near, axis=1), rtol=1e-5)


def test_a_catalogue_without_what_is_early(files):
    folder = files("A+30 B+31 C+32 D+33", "A+30 B+30 C+1 D+30", "A+20 B+20 C+21 D+20", "A+1 B+30 C+30 D+30 C+30")
    s = settings(folder)
    catalogue = read_catalogue(s, folder)
    assert catalogue.picks.events == ["e0", "e2"]
    names = {fault.event: str(fault) for fault in catalogue.faults}
    assert "picks.csv, line 8: station 'C', phase 'P': 1" in names["e1"]
    assert "s before any origin in the region that fits most of the other picks; check its time, or leave" in names["e1"]
    assert "picked twice" in names["e3"]
    np.testing.assert_array_equal(catalogue.picks.start, [0, 4, 8])
    np.testing.assert_array_equal(catalogue.ways.table, [0, 1, 2, 3, 0, 1, 2, 3])
    np.testing.assert_array_equal(catalogue.ways.tables.places[catalogue.ways.table[4:]], catalogue.network.place)
    assert catalogue.picks.source[4] == "line 10"
    assert catalogue.picks.reference[1] == np.datetime64("2024-05-17T02:30:30")
