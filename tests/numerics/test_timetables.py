"""Travel times between the nodes of tables, against closed forms and a slow twin."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from vip.kernels_c.timetables import TimeTables, reference

TOP, RISE = 3.0, 0.08
"""Velocity at depth 0, km/s, and what it gains with depth, 1/s."""
PLACES = np.array([[12.3, 7.7, -0.4], [30.0, 20.0, 0.0], [3.0, 25.0, 1.3]])


def gradient_medium(place, x, y, depth):
    """Times where velocity rises linearly with depth (e.g. Cerveny 2001, eq. 3.7.16)."""
    v0, v1 = TOP + RISE * place[2], TOP + RISE * depth
    squared = (x - place[0]) ** 2 + (y - place[1]) ** 2 + (depth - place[2]) ** 2
    return np.arccosh(1 + RISE**2 * squared / (2 * v0 * v1)) / RISE


def mean_slowness(place, x, y, depth):
    distance = np.sqrt((x - place[0]) ** 2 + (y - place[1]) ** 2 + (depth - place[2]) ** 2)
    at_station = distance < 1e-9
    times = gradient_medium(place, x, y, depth)
    return np.where(at_station, 1 / (TOP + RISE * place[2]), times / np.where(at_station, 1, distance))


def layered_tables(kind=TimeTables, n_r=61, n_z=41):
    origin, spacing = np.array([0, -2.0]), np.array([50.0, 32.0]) / (np.array([n_r, n_z]) - 1)
    r, z = np.meshgrid(*(o + s * np.arange(n) for o, s, n in zip(origin, spacing, (n_r, n_z), strict=True)), indexing="ij")
    return kind([mean_slowness(np.array([0, 0, place[2]]), r, 0, z) for place in PLACES], PLACES, origin, spacing)


def volume_tables(kind=TimeTables):
    origin, spacing, shape = np.array([-6.0, -6.0, -5.0]), np.array([1.5, 1.5, 1.0]), (33, 29, 36)
    nodes = np.meshgrid(*(o + s * np.arange(n) for o, s, n in zip(origin, spacing, shape, strict=True)), indexing="ij")
    return kind([mean_slowness(place, *nodes) for place in PLACES], PLACES, origin, spacing)


TABLES = pytest.mark.parametrize("tables", [layered_tables, volume_tables], ids=["layered", "volume"])


def somewhere(n_particles=21, n_events=3, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.uniform([0, 0, 0], [35, 30, 25], (n_particles, n_events, 3)),
        np.array([0, 0, 1, 2, 2]),
        np.array([0, 1, 2, 0, 2]),
    )


@TABLES
def test_native_is_its_twin(tables):
    x, event, table = somewhere()
    native, twin = tables(), tables(reference.TimeTables)
    x[0, 0] = PLACES[0]  # at its station
    x[1, 0] = PLACES[0] + [0, 0, 3.0]  # below it
    for found, expected in zip(native.evaluate(x, event, table), twin.evaluate(x, event, table), strict=True):
        assert found.shape == expected.shape
        assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@TABLES
def test_times_and_gradients_are_those_of_the_medium(tables):
    x, event, table = somewhere(200)
    time, gradient = tables().evaluate(x, event, table)
    exact = np.stack([gradient_medium(PLACES[t], *x[:, e].T) for e, t in zip(event, table, strict=True)], axis=1)
    assert np.sqrt(np.mean((time / exact - 1) ** 2)) < 1e-5
    step = 1e-5
    for axis, nudge in enumerate(step * np.eye(3)):
        there, back = (
            np.stack([gradient_medium(PLACES[t], *(x[:, e] + s * nudge).T) for e, t in zip(event, table, strict=True)], axis=1)
            for s in (1, -1)
        )
        assert_allclose(gradient[axis], (there - back) / (2 * step), atol=2e-4 / TOP)


@TABLES
def test_gradient_is_that_of_the_times(tables):
    """Also in coarse tables, where neither is that of the medium."""
    x, event, table = somewhere(50, seed=1)
    native, step = tables(), 1e-4
    _, gradient = native.evaluate(x, event, table)
    for axis, nudge in enumerate(step * np.eye(3)):
        there, back = (native.evaluate(x + s * nudge, event, table)[0] for s in (1, -1))
        assert_allclose(gradient[axis], (there - back) / (2 * step), rtol=1e-5, atol=1e-6)


def test_times_at_nodes_are_the_tables():
    tables = layered_tables()
    r, z = 7 * tables.spacing[0], tables.origin[1] + 9 * tables.spacing[1]
    time, _ = tables.evaluate([[PLACES[1] + [r, 0, z - PLACES[1][2]]]], [0], [1])
    assert_allclose(time, gradient_medium(PLACES[1], PLACES[1][0] + r, PLACES[1][1], z), rtol=1e-6)


def test_errors_fall_with_the_fourth_power_of_the_spacing():
    x, event, table = somewhere(200, seed=2)
    x[..., 2] += 2
    exact = np.stack([gradient_medium(PLACES[t], *x[:, e].T) for e, t in zip(event, table, strict=True)], axis=1)
    errors = [np.abs(layered_tables(n_r=n, n_z=n).evaluate(x, event, table)[0] - exact).max() for n in (9, 17)]
    assert np.log2(errors[0] / errors[1]) > 3


@TABLES
def test_results_depend_neither_on_the_batch_nor_on_threads(tables):
    x, event, table = somewhere(37)
    native = tables()
    time, gradient = native.evaluate(x, event, table)
    for other in (native.evaluate(x, event, table, threads=3), native.evaluate(np.asfortranarray(x), event, table)):
        assert_array_equal(other[0], time)
        assert_array_equal(other[1], gradient)
    alone = native.evaluate(x[20:21, 2:], [0, 0], table[3:])
    assert_array_equal(alone[0], time[20:21, 3:])
    assert_array_equal(alone[1], gradient[:, 20:21, 3:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hypocentres": [[[60.0, 60, 5]]]}, "event 0 has one outside the tables"),
        ({"hypocentres": [[[10.0, 10, -3]]]}, "event 0 has one outside the tables"),
        ({"hypocentres": [[[np.nan, 10, 5]]]}, r"hypocentres: entry \(0, 0, 0\): (nan|inf): must be finite"),
        ({"hypocentres": [[1.0, 2, 3]]}, r"hypocentres: shape \(1, 3\): expected"),
        ({"hypocentres": np.zeros((0, 1, 3))}, "n_particles and n_events at least 1"),
        ({"event": [1]}, "event: entry 0: 1: must be from 0 to 0"),
        ({"event": [0.0]}, "event: dtype float64"),
        ({"table": [3]}, "table: entry 0: 3: must be from 0 to 2"),
        ({"table": [0, 1]}, r"table: shape \(2,\): expected \(1,\)"),
        ({"threads": 0}, "threads: 0"),
    ],
)
def test_wrong_input_is_refused(change, message):
    right = {"hypocentres": [[[10.0, 10, 5]]], "event": [0], "table": [0]}
    with pytest.raises((ValueError, TypeError), match=message):
        layered_tables().evaluate(**{**right, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slowness": np.zeros((1, 3, 9))}, "4 nodes or more"),
        ({"slowness": np.zeros((4, 9))}, r"slowness: shape \(4, 9\)"),
        ({"slowness": np.full((1, 9, 9), np.inf)}, r"slowness: entry \(0, 0, 0\): (nan|inf): must be finite"),
        ({"places": [[0.0, 0]]}, r"places: shape \(1, 2\): expected \(1, 3\)"),
        ({"spacing": [1.0, -1]}, "spacing: .*must be positive"),
        ({"origin": [1.0, 0]}, "distance must begin at 0"),
    ],
)
def test_wrong_tables_are_refused(change, message):
    right = {"slowness": np.ones((1, 9, 9)), "places": [[0.0, 0, 0]], "origin": [0.0, 0], "spacing": [1.0, 1]}
    with pytest.raises(ValueError, match=message):
        TimeTables(**{**right, **change})


def test_text_is_refused():
    with pytest.raises(TypeError, match="slowness: dtype"):
        TimeTables(np.full((1, 9, 9), "a"), [[0.0, 0, 0]], [0.0, 0], [1.0, 1])
