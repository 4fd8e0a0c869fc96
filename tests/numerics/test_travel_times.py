"""Tables of first arrivals from layers and grids: those that go below the region are in them too."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.forward.earthquakes.traveltimes.tables import Box, Solver, deepest
from vip.forward.earthquakes.velocity import Grid3D, Layered

TOPS, VELOCITY = np.array([-5.0, 15.0, 30.0]), np.array([5.5, 6.5, 8.0])
BOX = Box(np.array([0.0, 0.0, 0.0]), np.array([240.0, 30.0, 10.0]))
STATIONS = np.array([[0.0, 0.0, 0.0], [120.0, 30.0, -1.0]])


def first_arrival(distance, a, b):
    """From depth a to b, both within the first layer: straight, or along the top of a deeper one."""
    times = [np.hypot(distance, a - b) / VELOCITY[0]]
    for k in (1, 2):
        p, time = 1 / VELOCITY[k], distance / VELOCITY[k]
        for layer in range(k):
            top, bottom = TOPS[layer], TOPS[layer + 1]
            thickness = (bottom - np.maximum(a, top)) + (bottom - np.maximum(b, top))
            leg = np.sqrt(1 / VELOCITY[layer] ** 2 - p**2)
            time, distance_left = time + thickness * leg, distance - p / leg * thickness
        times.append(np.where(distance_left > 0, time, np.inf))
    return np.min(times, axis=0)


def places():
    rng = np.random.default_rng(3)
    return rng.uniform(BOX.lower, BOX.upper, (300, 1, 3))


def expected(stations):
    hypocentres = places()
    distance = np.linalg.norm(hypocentres[..., :2] - stations[:, :2], axis=2)
    return first_arrival(distance, hypocentres[..., 2], stations[:, 2])


def evaluated(tables, n):
    return tables.evaluate(places(), np.zeros(n, np.intp), np.arange(n), 1)[0]


def test_waves_refracted_below_the_region_arrive_first(tmp_path):
    """As 8 km/s below 30 km, for hypocentres above 10 km: the tables reach as deep as they need to."""
    model = Layered(TOPS, {"P": VELOCITY}, {"P": np.zeros(3)})
    tables = Solver(BOX, 0.5, tmp_path).layered(model, ["P", "P"], STATIONS)
    times = evaluated(tables, 2)
    assert (np.abs(times - expected(STATIONS)) < 0.03).all()
    direct = np.linalg.norm(places() - STATIONS, axis=2) / VELOCITY[0]
    assert (direct - times).max() > 5


def test_a_grid_gives_the_times_of_the_layers_it_is_made_of(tmp_path):
    depth = np.array([-5.0, 14.999, 15.001, 29.999, 30.001, 60.0])
    values = np.broadcast_to(np.repeat(VELOCITY, 2), (2, 2, 6)).copy()
    model = Grid3D((np.array([-1.0, 31.0]), np.array([0.0, 240.0]), depth), {"P": values}, geographic=False)
    tables = Solver(BOX, 1.5, tmp_path).volume(model, ["P", "P"], STATIONS, None)
    assert np.sqrt(np.mean((evaluated(tables, 2) - expected(STATIONS)) ** 2)) < 0.1


@pytest.mark.parametrize("gradient", [0.02, 0.1])
def test_rays_of_a_gradient_turn_where_they_should(gradient):
    """Between ends at one depth: the circle through both with its centre where the velocity would be zero."""
    depth = np.arange(0, 200, 0.1)
    velocity = 5 + gradient * depth
    found = depth[deepest(depth, velocity, 10.0, 120.0)]
    centre = -5 / gradient
    assert_allclose(found, centre + np.hypot(60, 10 - centre), atol=0.2)


def test_stations_of_one_depth_share_a_table_on_disk(tmp_path):
    model = Layered(TOPS, {"P": VELOCITY}, {"P": np.zeros(3)})
    stations = np.array([[0.0, 0.0, 0.0], [50.0, 20.0, 0.0], [90.0, 3.0, -1.0]])
    Solver(BOX, 2.0, tmp_path).layered(model, ["P"] * 3, stations)
    assert len(list(tmp_path.glob("*.npy"))) == 2
